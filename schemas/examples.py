"""Examples of all records: inputs by enum value, events by reason, and each other record.

They are written by hand and hold no person's data. tests/contracts validates each against its
schema.
"""

from typing import Any

from schemas.cures import CURES
from schemas.enums import (
    AckOutcome,
    Answer,
    Cause,
    Change,
    Command,
    Event,
    LabelSource,
    Refused,
)
from schemas.events import EVENT_MODELS, EVENT_REASONS
from schemas.inputs import InputName

Example = dict[str, Any]

_AT = "2024-01-04T01:01:00.000Z"
_LATER = "2024-01-09T01:01:00.000Z"
_END = "2024-01-24T01:01:00.000Z"
_ID = "0f4b2d3c5a6978876554433221100fed"
_INVITATION = "a686a65288ee8a4881da528562b12ea6"
_THROTTLE = "5a7d8e741ed57cb5320d8e2230cb03f5"
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_WHO = {"platform": "weibo", "account_id": "u1000001"}
_OPERATOR = {"actor": "operator-1", "reason": "owner_request", "issued_at": _AT}


def input_examples() -> dict[InputName, dict[str, Example]]:
    """Returns the examples of inputs, by topic and case."""
    reading = {**_WHO, "followers": 1_000_000, "observed_at": _AT}
    label = {**_WHO, "category": "财经", "observed_at": _AT}
    answer = {**_WHO, "occurred_at": _AT, "invitation_id": _INVITATION, "notice_version": "1"}
    receipt = {**_WHO, "invitation_id": _INVITATION, "occurred_at": _AT}
    return {
        "switches": {
            "on": {"scope": "*", "switch": "adverse_off", "on": True, **_OPERATOR},
            "off": {"scope": "weibo", "switch": "answers_paused", "on": False, **_OPERATOR},
            "tripped": {
                "scope": "weibo",
                "switch": "refusals_settled",
                "on": False,
                "actor": "byline",
                "reason": "incident",
                "issued_at": _AT,
            },
            "settled": {"scope": "weibo", "switch": "refusals_settled", "on": True, **_OPERATOR},
        },
        "account-changes": {
            change: {**_WHO, "change": change, "observed_at": _AT} for change in Change
        },
        "controls": {command: _control(command) for command in Command},
        "category-changes": {
            **{source: {**label, "source": source} for source in LabelSource},
            "until": {**label, "valid_until": _END},
        },
        "follower-counts": {cause: {**reading, "cause": cause} for cause in Cause},
        "notice-receipts": {
            "delivered": {**receipt, "outcome": "delivered"},
            "failed": {**receipt, "outcome": "failed", "failure": "blocked"},
        },
        "consent-answers": {word: {**answer, "answer": word} for word in Answer},
    }


def ack_examples() -> dict[str, Example]:
    """Returns examples of acknowledgements of throttle events, by outcome."""
    ack = {**_WHO, "event_id": _ID, "system": "recommender", "occurred_at": _AT}
    return {outcome: {**ack, "outcome": outcome} for outcome in AckOutcome}


def _control(command: Command) -> Example:
    value: Example = {**_WHO, "control_id": "c-1", "command": command, **_OPERATOR}
    if command is Command.HOLD:
        value["expires_at"] = _END
    if command is Command.EXTEND:
        value["until"] = _END
    if command is Command.LIFT:
        value |= {"approved_by": "operator-2", "bulk_id": "incident-7"}
    return value


_STATEMENT: Example = {
    "ground": {
        "policy_version": 1,
        "policy_digest": _DIGEST,
        "phase": "million",
        "line": 1_000_000,
        "exit_line": 950_000,
        "notice_id": "weibo-2023-10-31",
        "notice_version": "1",
        "impact_assessment": "pia-2023-11",
    },
    "facts": {
        "followers_band": "1000000-4999999",
        "field": "finance",
        "field_source": "verified",
    },
    "delivered_at": "2024-01-01T01:01:00.000Z",
    "deadline_at": _AT,
    "answer": "none",
    "restriction": {
        "surface": "tips",
        "level": "off",
        "effective_at": _AT,
        "review_at": _LATER,
        "expires_at": _END,
    },
    "automation": {
        "automated_detection": "Yes",
        "automated_decision": "AUTOMATED_DECISION_FULLY",
    },
    "redress": ["grant-consent", "open-appeal", "ask-for-human-review"],
    "dsa": {
        "decision_visibility": [],
        "decision_monetary": "DECISION_MONETARY_SUSPENSION",
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "account_type": None,
        "source_type": "SOURCE_VOLUNTARY",
        "puid": _THROTTLE,
    },
}
_OWN: Example = {
    "phase": "million",
    "line": 1_000_000,
    "field": "finance",
    "notice_id": "weibo-2023-10-31",
    "notice_version": "1",
    "answer_window_seconds": 604_800,
    "answer_by": None,
    "surfaces_at_stake": ["recommend-feed", "tips"],
    "delivered_at": "2024-01-01T01:01:00.000Z",
    "deadline_at": _AT,
    "answered_at": _AT,
    "throttle_id": _THROTTLE,
    "surface": "tips",
    "level": "off",
    "effective_at": _AT,
    "review_at": _LATER,
    "expires_at": _END,
    "lifted_at": _AT,
    "statement": _STATEMENT,
}
"""An example of every field that an event may have besides the common ones."""


