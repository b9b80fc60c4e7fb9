"""Shipped workers as processes, and what goes in and comes out of a real Kafka around them."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.topics import TOPICS, TopicNames
from streams.operate import topics
from streams.settings import Settings
from tests.support.running import ShippedWorker
from tests.support.zygote import BYLINE

ROOT = Path(__file__).parents[2]
"""The checkout: whose code the workers run, unless told otherwise."""

EVENT_TOPICS = tuple(topic.name for topic in TOPICS if topic.role == "output")


class Out(NamedTuple):
    """A record read back with read_committed; `topic` is without prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    entered_at: float = 0.0
    """The record's timestamp in seconds: on an input, when it entered Kafka."""

    @property
    def json(self) -> dict[str, Any]:
        """The value."""
        return json.loads(self.value or b"null")  # type: ignore[no-any-return]


def utc_now() -> str:
    """The present instant as an input has it."""
    return datetime.now(UTC).isoformat()


class Worker(ShippedWorker):
    """One `byline worker` with a data folder and a log of its own.

    `output`: a descriptor that it writes to in place of its log. `forked`: what is measured begins
    as a person begins it.
    """

    def __init__(
        self,
        number: int,
        environment: dict[str, str],
        folder: Path,
        code: Path = ROOT,
        output: int | None = None,
        forked: bool = True,
    ) -> None:
        super().__init__(folder / f"worker-{number}.log")
        self.number, self.environment, self.folder = number, environment, folder
        self.code_folder, self.output, self.forked = code, output, forked

    @property
    def log(self) -> Path:
        """The file with all that it wrote, over all its starts."""
        return self.log_path

    def start(self, instead: Path | None = None) -> "Worker":
        """Start it, or start it again on the same folder; `instead`: a script that runs it."""
        environment = {
            **self.environment,
            "BYLINE_DATA_DIR": str(self.folder / f"data-{self.number}"),
            "BYLINE_HTTP_PORT": str(self.port),
        }
        if self.code_folder == ROOT and self.output is None and self.forked:
            self.fork(["worker"], environment, program=str(instead) if instead else BYLINE)
        else:
            self.spawn(environment, folder=self.code_folder, output=self.output)
        return self


