"""Recordings poured into the topics of a real Kafka, partition by partition."""

import asyncio
from collections.abc import Iterable

from confluent_kafka import Producer

from schemas.topics import CHANGELOGS, TOPICS
from streams.operate.audit.records import Record
from streams.operate.topics import create, names_of
from streams.settings import Settings
from tests.index.filled import all_of
from tests.operate.recording import RECORDINGS, Tape

PARTITIONS = 2
FLUSH_SECONDS = 300
_FULL = {topic.name: topic for topic in TOPICS}
SINGLE = frozenset(topic.name for topic in TOPICS if topic.single)


def topics(settings: Settings) -> None:
    """All topics, of two partitions."""
    asyncio.run(create(settings, PARTITIONS, 1))


def two_lives() -> list[Record]:
    """Two recordings, one in each partition; what is of one partition is the first one's."""
    first, second = RECORDINGS["clean"](), Tape(partition=1)
    for number in range(4):
        second.label("财经", f"z{number}").reads(5_000, f"z{number}").wait(2 * 3_600_000)
        second.receipt(account=f"z{number}")
    second.wait(9 * 86_400_000)
    moved = [it._replace(partition=1) for it in all_of(second) if it.topic not in SINGLE]
    return [*all_of(first), *moved]


def pour(settings: Settings, records: Iterable[Record]) -> None:
    """Produce these, each to its partition; inputs get the broker's time, others their own."""
    names = names_of(settings)
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            # Letters name offsets: nothing may come twice or out of order.
            "enable.idempotence": True,
            "log_level": 0,
        }
    )
    for it in records:
        name, at = names.of(_FULL.get(it.topic, CHANGELOGS[0])), max(it.timestamp, 1)
        while True:
            try:
                producer.produce(name, it.value, it.key, it.partition, timestamp=at)
                break
            except BufferError:
                # A broker on a busy machine is slower than we are: 100,000 records wait already.
                producer.poll(0.5)
        producer.poll(0)
    assert producer.flush(FLUSH_SECONDS) == 0
