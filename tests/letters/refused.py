"""Refused records on a real Kafka, with the letters that the core writes about them."""

import json
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from streams.operate.audit.records import Record
from streams.operate.topics import names_of
from streams.settings import Settings
from tests.index.poured import pour
from tests.operate.recording import Tape

CANARIES = ("张伟", "Zhang Wei", "zhangwei@example.com")
AT = "2024-01-01T00:00:00Z"


def of_test(settings: Settings, records: list[Record]) -> list[Record]:
    """Letters name topics with their prefix: that of the test."""
    found = []
    for it in records:
        value = it.value
        if it.topic == "dead-letters" and value is not None:
            value = value.replace(b'"byline.', b'"' + settings.topic_prefix.encode())
        found.append(it._replace(value=value))
    return found


def poured(settings: Settings, tape: Tape) -> None:
    """The inputs of a recording and their letters, without what else lay there."""
    wanted = ("dead-letters", "controls", "consent-answers", "account-changes", "follower-counts")
    records = [it for it in tape.records() if it.topic in wanted]
    pour(settings, of_test(settings, records))


def answer(account: str, **more: Any) -> dict[str, Any]:
    """A grant, as an owner's desk writes it."""
    said = {"platform": "weibo", "account_id": account, "answer": "granted", "occurred_at": AT}
    return {**said, **more}


def broken(count: int) -> Tape:
    """So many grants without a time: the desk's fault."""
    tape = Tape()
    for number in range(count):
        value = answer(f"a{number}")
        del value["occurred_at"]
        tape.put("consent-answers", f"weibo:a{number}", value)
    return tape


def records_of(settings: Settings, name: str) -> list[tuple[bytes | None, Any]]:
    """Key and value of every committed record of a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": "reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
            "log_level": 0,
        }
    )
    full = names_of(settings).prefix + name
    found: list[tuple[bytes | None, Any]] = []
    try:
        parts = set(consumer.list_topics(full, timeout=10).topics[full].partitions)
        consumer.assign([TopicPartition(full, number, 0) for number in parts])
        while parts:
            message = consumer.poll(20)
            assert message is not None
            if message.error():
                parts.discard(message.partition())
                continue
            value = message.value()
            try:
                found.append((message.key(), None if value is None else json.loads(value)))
            except ValueError:
                found.append((message.key(), value))
    finally:
        consumer.close()
    return found
