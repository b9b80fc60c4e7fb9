"""What came out against what the model says: who is followed, and where the two differ."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.inputs import INPUT_MODELS
from tests.chaos.apart import each_partition
from tests.chaos.book import Book, bare
from tests.chaos.following import Following, Ids, Refused
from tests.oracle.policy import OraclePolicy, instant
from tests.oracle.records import OracleRecord, partition_of

PASSING = ("invitation.reminded", "throttle.renewed")
LATE, LEEWAY = timedelta(seconds=60), timedelta(seconds=30)
"""How late a worker may be anyhow, and by how much more than the latest read of a run: a step that
the model does a moment earlier comes a stall later from a worker that stalls in between."""
EXPLAINED, MOST_LINES = 3, 40


def invitation_ids(outputs: list[OracleRecord]) -> Ids:
    """The id that each cycle's invitation has: (key, mode, cycle) to it."""
    ids = {}
    for record in outputs:
        value = json.loads(record.value or b"")
        if value["event"] == "invitation.issued":
            key = f"{value['platform']}:{value['account_id']}"
            ids[key, value["mode"], value["cycle"]] = value["invitation_id"]
    return ids


def refused_places(book: Book) -> Refused:
    """Where the refused inputs stand, by bare topic name, and the reason of each."""
    places = {}
    for record in book.all(["dead-letters"]):
        value = json.loads(record.value or b"")
        places[bare(value["topic"]), value["partition"], value["offset"]] = value["reason"]
    return places


def interesting(book: Book, refused: Refused, policies: Mapping[str, OraclePolicy]) -> set[str]:
    """Accounts that can have events at all: of a platform we know, with more than readings."""
    found = set()
    for name in INPUT_MODELS:
        if name in ("switches", "follower-counts"):
            continue
        for record in book.all([name]):
            place = (name, record.partition, record.offset)
            if place not in refused and record.key is not None:
                key = record.key.decode()
                if key.split(":")[0] in policies:
                    found.add(key)
    return found


def follow(
    book: Book, policies: Mapping[str, OraclePolicy], until: datetime
) -> tuple[list[str], int]:
    """Differences between what came out and what the model says, and how many events it made."""
    outputs = book.outputs
    ids, refused = invitation_ids(outputs), refused_places(book)
    worth = interesting(book, refused, policies)
    breaches: list[str] = []
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def one(book: Book, partition: int) -> tuple[list[str], dict[str, list[dict[str, Any]]]]:
        following = Following(book, partition, policies, ids, refused, worth)
        found = following.run(until)
        return found, {key: life.events for key, life in following.lives.items()}

    for differing, own in each_partition(book, one):
        breaches += differing
        for key, made in own.items():
            events[key] += made
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in outputs:
        value = json.loads(record.value or b"")
        found[f"{value['platform']}:{value['account_id']}"].append(value)
    late = max(LATE, latest_read(book) + LEEWAY)
    for key in sorted(found.keys() | events.keys()):
        wrong = _differences(key, _ordered(found[key]), _ordered(events[key]), until, late)
        if wrong and len(breaches) < EXPLAINED:
            wrong[0] += "".join(f"\n        {line}" for line in history(book, key))
        breaches += wrong
    return breaches, sum(map(len, events.values()))


def latest_read(book: Book) -> timedelta:
    """How long after its entry an input was read, at most: what a crowded machine makes of it."""
    latest = timedelta(0)
    for record in book.all(["decisions"]):
        if record.key != b"#transaction":
            continue
        for step in json.loads(record.value or b"")["steps"]:
            for topic, (first, _) in step.get("reads", {}).items():
                home = 0 if bare(topic) == "switches" else record.partition
                log = book.of(bare(topic), home)
                found = bisect_left(log, first, key=lambda one: one.offset)
                if found < len(log):
                    now = instant(step["now"])
                    latest = max(latest, now - log[found].entered(now))
    return latest


