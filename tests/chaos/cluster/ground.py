"""One change's own topics, workers and lives; many of them may share a broker."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from schemas.topics import OUTPUTS, TOPICS, TopicNames
from streams.local.probe import free_port
from streams.operate import topics
from streams.operate.errors import OperateError
from streams.settings import Settings
from tests.chaos.grounds import POLICIES, ROOT
from tests.chaos.sending import Sender
from tests.chaos.traffic import Traffic, TrafficRates
from tests.oracle.records import partition_of
from tests.support.running import ShippedWorker
from tests.support.zygote import Zygote

PARTITIONS = 4
LIMIT_SECONDS = 180
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class ClusterSaid:
    """An input that the broker took: where it lies, when it was there, and what it says."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    at: float


class PlainSender(Sender):
    """Sends valid inputs under a prefix of its own, and keeps what the broker took."""

    def __init__(self, bootstrap: str, prefix: str, seed: int) -> None:
        super().__init__(bootstrap, PARTITIONS, seed)
        self.prefix = prefix
        self.said: list[ClusterSaid] = []
        self.pinned = False
        """Whether it writes to the old partitions alone, however many there are."""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "message.timeout.ms": 20_000,
                "topic.metadata.refresh.interval.ms": 2_000,
                "log_level": 0,
            }
        )

    def raw(self, name: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        """One record; what the crowd says is not kept."""
        kept: dict[str, Any] = {}
        if name != "follower-counts" or (key is not None and b":a" in key):
            kept = {"on_delivery": self._taken}
        if self.pinned and partition < 0:
            partition = 0 if name == "switches" else partition_of(key or b"", PARTITIONS)
        # A topic that is not there, or not yet again: nobody has heard it.
        with contextlib.suppress(KafkaException):
            self._producer.produce(self.prefix + name, value, key, partition=partition, **kept)
            self.sent += 1
        self._producer.poll(0)

    def again(self, name: str, seconds: float, times: int = 1) -> int:
        """Send once more what the broker took of a topic in the last seconds; how many records."""
        since = time.time() - seconds
        kept = [one for one in self.said if one.topic == name and one.at >= since]
        for one in kept * times:
            self.raw(name, one.key, one.value)
        self._producer.flush(20)
        return len(kept) * times

    def spoil(self, name: str, key: str, value: dict[str, Any]) -> None:
        """Nothing: a refused word would hold its account back."""

    def _taken(self, error: Any, message: Message) -> None:
        if error is None:
            name = message.topic().removeprefix(self.prefix)
            place = (name, message.partition(), message.offset())
            self.said.append(
                ClusterSaid(*place, message.key(), message.value() or b"", time.time())
            )


class Listener:
    """Keeps every event as it comes out, also of topics that are deleted afterwards."""

    def __init__(self, bootstrap: str, prefix: str, hear: Callable[..., None]) -> None:
        self.events: list[tuple[float, dict[str, Any]]] = []
        self._hear = hear
        self._ending = threading.Event()
        self._places = [
            TopicPartition(prefix + topic.name, number, 0)
            for topic in OUTPUTS
            for number in range(PARTITIONS)
        ]
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": f"{prefix}listener",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin_again(self) -> None:
        """Read all from the beginning: a topic was made anew. What is known is passed over."""
        self._again.set()

    def _run(self) -> None:
        known: set[str] = set()
        while not self._ending.is_set():
            self._again.clear()
            consumer = Consumer(self._settings)
            consumer.assign(self._places)
            while not self._ending.is_set() and not self._again.is_set():
                for message in consumer.consume(200, 0.2):
                    if message.error() is None:
                        place = f"{message.topic()}{message.partition()}.{message.offset()}"
                        stamp = f"{place}.{message.timestamp()[1]}"
                        if stamp not in known:
                            known.add(stamp)
                            self._take(message)
            consumer.close()

    def _take(self, message: Message) -> None:
        event = json.loads(message.value())
        self.events.append((time.time(), event))
        self._hear(message.key().decode(), event)

    def close(self) -> None:
        """Read no more."""
        self._ending.set()
        self._thread.join()


class ClusterWorker(ShippedWorker):
    """A shipped worker with a folder, a log and a port of its own, started again on demand."""

    def __init__(self, ground: "ClusterGround", number: int) -> None:
        super().__init__(ground.folder / f"worker-{number}.log")
        self._ground, self._number = ground, number

    def start(self) -> None:
        """Start it."""
        self.port = free_port()
        environment = self._ground.environment | {
            "BYLINE_DATA_DIR": str(self._ground.folder / f"disk-{self._number}"),
            "BYLINE_INSTANCE_ID": f"w{self._number}",
            "BYLINE_HTTP_PORT": str(self.port),
        }
        self.fork(["worker"], environment, zygote=self._ground.zygote)


class ClusterGround:
    """Topics, two workers and lives; `environment` may be changed between starts."""

    def __init__(
        self, bootstrap: str, zygote: Zygote, folder: Path, name: str, seed: int, workers: int = 2
    ) -> None:
        folder.mkdir(parents=True)
        self.bootstrap, self.zygote, self.folder = bootstrap, zygote, folder
        self.notes: list[str] = []
        """What was remarkable on the way out."""
        self.confirmed_at: float | None = None
        """When a broker first answered an administrator (`time.monotonic()`)."""
        self.names = TopicNames(f"{name}.", name)
        kept = {k: text for k, text in os.environ.items() if not k.startswith("BYLINE_")}
        self.environment = kept | {
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "BYLINE_TOPIC_PREFIX": self.names.prefix,
            "BYLINE_APPLICATION_ID": name,
            "BYLINE_POLICIES": str(POLICIES),
            "BYLINE_SESSION_TIMEOUT_SECONDS": "8",
        }
        assert wait(self.create_topics, PATIENCE_SECONDS), "the topics never were there"
        self.workers = [ClusterWorker(self, number) for number in range(workers)]
        rates = TrafficRates(readings=25, lives=2.0, crowd=2_000, brakes_every=1e9)
        self.sender = PlainSender(bootstrap, self.names.prefix, seed)
        self.traffic = Traffic(self.sender, seed, rates)
        self.listener = Listener(bootstrap, self.names.prefix, self.traffic.hear)

    @property
    def settings(self) -> Settings:
        """The settings of a command."""
        return Settings(
            kafka_bootstrap_servers=self.bootstrap,
            topic_prefix=self.environment["BYLINE_TOPIC_PREFIX"],
            application_id=self.environment["BYLINE_APPLICATION_ID"],
            policies=POLICIES,
            session_timeout_seconds=8.0,
            partitions=self.pinned_to,
            _env_file=None,
        )

    def create_topics(self) -> bool:
        """Make what is missing; whether all is there. A busy machine takes its time."""
        try:
            asyncio.run(topics.create(self.settings, None if self.pinned_to else PARTITIONS, 1))
        except (TimeoutError, KafkaError, OperateError):
            return False
        return True

    @property
    def pinned_to(self) -> int | None:
        """The partitions in use, where that is stated."""
        stated = self.environment.get("BYLINE_PARTITIONS")
        return None if stated is None else int(stated)

    @property
    def keyed(self) -> list[str]:
        """Every topic whose partitions have keys."""
        return [self.names.of(topic) for topic in TOPICS if not topic.single]

    def start(self) -> None:
        """Start the workers."""
        for worker in self.workers:
            worker.start()

    def serving(self, seconds: float = 90.0) -> float | None:
        """How long until every partition is served; None: not within `seconds`."""
        began = time.monotonic()

        def all_served() -> bool:
            running = [number for worker in self.workers for number in worker.served()]
            return sorted(running) == list(range(PARTITIONS))

        return time.monotonic() - began if wait(all_served, seconds) else None

    def stop(self) -> None:
        """Stop the workers."""
        for worker in self.workers:
            worker.end()

    def byline(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A shipped command."""
        return subprocess.run(
            [sys.executable, "-m", "streams", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    def admin(self, call: Callable[[AIOKafkaAdminClient], Any]) -> Any:
        """Something that only an administrator of Kafka does."""

        async def act() -> Any:
            client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await client.start()
            try:
                return await call(client)
            finally:
                await client.close()

        answer = asyncio.run(act())
        if self.confirmed_at is None:
            self.confirmed_at = time.monotonic()
        return answer

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.listener.close()


def wait(true: Callable[[], Any], seconds: float) -> bool:
    """Whether it became true within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return False