@dataclass
class Estate:
    """A platform's Kafka topics with Byline beside them, under names of this test alone."""

    bootstrap: str
    names: TopicNames
    policies: Path
    folder: Path
    partitions: int = 4
    more_settings: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    code: Path = ROOT
    forked: bool = True
    _producer: Producer | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a worker or command."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BYLINE_")}
        return {
            **inherited,
            "PYTHONPATH": str(self.code),
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "BYLINE_TOPIC_PREFIX": self.names.prefix,
            "BYLINE_APPLICATION_ID": self.names.application_id,
            "BYLINE_POLICIES": str(self.policies),
            **self.more_settings,
        }

    def create_topics(self) -> "Estate":
        """All topics of the contract."""
        settings = Settings(
            kafka_bootstrap_servers=self.bootstrap,
            topic_prefix=self.names.prefix,
            application_id=self.names.application_id,
            policies=self.policies,
        )
        asyncio.run(topics.create(settings, self.partitions, 1))
        return self

    def start(self, count: int = 1, output: int | None = None) -> "Estate":
        """Start workers and wait until all partitions are served."""
        for _ in range(count):
            number = len(self.workers)
            worker = Worker(number, self.environment, self.folder, self.code, output, self.forked)
            self.workers.append(worker.start())
        self.wait_ready()
        return self

    def served(self) -> int:
        """How many partitions are running, over all workers."""
        return sum(len(worker.served()) for worker in self.workers)

    def wait_ready(self, timeout: float = 60) -> None:
        """Until every partition is served by somebody."""
        self._wait(lambda: self.served() == self.partitions, timeout, "ready")

    def drain(self, timeout: float = 120) -> None:
        """Until every input record has been read and committed, and no timer is overdue."""
        self._flush()
        self._wait(self._drained, timeout, "drained")

    def _drained(self) -> bool:
        lag = parts = 0
        for worker in self.workers:
            status, text = worker.page("/readyz")
            if status == 200:
                for part in json.loads(text)["partitions"]:
                    lag += part["lag"] + part["queued_records"]
                    parts += 1
        return parts == self.partitions and lag == 0 and self._committed()

    def _committed(self) -> bool:
        """Whether the group's positions are at the ends of all keyed inputs."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": self.names.application_id}
        )
        try:
            wanted = [
                TopicPartition(self.names.of(topic), number)
                for topic in TOPICS
                if topic.role == "input" and not topic.single
                for number in range(self.partitions)
            ]
            for committed in consumer.committed(wanted, timeout=10):
                _, end = consumer.get_watermark_offsets(committed, timeout=10)
                if end > 0 and committed.offset < end:
                    return False
            return True
        finally:
            consumer.close()

    def _wait(self, done: Any, timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not done():
            for worker in self.workers:
                code = worker.code
                if code not in (None, -9, 0):
                    tail = worker.said[-3000:]
                    raise AssertionError(f"worker {worker.number} ended with {code}:\n{tail}")
            if time.monotonic() > end:
                logs = "\n".join(worker.said[-1500:] for worker in self.workers)
                raise AssertionError(f"not {what} after {timeout} s; logs:\n{logs}")
            time.sleep(0.2)

    # ---- in ------------------------------------------------------------------------------------

    def put(self, topic: str, value: Mapping[str, Any] | None, key: str | None = None) -> None:
        """One input; its key is made of its value unless one is given."""
        if key is None and value is not None:
            first, second = (
                ("scope", "switch") if topic == "switches" else ("platform", "account_id")
            )
            key = f"{value[first]}:{value[second]}"
        raw = None if value is None else json.dumps(value, ensure_ascii=False).encode()
        self.put_raw(topic, key, raw)

    def put_raw(self, topic: str, key: str | None, raw: bytes | None) -> None:
        """One record as it stands."""
        if self._producer is None:
            self._producer = Producer(
                {
                    "bootstrap.servers": self.bootstrap,
                    "partitioner": "murmur2_random",
                    "linger.ms": 20,
                    "message.max.bytes": 1_000_000,
                    "log_level": 0,
                }
            )
        while True:
            try:
                self._producer.produce(self.names.prefix + topic, key=key, value=raw)
                return
            except BufferError:
                self._producer.poll(0.2)

    def _flush(self) -> None:
        if self._producer is not None:
            assert self._producer.flush(60) == 0

    def flush(self) -> None:
        """Until all that was put is in Kafka."""
        self._flush()

    # ---- out -----------------------------------------------------------------------------------

    def read(self, names: Iterable[str] = EVENT_TOPICS, committed: bool = True) -> list[Out]:
        """All records of topics (without prefix, or full for changelogs) up to their ends."""
        known = {it if it.endswith("-changelog") else self.names.prefix + it: it for it in names}
        out: dict[str, list[Out]] = {full: [] for full in known}
        with self._reader(known, committed) as consumer:
            pending = {(it.topic, it.partition) for it in consumer.assignment()}
            last = time.monotonic()
            while pending:
                messages = consumer.consume(500, 0.03)
                last = time.monotonic() if messages else last
                assert time.monotonic() < last + 10, f"{sorted(pending)} cannot be read to an end"
                for message in messages:
                    full = message.topic()
                    if message.error():
                        pending.discard((full, message.partition()))
                        continue
                    out[full].append(
                        Out(
                            known[full],
                            message.partition(),
                            message.offset(),
                            message.key(),
                            message.value(),
                            dict(message.headers() or ()),
                            message.timestamp()[1] / 1000,
                        )
                    )
        return [record for full in known for record in out[full]]

    @contextmanager
    def _reader(self, topics: Iterable[str], committed: bool = True) -> Iterator[Consumer]:
        """A consumer that reads topics (full names) from their beginnings."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.names.application_id}-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.partition.eof": True,
                # An end is told after an empty answer, and the broker keeps that back for so long.
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        try:
            there = consumer.list_topics(timeout=10).topics
            consumer.assign(
                [
                    TopicPartition(full, number, 0)
                    for full in topics
                    for number in there[full].partitions
                ]
            )
            yield consumer
        finally:
            consumer.close()

    @contextmanager
    def follow(self, name: str) -> Iterator[Callable[[float], Out | None]]:
        """Read a topic as it grows: a function that waits for the next record, so many seconds."""
        full = self.names.prefix + name
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.names.application_id}-follower",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        parts = []
        for number in consumer.list_topics(full, timeout=10).topics[full].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(full, number), timeout=10)
            parts.append(TopicPartition(full, number, end))
        consumer.assign(parts)
        consumer.poll(1.0)

        def next_record(timeout: float) -> Out | None:
            message = consumer.poll(timeout)
            if message is None or message.error():
                return None
            headers = dict(message.headers() or ())
            place = (message.partition(), message.offset())
            return Out(name, *place, message.key(), message.value(), headers)

        try:
            yield next_record
        finally:
            consumer.close()

    def events(self) -> dict[str, list[dict[str, Any]]]:
        """All events by key, in the order of their sequence (live before shadow)."""
        by_key: dict[str, list[dict[str, Any]]] = {}
        for record in self.read():
            value = record.json
            by_key.setdefault(f"{value['platform']}:{value['account_id']}", []).append(value)
        for events in by_key.values():
            events.sort(key=lambda event: (event["mode"], event["sequence"]))
        return by_key

    def wait_for(self, count: int, timeout: float = 30) -> dict[str, list[dict[str, Any]]]:
        """Until there are so many events."""
        self._flush()
        end, seen = time.monotonic() + timeout, 0
        with self._reader(self.names.prefix + name for name in EVENT_TOPICS) as consumer:
            while seen < count:
                seen += sum(not it.error() for it in consumer.consume(500, 0.2))
                if seen < count and time.monotonic() > end:
                    raise AssertionError(f"{seen} of {count} events")
        return self.events()

    def stop(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.end()