def event_examples() -> dict[Event, dict[str, Example]]:
    """Returns the examples of events, by event and reason."""
    return {
        event: {reason: _event(event, reason) for reason in reasons}
        for event, reasons in EVENT_REASONS.items()
    }


def _event(event: Event, reason: str) -> Example:
    common: Example = {
        "event_id": _ID,
        "event": event,
        "sequence": 3,
        **_WHO,
        "cycle": 1,
        "invitation_id": _INVITATION,
        "mode": "shadow" if reason == "projected" else "enforce",
        "policy_version": 1,
        "policy_digest": _DIGEST,
        "decided_at": _AT,
        "reason": reason,
    }
    own = {name: _OWN[name] for name in EVENT_MODELS[event].model_fields if name in _OWN}
    if reason == "declined" and "statement" in own:
        own["statement"] = {**_STATEMENT, "answer": "declined"}
    return {**common, **own}


def record_examples() -> dict[str, dict[str, Example]]:
    """Returns examples of the decision log and of dead letters, by kind of record and case."""
    chained = {
        "number": 7,
        "partition": 0,
        "previous": "0" * 64,
        "hash": _DIGEST,
        "now": _AT,
    }
    cause = {"topic": "follower-counts", "offset": 41}
    switch = {"scope": "*", "switch": "adverse_off", "on": True, **_OPERATOR}
    return {
        "decision": {"issued": {**chained, "kind": "decision", **_decision(cause)}},
        "transaction": {
            "read": {
                **chained,
                "kind": "transaction",
                "edition": 2,
                "opened_at": None,
                "reads": {"byline.follower-counts": 42},
                "steps": [{"now": _AT, "reads": {"byline.follower-counts": [41, 42]}}],
            }
        },
        "policies": {
            "taken-up": {**chained, "kind": "policies", "policies": {"weibo": f"1:{_DIGEST}"}}
        },
        "switch": {"pulled": {**chained, "kind": "switch", **switch, "cause": cause}},
        "refusal_guard": {
            "tripped": {
                **chained,
                "kind": "refusal_guard",
                "platform": "weibo",
                "reason": "bad_id",
                "refused": 100,
                "cause": cause,
            }
        },
        "dead-letter": {
            "bad_id": _dead_letter(),
            "wrong_partition": _wrong_partition(),
            "unreadable_batch": _unreadable_batch(),
        },
        "settlement": {"redriven": _settlement("redriven"), "dismissed": _settlement("dismissed")},
    }


def _decision(cause: Example) -> Example:
    return {
        **_WHO,
        "policy_version": 1,
        "policy_digest": _DIGEST,
        "cause": cause,
        "facts": {"followers": 1_000_000, "field": "finance", "eligibility": "INSIDE"},
        "transitions": [
            {
                "machine": "invitation",
                "from_state": "NONE",
                "input": "inside, nothing deferring",
                "to_state": "INVITED",
                "surface": None,
            }
        ],
        "events": [
            {
                "event_id": _ID,
                "event": "invitation.issued",
                "mode": "enforce",
                "sequence": 1,
                "reason": "over_line",
                "surface": None,
            }
        ],
        "deferrals": [],
        "ignored": None,
    }


def _dead_letter() -> Example:
    return {
        "topic": "byline.follower-counts",
        "partition": 0,
        "offset": 41,
        "timestamp": _AT,
        "reason": "bad_id",
        "field": "account_id",
        "value_digest": _DIGEST,
        "value_bytes": 131,
        "refused_at": _AT,
    }


def _settlement(settled: str) -> Example:
    return {
        "settled": settled,
        "topic": "byline.follower-counts",
        "partition": 0,
        "offset": 41,
        "actor": "op.1",
        "reason": "error_correction",
        "at": _AT,
        "changed": False,
    }


def _wrong_partition() -> Example:
    cure = CURES[Refused.WRONG_PARTITION]
    return {**_dead_letter(), "reason": "wrong_partition", "field": None, "cure": cure}


def _unreadable_batch() -> Example:
    return {
        **_dead_letter(),
        "last_offset": 90,
        "reason": "unreadable_batch",
        "field": None,
        "value_digest": None,
        "value_bytes": 0,
    }
