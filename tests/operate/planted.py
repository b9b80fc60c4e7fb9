"""Breaches planted in a clean recording: one thing wrong in each, by what a broken core would do.

`edit` rewrites the first event that matches, with its decision and headers kept in step, so that
only the meant check can find it; the others take a record away or put one in.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streams.operate.audit.records import Record, iso, millis

Records = list[Record]


def value(record: Record) -> dict[str, Any]:
    """A record's JSON."""
    try:
        plain = json.loads(record.value or b"{}")
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}


def put(record: Record, plain: dict[str, Any]) -> Record:
    """The record with this value, and headers that agree."""
    headers = record.headers
    if "event_id" in plain:
        headers = (
            ("ce_specversion", b"1.0"),
            ("ce_id", plain["event_id"].encode()),
            ("ce_source", f"/byline/{plain['platform']}".encode()),
            ("ce_type", f"byline.{plain['event']}.v1".encode()),
            ("ce_time", plain["decided_at"].encode()),
            ("ce_subject", plain["account_id"].encode()),
            ("content-type", b"application/json"),
        )
    return record._replace(value=json.dumps(plain, ensure_ascii=False).encode(), headers=headers)


def find(records: Records, event: str, **wanted: Any) -> int:
    """Where the first such event lies."""
    for index, record in enumerate(records):
        plain = value(record)
        if plain.get("event") == event and all(plain[k] == v for k, v in wanted.items()):
            return index
    raise AssertionError(f"the recording has no {event} {wanted}")


def edit(event: str, change: Callable[[dict[str, Any]], None], **wanted: Any) -> "Plant":
    """Rewrite the first such event, and what its decision says of it."""

    def plant(records: Records) -> Records:
        index = find(records, event, **wanted)
        plain = value(records[index])
        known = plain["event_id"]
        change(plain)
        done = [*records]
        done[index] = put(records[index], plain)
        for at, record in enumerate(done):
            if record.topic != "decisions":
                continue
            decision = value(record)
            for listed in decision.get("events", ()):
                if listed["event_id"] == known:
                    listed.update({key: plain.get(key) for key in listed})
                    done[at] = put(record, decision)
        return done

    return plant


def drop(topic: str, /, **wanted: Any) -> "Plant":
    """Take the first such record of a topic away."""

    def plant(records: Records) -> Records:
        for index, record in enumerate(records):
            plain = value(record)
            if record.topic == topic and all(plain.get(k) == v for k, v in wanted.items()):
                return records[:index] + records[index + 1 :]
        raise AssertionError(f"nothing in {topic} is {wanted}")

    return plant


def unsay(event: str, **wanted: Any) -> "Plant":
    """Take the first such event away, from its decision too; the order numbers close up."""

    def plant(records: Records) -> Records:
        index = find(records, event, **wanted)
        gone = value(records[index])
        done = records[:index] + records[index + 1 :]
        for at, record in enumerate(done):
            plain = value(record)
            if record.topic == "decisions" and "events" in plain:
                plain["events"] = [
                    it for it in plain["events"] if it["event_id"] != gone["event_id"]
                ]
                if _same(plain, gone):
                    for listed in plain["events"]:
                        _close_up(listed, gone)
                done[at] = put(record, plain)
            elif "sequence" in plain and _same(plain, gone):
                _close_up(plain, gone)
                done[at] = put(record, plain)
        return done

    return plant


def _same(plain: dict[str, Any], gone: dict[str, Any]) -> bool:
    return plain.get("account_id") == gone["account_id"]


def _close_up(plain: dict[str, Any], gone: dict[str, Any]) -> None:
    if plain["mode"] == gone["mode"] and plain["sequence"] > gone["sequence"]:
        plain["sequence"] -= 1


def reword(topic: str, change: Callable[[dict[str, Any]], None], **wanted: Any) -> "Plant":
    """Another word in the first such input: what followed from it no longer does."""

    def plant(records: Records) -> Records:
        for index, record in enumerate(records):
            plain = value(record) if record.topic == topic and record.key != b"weibo:nobody" else {}
            if plain and all(plain.get(k) == v for k, v in wanted.items()):
                change(plain)
                key = f"{plain['platform']}:{plain['account_id']}".encode()
                done = [*records]
                done[index] = put(record, plain)._replace(key=key)
                return done
        raise AssertionError(f"nothing in {topic} is {wanted}")

    return plant