def history(book: Book, key: str) -> list[str]:
    """What the log knows of an account: its inputs, its decisions, and the steps around them.

    A run cannot be had again: what a breach was about has to stand in its report.
    """
    partition = partition_of(key.encode(), book.partitions)
    lines = [
        f"input {name}@{it.offset} entered {it.timestamp_ms}: {(it.value or b'null')[:200]!r}"
        for name in INPUT_MODELS
        for it in book.of(name, partition)
        if it.key == key.encode()
    ]
    own = False
    for record in book.of("decisions", partition):
        value = json.loads(record.value or b"{}")
        if record.key == key.encode():
            own = True
            told = [event["event"] for event in value["events"]]
            lines.append(
                f"{value['now']} by {value['cause']}: {told}, deferred {value['deferrals']},"
                f" {value['facts']['live']}, ignored {value['ignored']}"
            )
        elif record.key == b"#transaction" and own:
            own = False
            opened = value.get("opened_at")
            lines.append(f"{value['now']} opened {opened}, steps {value['steps']}"[:1_000])
        elif record.key in (b"#refusal_guard", b"#switch"):
            lines.append(f"{value['now']} {record.key.decode()}: {value.get('platform')}")
    return lines[:MOST_LINES]


def _ordered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(events, key=lambda one: (one["mode"], one["sequence"]))


def _differences(
    key: str,
    seen: list[dict[str, Any]],
    said: list[dict[str, Any]],
    until: datetime,
    late: timedelta,
) -> list[str]:
    """One account: the same events in the same order, at nearly the same instants.

    Reminders, renewals and what makes a pause good are left out: of those a late worker sends
    fewer, for it comes a look later, when there may be another one. What all pauses came to is
    compared at the end (`_deadlines`). Instants may differ where a label is told again within a
    dwell: the model begins anew then, the core does not (READINGS 6, CHOICES.md), and a late worker
    comes a round later. Wire rules and replay judge both without leave.
    """
    wrong = [*_deadlines(key, seen, said)]
    seen, said = ([one for one in own if not _passes(one)] for own in (seen, said))
    names = ("event", "reason", "mode", "cycle", "surface")
    words = [[tuple(one.get(name) for name in names) for one in own] for own in (seen, said)]
    more = said[len(seen) :]
    if more and words[0] == words[1][: len(seen)] and until - more[0]["decided_at"] < late:
        # The model was ahead by what the worker was late, and went on a little longer.
        said, words[1] = said[: len(seen)], words[0]
    if words[0] != words[1]:
        at = next(
            (i for i, (a, b) in enumerate(zip(*words, strict=False)) if a != b),
            min(map(len, words)),
        )
        return [f"{key}: saw {words[0][at : at + 3]}, the model says {words[1][at : at + 3]}"]
    for one, other in zip(seen, said, strict=True):
        for name in ("decided_at", "deadline_at"):
            if one.get(name) is None or other.get(name) is None:
                continue
            apart = abs(_to_ms(instant(one[name])) - _to_ms(instant(other[name])))
            if apart > late:
                wrong.append(f"{key}: {one['event']} has {name} {one[name]}, not {other[name]}")
    return wrong


def _passes(event: dict[str, Any]) -> bool:
    pause = event["event"] == "invitation.extended" and event["reason"] == "pause"
    return pause or event["event"] in PASSING


def _deadlines(key: str, seen: list[dict[str, Any]], said: list[dict[str, Any]]) -> list[str]:
    """Cycles that were delivered with one deadline and expired with two."""
    ends = [_ends(own) for own in (seen, said)]
    return [
        f"{key}: {cycle} expired with the deadline {end}, not {ends[1][cycle]}"
        for cycle, end in ends[0].items()
        if cycle in ends[1] and ends[1][cycle] != end
    ]


def _ends(events: list[dict[str, Any]]) -> dict[tuple[str, int, datetime], datetime]:
    """By mode, cycle and first deadline, the deadline that an invitation expired with."""
    first, ends = {}, {}
    for event in events:
        life = event["mode"], event["cycle"]
        if event["event"] == "invitation.delivered" and event["deadline_at"] is not None:
            first[life] = _to_ms(instant(event["deadline_at"]))
        elif event["event"] == "invitation.expired" and life in first:
            ends[*life, first[life]] = _to_ms(instant(event["deadline_at"]))
    return ends


def _to_ms(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
