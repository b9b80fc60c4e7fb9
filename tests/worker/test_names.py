"""A name planted in every string field of every input is found nowhere afterwards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import TOPICS
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

NAME = "张伟民ZhangWeiminCanary"
SPACED = "Zhang Weimin Canary"


def _good() -> dict[str, dict[str, Any]]:
    who = {"platform": "weibo", "account_id": "a1"}
    now = utc_now()
    return {
        "follower-counts": {**who, "followers": 2_000_000, "observed_at": now, "cause": "organic"},
        "category-changes": {
            **who,
            "category": "财经",
            "observed_at": now,
            "source": "declared",
            "valid_until": "2999-01-01T00:00:00Z",
        },
        "account-changes": {**who, "change": "exempted", "observed_at": now},
        "notice-receipts": {
            **who,
            "invitation_id": "i1",
            "outcome": "failed",
            "occurred_at": now,
            "failure": "blocked",
        },
        "consent-answers": {
            **who,
            "answer": "granted",
            "occurred_at": now,
            "invitation_id": "i1",
            "notice_version": "1",
        },
        "controls": {
            **who,
            "control_id": "c1",
            "command": "hold",
            "actor": "op",
            "approved_by": "op2",
            "bulk_id": "b1",
            "reason": "test",
            "issued_at": now,
            "expires_at": "2999-01-01T00:00:00Z",
            "until": "2999-01-01T00:00:00Z",
        },
        "switches": {
            "scope": "weibo",
            "switch": "throttles_off",
            "on": True,
            "actor": "op",
            "reason": "test",
            "issued_at": now,
        },
    }


def _variants(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The value with the name in each string field, in an unknown field, and under a name field."""
    planted = [
        {**value, field: name}
        for field, held in value.items()
        if isinstance(held, str)
        for name in (NAME, SPACED)
    ]
    planted += [{**value, "note": NAME}, {**value, "extra": {"deep": [NAME]}}]
    planted += [{**value, "real_name": NAME}, {**value, "more": {"姓名": NAME}}, {**value, NAME: 1}]
    return planted


@pytest.mark.kafka
def test_a_planted_name_is_found_nowhere(
    make_estate: Callable[..., Estate], tmp_path: Path
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, partitions=1).start(1)
    good = _good()
    for topic, value in good.items():
        estate.put(topic, value)
    planted = 0
    for topic, value in good.items():
        first, second = ("scope", "switch") if topic == "switches" else ("platform", "account_id")
        right_key = f"{value[first]}:{value[second]}"
        for variant in _variants(value):
            estate.put(topic, variant, key=right_key)
            estate.put(topic, variant, key=f"weibo:{NAME}")
            planted += 2
            for number in range(3):
                other = {**value, "account_id": f"g{number}"}
                estate.put(topic, other if topic != "switches" else value)
    estate.drain()
    worker = estate.workers[0]
    metrics = worker.page("/metrics")[1] + worker.page("/readyz")[1]
    assert "byline_name_fields_total" in metrics
    assert worker.stop() == 0

    changelogs = [estate.names.of(topic) for topic in TOPICS if topic.role == "changelog"]
    outputs = [topic.name for topic in TOPICS if topic.role not in ("input", "changelog")]
    records = estate.read([*outputs, *changelogs], committed=False)
    needles = [NAME.encode(), SPACED.encode(), json.dumps(NAME)[1:-1].encode(), "张伟民".encode()]
    written = [
        repr(part)
        for record in records
        for part in (record.key or b"", record.value or b"", *record.headers.values())
        if any(needle in part for needle in needles)
    ]
    assert written == []
    assert NAME not in metrics
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    disk = [path for path in files if any(needle in path.read_bytes() for needle in needles)]
    assert disk == []
    reasons = [record.json["reason"] for record in records if record.topic == "dead-letters"]
    assert reasons.count("name_field") >= 2 * len(good)
    assert planted > 100
