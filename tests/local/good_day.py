"""A small day made by hand on which every check of the demo holds: what the tests then spoil."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.enums import Event
from schemas.topics import TopicNames
from streams.local.demo.evidence import Evidence
from streams.local.demo.reading import Raw
from streams.local.demo.script import Story
from streams.local.demo.tally import Seen
from streams.operate.audit.records import Record
from tests.operate.planted import value
from tests.operate.recording import Tape, invited

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = TopicNames("byline.", "byline")
DIGEST = "0" * 64


def at(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def statement(deadline: float) -> dict[str, Any]:
    return {
        "ground": {
            "policy_version": 1,
            "policy_digest": DIGEST,
            "phase": "million",
            "line": 1_000_000,
            "notice_id": "n",
            "notice_version": "1",
            "impact_assessment": "demo",
        },
        "facts": {
            "followers_band": "1000000-4999999",
            "field": "finance",
            "field_source": "verified",
        },
        "delivered_at": at(1),
        "deadline_at": at(deadline),
        "answer": "none",
        "restriction": {
            "surface": "tips",
            "level": "limited",
            "effective_at": at(deadline),
            "review_at": at(8),
            "expires_at": at(11),
        },
        "automation": {
            "automated_detection": "Yes",
            "automated_decision": "AUTOMATED_DECISION_FULLY",
        },
        "redress": ["grant-consent"],
        "dsa": {
            "decision_visibility": [],
            "decision_monetary": "DECISION_MONETARY_OTHER",
            "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
            "account_type": None,
            "source_type": "SOURCE_VOLUNTARY",
            "puid": "t",
        },
    }


ISSUED = {
    "phase": "million",
    "line": 1_000_000,
    "field": "finance",
    "notice_id": "n",
    "notice_version": "1",
    "answer_window_seconds": 4,
    "answer_by": None,
    "surfaces_at_stake": ["tips"],
}
THROTTLE = {"throttle_id": "t", "surface": "tips"}
APPLIED = {
    **THROTTLE,
    "level": "limited",
    "effective_at": at(5),
    "review_at": at(8),
    "expires_at": at(11),
    "statement": statement(5),
}
MORE: dict[str, dict[str, Any]] = {
    "issued": ISSUED,
    "delivered": {"delivered_at": at(1), "deadline_at": at(5)},
    "undeliverable": {},
    "reminded": {"deadline_at": at(5)},
    "extended": {"deadline_at": at(7)},
    "expired": {"deadline_at": at(5)},
    "cancelled": {},
    "granted": {"notice_version": "1", "answered_at": at(2)},
    "declined": {"answered_at": at(2)},
    "withdrawn": {"answered_at": at(2)},
    "voided": {},
    "applied": APPLIED,
    "renewed": {**THROTTLE, "review_at": at(9)},
    "lifted": {**THROTTLE, "lifted_at": at(11)},
}
DEAD_LETTER = {
    "topic": "byline.controls",
    "partition": 0,
    "offset": 3,
    "timestamp": at(0),
    "reason": "not_json",
    "field": None,
    "value_digest": DIGEST,
    "value_bytes": 9,
    "refused_at": at(0),
}
EVENTS = {event.value.split(".")[1]: event for event in Event}
LIVES = {
    "1": "issued:over_line delivered:receipt reminded:reminder expired:no_answer "
    "applied:no_answer renewed:review lifted:ended",
    "2": "issued:over_line undeliverable:blocked issued:reissued delivered:receipt "
    "extended:pause declined:answer granted:answer withdrawn:answer",
    "3": "issued:over_line delivered:receipt granted:answer voided:closed",
    "4": "issued:over_line delivered:receipt cancelled:left",
}
SHADOW_LIFE = "issued:over_line delivered:projected cancelled:exempted"


def event(account: str, number: int, token: str, mode: str = "enforce") -> Seen:
    word, reason = token.split(":")
    kind = EVENTS[word]
    value = {
        "event_id": f"{account}-{mode}-{number}",
        "event": kind.value,
        "sequence": number,
        "platform": "weibo",
        "account_id": account,
        "cycle": 1,
        "invitation_id": f"i-{account}",
        "mode": mode,
        "policy_version": 1,
        "policy_digest": DIGEST,
        "decided_at": at(6),
        "reason": reason,
        **MORE[word],
    }
    family = {"invitation": "invitations", "consent": "consents", "throttle": "throttles"}
    shadow = "shadow." if mode == "shadow" else ""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": value["event_id"],
        "ce_source": "/byline/weibo",
        "ce_type": f"byline.{kind.value}.v1",
        "ce_time": value["decided_at"],
        "ce_subject": account,
        "content-type": "application/json",
    }
    topic = f"byline.{shadow}{family[kind.value.split('.')[0]]}"
    return Seen(topic, 0, number, f"weibo:{account}", value, headers)


def raw(topic: str, offset: int, value: Any, key: str = "weibo:1") -> Raw:
    return Raw(topic, 0, offset, key.encode(), json.dumps(value).encode(), (), 0)


def recorded() -> list[Record]:
    """All that a sound core read and wrote of two accounts, one restricted and freed again."""
    tape = Tape()
    for account in ("a1", "a2"):
        invited(tape, account).receipt(account=account)
    tape.answer("granted", "a2")
    return tape.days(30).records()


def good_day() -> Evidence:
    """A small day on which everything holds."""
    lives = [(account, "enforce", tokens.split()) for account, tokens in LIVES.items()]
    lives.append(("5", "shadow", SHADOW_LIFE.split()))
    events = [
        event(account, number, token, mode)
        for account, mode, tokens in lives
        for number, token in enumerate(tokens, start=1)
    ]
    stories = {
        f"weibo:{account}": Story(
            f"story-{account}",
            "weibo",
            "",
            (),
            live=tuple(tokens) if mode == "enforce" else (),
            shadow=tuple(tokens) if mode == "shadow" else (),
            account_id=account,
        )
        for account, mode, tokens in lives
    }
    stories["weibo:6"] = Story("exempt", "weibo", "", (), account_id="6")
    records = recorded()
    log = [record for record in records if record.topic == "decisions"]
    return Evidence(
        names=NAMES,
        stories=stories,
        events=events,
        dead_letters=[raw("byline.dead-letters", 0, DEAD_LETTER)],
        refusals={"not_json": 1},
        decisions=[raw("byline.decisions", it.offset, value(it)) for it in log],
        texts=[("the log worker-1.log", b"ready"), ("/metrics", b"byline_x 1")],
        covered={"weibo": frozenset({"财经"})},
        labels={f"weibo:{account}": frozenset({"财经"}) for account in "12345"},
        records=records,
        partitions=1,
    )
