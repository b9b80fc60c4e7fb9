"""All that Kafka kept of a run, read through a `read_committed` consumer."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.inputs import INPUT_MODELS
from schemas.topics import CHANGELOGS, DEAD_LETTERS, DECISIONS, INPUTS, OUTPUTS, STORES
from streams.operate.topics import names_of
from tests.chaos.grounds import PREFIX, ChaosSite
from tests.oracle.records import OracleRecord

Place = tuple[str, int]
CHUNK = 2_000


def _client(bootstrap: str, isolation: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "chaos-book",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            # An end is told after an empty answer, and the broker keeps that back for so long.
            "fetch.wait.max.ms": 20,
            "log_level": 2,
        }
    )


def read(bootstrap: str, topic: str, partitions: Iterable[int]) -> list[OracleRecord]:
    """Every committed record of some partitions, in the order of their offsets."""
    consumer = _client(bootstrap, "read_committed")
    pending = set(partitions)
    consumer.assign([TopicPartition(topic, number, 0) for number in pending])
    found: list[OracleRecord] = []
    deadline = time.monotonic() + 300
    try:
        while pending and time.monotonic() < deadline:
            for message in consumer.consume(CHUNK, 0.03):
                error = message.error()
                if error is None:
                    found.append(
                        OracleRecord(
                            topic,
                            message.partition(),
                            message.offset(),
                            message.key(),
                            message.value(),
                            dict(message.headers() or ()),
                            message.timestamp()[1],
                        )
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    pending.discard(message.partition())
    finally:
        consumer.close()
    if pending:
        raise RuntimeError(f"{topic} could not be read to its end: partitions {pending}")
    found.sort(key=lambda record: (record.partition, record.offset))
    return found


def ends(bootstrap: str, places: Iterable[Place], isolation: str) -> dict[Place, int]:
    """High watermarks (`read_uncommitted`) or last stable offsets (`read_committed`)."""
    consumer = _client(bootstrap, isolation)
    try:
        return {
            (topic, number): consumer.get_watermark_offsets(TopicPartition(topic, number), 30)[1]
            for topic, number in places
        }
    finally:
        consumer.close()


@dataclass
class Book:
    """Records by bare topic name and partition; ends of every topic partition."""

    partitions: int
    topics: dict[str, dict[int, list[OracleRecord]]] = field(default_factory=dict)
    stable: dict[Place, int] = field(default_factory=dict)
    high: dict[Place, int] = field(default_factory=dict)

    def of(self, name: str, partition: int) -> list[OracleRecord]:
        """Records of one partition of a topic, in order."""
        return self.topics[name].get(partition, [])

    def all(self, names: Iterable[str]) -> list[OracleRecord]:
        """Records of several topics."""
        return [one for name in names for own in self.topics[name].values() for one in own]

    @property
    def inputs(self) -> list[OracleRecord]:
        """Every input."""
        return self.all(INPUT_MODELS)

    @property
    def outputs(self) -> list[OracleRecord]:
        """Every event."""
        return self.all(topic.name for topic in OUTPUTS)

    def fold(self, store: str, partition: int, upto: int | None = None) -> dict[bytes, bytes]:
        """A changelog as compaction would leave it, up to an offset; the engine's keys included."""
        table: dict[bytes, bytes] = {}
        for record in self.of(f"{store}-changelog", partition):
            if upto is not None and record.offset >= upto:
                break
            assert record.key is not None
            if record.value is None:
                table.pop(record.key, None)
            else:
                table[record.key] = record.value
        return table


def open_book(site: ChaosSite) -> Book:
    """Read everything."""
    bootstrap, names = site.kafka.bootstrap, names_of(site.settings)
    book = Book(site.partitions)
    wanted = (*INPUTS, *OUTPUTS, DECISIONS, DEAD_LETTERS, *CHANGELOGS)
    places: list[Place] = []
    for topic in wanted:
        numbers = range(1 if topic.single else site.partitions)
        places += [(names.of(topic), number) for number in numbers]
        shelf: dict[int, list[OracleRecord]] = {number: [] for number in numbers}
        for record in read(bootstrap, names.of(topic), numbers):
            shelf[record.partition].append(record)
        book.topics[topic.name] = shelf
    book.high = ends(bootstrap, places, "read_uncommitted")
    book.stable = ends(bootstrap, places, "read_committed")
    return book


def bare(topic: str) -> str:
    """A topic's name without its prefix."""
    return topic.removeprefix(PREFIX)


assert STORES == ("accounts", "categories")
