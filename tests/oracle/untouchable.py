"""Adverse events on accounts that the inputs alone show to be out of reach (invariants 5 and 15).

Free of order between topics: an account that never had a covered label or never reached a line;
and spans, by the Kafka timestamps of one topic, in which it was exempt, closed, held, under appeal
or without a covered label. `grace` is how long after an input its effect may still be missing.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.enums import ADVERSE_EVENTS
from tests.oracle.policy import OraclePolicy, instant
from tests.oracle.records import OracleRecord

Span = tuple[str, datetime, datetime | None]
BEGINS = {"exempted": "exempt", "closed": "closed", "hold": "held", "appeal_opened": "appealed"}
ENDS = {
    "exemption_ended": "exempt",
    "reopened": "closed",
    "unhold": "held",
    "appeal_rejected": "appealed",
    "appeal_upheld": "appealed",
}


def check_untouchable(
    outputs: Iterable[OracleRecord],
    inputs: Iterable[OracleRecord],
    policies: Mapping[str, OraclePolicy],
    *,
    prefix: str = "byline.",
    refused: Iterable[tuple[str, int, int]] = (),
    grace: timedelta = timedelta(seconds=30),
) -> list[str]:
    """Breaches, one for each adverse event that should not be; empty if all is well."""
    without = set(refused)
    topics: dict[str, dict[str, list[tuple[datetime, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in sorted(inputs, key=lambda one: one.offset):
        if (record.topic, record.partition, record.offset) not in without and record.key:
            at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
            value = None if record.value is None else json.loads(record.value)
            name = record.topic.removeprefix(prefix)
            topics[record.key.decode("utf-8", "replace")][name].append((at, value))
    breaches = []
    for record in outputs:
        event = json.loads(record.value or b"")
        if event["event"] not in ADVERSE_EVENTS:
            continue
        key = f"{event['platform']}:{event['account_id']}"
        why = _why_not(topics.get(key, {}), policies[event["platform"]], event, grace)
        breaches += [f"{record.place}: {event['event']} on {key}, {one}" for one in why]
    return breaches


def _why_not(
    own: Mapping[str, list[tuple[datetime, Any]]],
    policy: OraclePolicy,
    event: Mapping[str, Any],
    grace: timedelta,
) -> list[str]:
    readings = [value["followers"] for _, value in own.get("follower-counts", []) if value]
    found = []
    if max(readings, default=-1) < min(phase.followers for phase in policy.phases):
        found.append("which never reached a line")
    labels = own.get("category-changes", [])
    if not any(value and policy.field_of(value["category"]) for _, value in labels):
        found.append("which never had a covered label")
    decided_at = instant(event["decided_at"])
    for what, begin, end in [*_label_spans(labels, policy), *_spans(own)]:
        if begin + grace < decided_at and (end is None or decided_at < end):
            found.append(f"which was {what} since {begin.isoformat()}")
    return found


def _label_spans(labels: list[tuple[datetime, Any]], policy: OraclePolicy) -> list[Span]:
    spans: list[Span] = []
    for place, (at, value) in enumerate(labels):
        end = labels[place + 1][0] if place + 1 < len(labels) else None
        if value is None or policy.field_of(value["category"]) is None:
            spans.append(("without a covered label", at, end))
        elif value.get("valid_until") is not None:
            spans.append(("past its label", max(at, instant(value["valid_until"])), end))
    return spans


def _spans(own: Mapping[str, list[tuple[datetime, Any]]]) -> list[Span]:
    spans: list[Span] = []
    for name, verb in (("account-changes", "change"), ("controls", "command")):
        open_since: dict[str, tuple[datetime, datetime | None]] = {}
        for at, value in own.get(name, []):
            word = value[verb]
            if word in BEGINS and BEGINS[word] not in open_since:
                until = value.get("expires_at") if word == "hold" else None
                open_since[BEGINS[word]] = (at, instant(until) if until else None)
            elif word in ENDS and ENDS[word] in open_since:
                begin, until_at = open_since.pop(ENDS[word])
                spans.append((ENDS[word], begin, min(at, until_at) if until_at else at))
        spans += [(what, begin, until) for what, (begin, until) in open_since.items()]
    return spans
