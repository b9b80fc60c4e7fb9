"""Whatever lies on the wire, no verb ends with 70: it answers what can be answered."""

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.topics import INPUTS, Topic
from streams.operate.audit.auditor import READS
from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.engine import batches
from tests.engine.batches import batch, record
from tests.operate.conftest import until
from tests.operate.test_audit_odd_bytes import ODD
from tests.operate.test_audit_on_kafka import committed

pytestmark = [pytest.mark.kafka]

HEADERS = ((b"\xff\xfe", b"\xff"), (b"", b""))
"""Names that are no UTF-8, and none at all."""
KEYS = (None, b"", b"\xff", b"weibo:a1", b"*:adverse_off")
VERBS = (
    ("audit", "--json"),
    ("audit", "--chain", "--json"),
    ("worklist", "pending"),
    ("worklist", "undeliverable"),
    ("worklist", "appeals"),
    ("worklist", "unclear"),
    ("worklist", "unconfirmed"),
    ("statement", "no-such-event"),
    ("topics", "check"),
    ("switch", "list"),
    ("control", "undo", "b1", "--actor", "op", "--reason", "error_correction"),
)


@functools.cache
def bomb() -> bytes:
    """Small on the wire, 64 MiB when it is read; made when a test asks, not at each collection."""
    return batch([record(0, b"weibo:a1", b"0" * (64 * 1024 * 1024), ())], "zstd")


def put(settings: Settings, name: str, raw: bytes) -> None:
    batches.produce(settings.kafka_bootstrap_servers, settings.topic_prefix + name, 0, raw)


def odd(topic: Topic) -> bytes:
    """One batch with every odd value under every odd key, and headers that nobody can decode.

    Of a compacted topic the broker wants a key.
    """
    keys = [key for key in KEYS if key is not None or topic.cleanup != "compact"]
    pairs = [(key, value) for key in keys for value in ODD.values()]
    rows = [record(number, key, value, HEADERS) for number, (key, value) in enumerate(pairs)]
    return batch(rows, "zstd")


def test_odd_records_in_every_topic_end_no_verb(
    on_kafka: Settings, worker: Callable[[], Any], byline: Byline
) -> None:
    asyncio.run(create(on_kafka, 1, 1))
    worker()
    for topic in INPUTS:
        put(on_kafka, topic.name, odd(topic))
    put(on_kafka, "notice-receipts", bomb())
    put(on_kafka, "notice-receipts", odd(INPUTS[2]))
    expected = {f"{on_kafka.topic_prefix}{topic.name}" for topic in INPUTS}

    def refused() -> bool:
        letters = [json.loads(it.value) for it in asyncio.run(committed(on_kafka, "dead-letters"))]
        batches_told = [it for it in letters if it["reason"] == "unreadable_batch"]
        return {it["topic"] for it in letters} == expected and bool(batches_told)

    until(refused, 60, "dead letters of every topic, and of the batch")
    sound = byline("audit", "--json")
    assert json.loads(sound.out)["breaches"] == []
    assert sound.code == 0
    for topic in READS:
        if topic not in INPUTS:
            put(on_kafka, topic.name, odd(topic))
            put(on_kafka, topic.name, bomb())
    for words in VERBS:
        answer = byline(*words)
        assert answer.code in (0, 1, 2), (words, answer.code, answer.err[-500:])
    shown = json.loads(byline("audit", "--json").out)["breaches"]
    assert {"log_unreadable", "chain_broken"} <= {it["breach"] for it in shown}
