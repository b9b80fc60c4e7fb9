"""Turns a life of the model into committed records, so that the checks can be tried and broken."""

import json
from collections.abc import Iterable
from typing import Any

from schemas.enums import Event
from schemas.events import EVENT_TOPIC
from tests.oracle.model import OracleLife
from tests.oracle.records import OracleRecord, partition_of

PARTITIONS = 8
KEY = "weibo:a"
TIMES = ("decided_at", "delivered_at", "deadline_at", "answered_at", "review_at", "expires_at")


def wire_time(at: Any) -> str:
    """UTC, milliseconds, `Z`."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def values_of(life: OracleLife) -> list[dict[str, Any]]:
    """The events as wire values, complete with what the model leaves out."""
    values = []
    said: dict[str, str] = {}
    for number, event in enumerate(life.events):
        value = dict(event)
        life = value.pop("life")
        value.pop("ordinal", None)
        for name in TIMES:
            if value.get(name) is not None:
                value[name] = wire_time(value[name])
        for name in ("delivered_at", "deadline_at"):
            said[name] = value.get(name) or said.get(name, "")
        value.update(
            event_id=f"e{number}",
            platform="weibo",
            account_id="a",
            invitation_id=f"i-{life}-{event['cycle']}",
            policy_version=1,
            policy_digest="d" * 64,
        )
        _complete(value, said)
        values.append(value)
    return values


def _complete(value: dict[str, Any], said: dict[str, str]) -> None:
    kind, decided_at = value["event"], value["decided_at"]
    if kind == "invitation.issued":
        value["phase"] = value.get("phase") or "million"
        value["field"] = value.get("field") or "finance"
        value.update(line=1000, notice_id="n", notice_version="1", answer_by=None)
        value.update(answer_window_seconds=3600, surfaces_at_stake=["hot-search", "tips"])
    if kind.startswith("throttle."):
        value["throttle_id"] = f"t-{value['cycle']}-{value['surface']}"
    if kind == "throttle.lifted":
        value["lifted_at"] = decided_at
    if kind == "throttle.applied":
        value["effective_at"] = decided_at
        same = ("surface", "level", "effective_at", "review_at", "expires_at")
        value["statement"] = {
            "ground": {
                "policy_version": 1,
                "policy_digest": "d" * 64,
                "phase": "million",
                "line": 1000,
                "notice_id": "n",
                "notice_version": "1",
                "impact_assessment": None,
            },
            "facts": {
                "followers_band": "under-100000",
                "field": "finance",
                "field_source": "platform",
            },
            **said,
            "answer": "none",
            "restriction": {name: value[name] for name in same},
            "automation": {
                "automated_detection": "Yes",
                "automated_decision": "AUTOMATED_DECISION_FULLY",
            },
            "redress": ["grant-consent"],
            "dsa": {
                "decision_visibility": [],
                "decision_monetary": None,
                "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
                "account_type": None,
                "source_type": "SOURCE_VOLUNTARY",
                "puid": "p",
            },
        }


def records_of(values: Iterable[dict[str, Any]]) -> list[OracleRecord]:
    """Wire values as records of the right topics, in order."""
    records = []
    for offset, value in enumerate(values):
        key = f"{value['platform']}:{value['account_id']}".encode()
        shadow = "shadow." if value["mode"] == "shadow" else ""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": value["event_id"],
            "ce_source": f"/byline/{value['platform']}",
            "ce_type": f"byline.{value['event']}.v1",
            "ce_time": value["decided_at"],
            "ce_subject": value["account_id"],
            "content-type": "application/json",
        }
        records.append(
            OracleRecord(
                topic=f"byline.{shadow}{EVENT_TOPIC[Event(value['event'])]}",
                partition=partition_of(key, PARTITIONS),
                offset=offset,
                key=key,
                value=json.dumps(value).encode(),
                headers={name: text.encode() for name, text in headers.items()},
            )
        )
    return records


def input_record(
    name: str, value: Any, timestamp_ms: int, offset: int, key: str | None = None
) -> OracleRecord:
    """An input as a producer with the default partitioner would have sent it."""
    if key is None:
        switch = name == "switches"
        key = f"{value['scope']}:{value['switch']}" if switch else KEY
    partition = 0 if name == "switches" else partition_of(key.encode(), PARTITIONS)
    raw = None if value is None else json.dumps(value, ensure_ascii=False).encode()
    return OracleRecord(
        f"byline.{name}", partition, offset, key.encode(), raw, timestamp_ms=timestamp_ms
    )
