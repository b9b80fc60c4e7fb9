"""Thirty lives through a real worker on a real Kafka, and what lies in their topics."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.conftest import until

PARTITIONS = 2
START = "2020-01-01T00:00:00+08:00"
"""Before anything."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def committed(settings: Settings, name: str) -> list[Any]:
    """Every committed record of a topic, by partition and offset."""
    client = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, isolation_level="read_committed"
    )
    await client.start()
    topic = settings.topic_prefix + name
    cluster = await client._client.fetch_all_metadata()
    partitions = [TopicPartition(topic, it) for it in cluster.partitions_for_topic(topic) or ()]
    client.assign(partitions)
    await client.seek_to_beginning(*partitions)
    found: list[Any] = []
    for _ in range(4):
        for batch in (await client.getmany(timeout_ms=250)).values():
            found += batch
    await client.stop()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def events(settings: Settings, name: str, event: str) -> list[dict[str, Any]]:
    values = [json.loads(it.value) for it in asyncio.run(committed(settings, name))]
    return [it for it in values if it["event"] == event]


async def produce(settings: Settings, record: Any, value: bytes, partition: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as client:
        await client.send_and_wait(
            record.topic, value, record.key, partition, headers=list(record.headers)
        )


@pytest.fixture
def lives(on_kafka: Settings, worker: Callable[[], Any], byline: Byline, tmp_path: Any) -> Settings:
    """Thirty lives through a real worker: granted, declined, silent, held, withdrawn, closed."""
    asyncio.run(create(on_kafka, PARTITIONS, 1))
    worker()

    def send(topic: str, **rows: dict[str, Any]) -> None:
        file = tmp_path / f"{topic}.jsonl"
        lines = [
            json.dumps({"platform": "weibo", "account_id": it, **row}) for it, row in rows.items()
        ]
        file.write_text("\n".join(lines))
        assert byline("send", topic, str(file)).code == 0

    names = [f"a{number}" for number in range(30)]
    send("category-changes", **{it: {"category": "财经", "observed_at": now()} for it in names})
    send("follower-counts", **{it: {"followers": 2000, "observed_at": now()} for it in names})
    issued = until(
        lambda: len(found := events(on_kafka, "invitations", "invitation.issued")) == 30 and found,
        60,
        "30 invitations",
    )
    ids = {it["account_id"]: it["invitation_id"] for it in issued}
    receipts = {
        it: {"invitation_id": ids[it], "outcome": "delivered", "occurred_at": now()} for it in names
    }
    receipts["a9"] |= {"outcome": "failed", "failure": "blocked"}
    send("notice-receipts", **receipts)
    answers = {it: {"answer": "granted", "occurred_at": now()} for it in names[:4]}
    answers |= {it: {"answer": "declined", "occurred_at": now()} for it in names[4:8]}
    send("consent-answers", **answers)
    hold = {"command": "hold", "actor": "op", "reason": "test", "issued_at": now()}
    send("controls", **{it: {"control_id": f"h-{it}", **hold} for it in names[10:12]})
    until(
        lambda: len(events(on_kafka, "throttles", "throttle.applied")) >= 2 * 23, 60, "restrictions"
    )
    send(
        "consent-answers",
        a0={"answer": "withdrawn", "occurred_at": now()},
        a5={"answer": "granted", "occurred_at": now()},
    )
    send(
        "account-changes",
        a12={"change": "closed", "observed_at": now()},
        a13={"change": "exempted", "observed_at": now()},
    )
    send(
        "controls",
        a14={
            "control_id": "l",
            "command": "lift",
            "actor": "op",
            "reason": "test",
            "issued_at": now(),
        },
    )
    until(lambda: len(events(on_kafka, "throttles", "throttle.lifted")) >= 8, 60, "lifted")
    return on_kafka
