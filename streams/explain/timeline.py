"""Says what happened to an account, record by record, in the order of time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streams.explain import cites
from streams.explain.material import Material
from streams.explain.sentences import At, Length, Place, Sentence, Term

_ORDER = {"words": 0, "letters": 1, "decisions": 2, "events": 3, "acks": 4}
Row = Mapping[str, Any]


def timeline(material: Material) -> list[Sentence]:
    """Returns sentences on inputs (also refused and stale ones), decisions, events and acks."""
    refused = {cites.origin_of(row) for row in material.tables.get("letters", [])}
    found: list[tuple[int, int, int, Sentence]] = []
    tell = {
        "words": lambda row: _word(row, refused),
        "letters": _letter,
        "decisions": _decision,
        "events": _event,
        "acks": _ack,
    }
    for name, of in tell.items():
        for row in material.tables.get(name, []):
            for sentence in of(row):
                assert sentence.at is not None
                place = row.get("sequence", row["offset"])
                found.append((sentence.at, _ORDER[name], place, sentence))
    found.sort(key=lambda it: it[:3])
    return [it[-1] for it in found]


def _word(row: Row, refused: set[Any]) -> Iterator[Sentence]:
    place = cites.of_row(row)
    if place in refused:
        return  # The sentence about its dead letter already says this.
    said = json.loads(row["value"])
    says = {"topic": Term(row["topic"], "from"), "word": Term(row["word"], "word")}
    if said.get("actor"):
        yield Sentence("said_by", {**says, "actor": said["actor"]}, (place,), row["entered_at"])
    else:
        yield Sentence("said", says, (place,), row["entered_at"])


def _letter(row: Row) -> Iterator[Sentence]:
    places = (cites.origin_of(row), cites.of_row(row, "dead-letters"))
    says = {"topic": row["topic"], "reason": row["reason"]}
    if row["field"]:
        says["field"] = row["field"]
    key = "refused_field" if row["field"] else "refused"
    yield Sentence(key, says, places, row["refused_at"])


def _decision(row: Row) -> Iterator[Sentence]:
    at, places = row["now"], [cites.of_row(row, "decisions")]
    cause = json.loads(row["cause"])
    if "topic" in cause:
        places.append(Place(cause["topic"], row["partition"], cause["offset"]))
    shown = tuple(places)
    for it in json.loads(row["transitions"] or "[]"):
        if it["machine"] == "throttle":
            continue  # The sentence about its event already says this.
        says = {
            "machine": Term(it["machine"]),
            "before": Term(it["from_state"]),
            "after": Term(it["to_state"]),
            "input": Term(it["input"]),
        }
        same = says["before"] == says["after"]
        yield Sentence("taken_same" if same else "taken", says, shown, at)
    for it in json.loads(row["deferrals"] or "[]"):
        yield Sentence("put_off", {"event": f"`{it['event']}`", "by": tuple(it["by"])}, shown, at)
    if row["ignored"] is not None and row["transitions"] is None:
        yield Sentence("ignored", {"why": f"ignored.{row['ignored']}"}, shown, at)


def _event(row: Row) -> Iterator[Sentence]:
    says = {
        "event": row["event"],
        "reason": Term(row["reason"], "reason"),
        "mode": f"mode.{row['mode']}",
        "sequence": row["sequence"],
    }
    if row["surface"]:
        says["surface"] = row["surface"]
    key = "event_surface" if row["surface"] else "event"
    yield Sentence(key, says, (cites.of_row(row),), row["decided_at"])


def _ack(row: Row) -> Iterator[Sentence]:
    says = {"system": row["system"], "outcome": row["outcome"]}
    yield Sentence("ack", says, (cites.of_row(row, "throttle-acks"),), row["entered_at"])


def obedience(material: Material) -> Iterator[Sentence]:
    """Yields a sentence for each surface: whether its newest throttle event was acknowledged.

    It yields nothing as long as no enforcing system has ever acknowledged an event.
    """
    if not material.acknowledged:
        return
    newest = {
        row["surface"]: row
        for row in material.tables.get("events", [])
        if row["event"].startswith("throttle.") and row["mode"] == "enforce"
    }
    for surface, row in newest.items():
        if row["event"] == "throttle.renewed":
            continue
        acks = [it for it in material.tables["acks"] if it["event_id"] == row["event_id"]]
        done = [it for it in acks if it["outcome"] != "failed"]
        says = {"event": row["event"], "surface": surface}
        place = cites.of_row(row)
        if not done:
            yield Sentence("unobeyed", {**says, "at": At(row["decided_at"])}, (place,))
            continue
        says |= {"system": done[0]["system"], "outcome": done[0]["outcome"]}
        after = Length(max(0, done[0]["entered_at"] - row["decided_at"]))
        places = (place, cites.of_row(done[0], "throttle-acks"))
        yield Sentence("obeyed", {**says, "after": after}, places)
