"""The rules of the wire, record by record; each breach is one sentence.

schemas/CONTRACT.md, "Outputs".

`check_outputs` takes every committed record of the six output topics; what must hold between the
events of one account is in `audit.py`, which it calls.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from schemas.enums import Event
from schemas.events import CLOUDEVENT_HEADERS, EVENT_MODELS, EVENT_REASONS, EVENT_TOPIC
from tests.oracle.audit import check_accounts
from tests.oracle.records import OracleRecord, partition_of

TIME = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$")


def check_outputs(
    records: Iterable[OracleRecord],
    *,
    partitions: int,
    prefix: str = "byline.",
    from_start: bool = True,
) -> list[str]:
    """Breaches in the committed records of the output topics; empty if all is well.

    `from_start`: the records are all there ever were, so sequences and cycles begin at 1.
    """
    breaches: list[str] = []
    events: list[tuple[OracleRecord, dict[str, Any]]] = []
    for record in records:
        value, found = check_record(record, partitions=partitions, prefix=prefix)
        breaches += [f"{record.place}: {what}" for what in found]
        if value is not None:
            events.append((record, value))
    ids = Counter(value["event_id"] for _, value in events)
    breaches += [f"event_id {one} occurs {count} times" for one, count in ids.items() if count > 1]
    breaches += _check_rising(events)
    return breaches + check_accounts([value for _, value in events], from_start=from_start)


def check_record(
    record: OracleRecord, *, partitions: int, prefix: str
) -> tuple[dict[str, Any] | None, list[str]]:
    """One record's value, or None if it cannot be read as an event, and its breaches."""
    try:
        value = json.loads(record.value or b"")
        model = EVENT_MODELS[Event(value["event"])]
        model.model_validate_json(record.value or b"")
    except (ValueError, KeyError, TypeError) as error:
        what = error.errors()[:3] if isinstance(error, ValidationError) else error
        return None, [f"is no event of the contract: {what}"]
    breaches = [f"{name} is not UTC in milliseconds: {text}" for name, text in wrong_times(value)]
    breaches += _check_headers(record, value)
    key = f"{value['platform']}:{value['account_id']}".encode()
    if record.key != key:
        breaches.append("its key is not platform:account_id")
    if record.partition != partition_of(key, partitions):
        breaches.append(f"its key belongs to partition {partition_of(key, partitions)}")
    shadow = "shadow." if value["mode"] == "shadow" else ""
    topic = f"{prefix}{shadow}{EVENT_TOPIC[Event(value['event'])]}"
    if record.topic != topic:
        breaches.append(f"belongs to {topic}")
    if value["reason"] not in EVENT_REASONS[Event(value["event"])]:
        breaches.append(f"{value['reason']} is no reason of {value['event']}")
    return value, breaches


def wrong_times(value: Any, name: str = "value") -> list[tuple[str, str]]:
    """Times, at any depth, that are not UTC with milliseconds and `Z`: (name, text)."""
    if isinstance(value, dict):
        return [wrong for key, one in value.items() for wrong in wrong_times(one, key)]
    is_time = name.endswith(("_at", "_by")) or name == "timestamp"
    if is_time and value is not None and not (isinstance(value, str) and TIME.match(value)):
        return [(name, str(value))]
    return []


def _check_headers(record: OracleRecord, value: dict[str, Any]) -> list[str]:
    expected = {
        "ce_specversion": "1.0",
        "ce_id": value["event_id"],
        "ce_source": f"/byline/{value['platform']}",
        "ce_type": f"byline.{value['event']}.v1",
        "ce_time": value["decided_at"],
        "ce_subject": value["account_id"],
        "content-type": "application/json",
    }
    assert set(expected) == set(CLOUDEVENT_HEADERS)
    found = {name: text.decode("utf-8", "replace") for name, text in record.headers.items()}
    return [
        f"header {name} is {found.get(name)!r}, not {expected.get(name)!r}"
        for name in sorted(set(expected) | set(found))
        if found.get(name) != expected.get(name)
    ]


def _check_rising(events: list[tuple[OracleRecord, dict[str, Any]]]) -> list[str]:
    """Within a topic, an account's events stand in the order of their sequence."""
    breaches: list[str] = []
    last: dict[tuple[str, str, str], int] = {}
    ordered = sorted(events, key=lambda one: (one[0].topic, one[0].partition, one[0].offset))
    for record, value in ordered:
        place = (record.topic, value["platform"], value["account_id"])
        if value["sequence"] <= last.get(place, 0):
            breaches.append(f"{record.place}: sequence {value['sequence']} does not rise")
        last[place] = value["sequence"]
    return breaches


def check_no_text(records: Iterable[OracleRecord], canaries: Iterable[str]) -> list[str]:
    """Records, of any topic, in which a text occurs that must never travel (invariant 6)."""
    forms = [
        (canary, form)
        for canary in canaries
        for form in {canary.encode(), json.dumps(canary)[1:-1].encode()}
    ]
    return [
        f"{record.place}: carries {canary!r}"
        for record in records
        for canary, form in forms
        if any(form in part for part in _parts(record))
    ]


def _parts(record: OracleRecord) -> list[bytes]:
    named = [part for name, text in record.headers.items() for part in (name.encode(), text)]
    return [record.key or b"", record.value or b"", *named]