def relog(change: Callable[[dict[str, Any]], None], **wanted: Any) -> "Plant":
    """Another word in the first such record of the log."""

    def plant(records: Records) -> Records:
        for index, record in enumerate(records):
            plain = value(record) if record.topic == "decisions" else {}
            if plain and all(plain.get(k) == v for k, v in wanted.items()):
                change(plain)
                return [*records[:index], put(record, plain), *records[index + 1 :]]
        raise AssertionError(f"nothing in the log is {wanted}")

    return plant


def forge(event: str, beside: str, account_id: str, of: str) -> "Plant":
    """One more such event, copied from the account `of`, where `account_id` was told `beside`.

    The decision that told the one names the other as well; its id is new.
    """

    def plant(records: Records) -> Records:
        model, told = (
            find(records, event, account_id=of),
            find(records, beside, account_id=account_id),
        )
        plain, where = value(records[model]), value(records[told])
        taken = ("platform", "account_id", "cycle", "invitation_id", "decided_at", "mode")
        plain |= {name: where[name] for name in taken} | {"event_id": "forged"}
        plain["sequence"] = where["sequence"] + 1
        shift = millis(where["decided_at"]) - millis(value(records[model])["decided_at"])
        for name in ("effective_at", "review_at", "expires_at"):
            plain[name] = iso(millis(plain[name]) + shift)
        plain["statement"]["restriction"] |= {
            name: plain[name] for name in ("effective_at", "review_at", "expires_at")
        }
        forged = put(records[model], plain)._replace(key=records[told].key)
        return _told(records, forged, plain, where["event_id"])

    return plant


def _told(records: Records, forged: Record, plain: dict[str, Any], beside_id: str) -> Records:
    """The records with a forged event in its topic, named by the decision of another event."""
    decided = {
        listed["event_id"]: at
        for at, record in enumerate(records)
        if record.topic == "decisions"
        for listed in value(record).get("events", ())
    }
    decision = value(records[decided[beside_id]])
    names = decision["events"][0].keys()
    decision["events"].append({name: plain.get(name) for name in names})
    done = [*records]
    done[decided[beside_id]] = put(records[decided[beside_id]], decision)
    later = (
        at
        for at, record in enumerate(records)
        if record.topic == forged.topic and decided[value(record)["event_id"]] > decided[beside_id]
    )
    at = next(later, len(done))
    return [*done[:at], forged, *done[at:]]


Plant = Callable[[Records], Records]


@dataclass(frozen=True, slots=True)
class Planted:
    """What is wrong, the breach that has to be named, and how it is planted in which recording."""

    what: str
    breach: str
    plant: Plant
    recording: str = "clean"
    options: dict[str, Any] = field(default_factory=dict)


def sooner(field: str, by: int) -> Callable[[dict[str, Any]], None]:
    """Move a time of an event."""

    def change(plain: dict[str, Any]) -> None:
        plain[field] = iso(millis(plain[field]) - by)

    return change


def setting(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Give fields of an event other values."""
    return lambda plain: plain.update(fields)


def in_statement(part: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    """Give fields of a part of the statement other values."""
    return lambda plain: plain["statement"][part].update(fields)


def both(*changes: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """One change after the other."""

    def change(plain: dict[str, Any]) -> None:
        for one in changes:
            one(plain)

    return change


def in_turn(*plants: Plant) -> Plant:
    """One breach that takes several changes of the records."""

    def plant(records: Records) -> Records:
        for one in plants:
            records = one(records)
        return records

    return plant


def repeated(topic: str, event: str) -> Plant:
    """The first such event lies in its topic twice."""

    def plant(records: Records) -> Records:
        index = find(records, event)
        return [*records[: index + 1], records[index], *records[index + 1 :]]

    return plant


def moved_to(topic: str, event: str, **wanted: Any) -> Plant:
    """The first such event lies in another topic."""

    def plant(records: Records) -> Records:
        index = find(records, event, **wanted)
        done = [*records]
        done[index] = records[index]._replace(topic=topic)
        return done

    return plant
