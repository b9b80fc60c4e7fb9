"""What the tests of the engine share: topics of a toy, its workers as processes, its exact outcome.

The outcome is checked whole: with `every=1` each add makes one output, so what a read_committed
consumer sees of a partition must be exactly the running sums of the inputs, in their order, once
each.
"""

import asyncio
import itertools
import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.support.running import Running
from tests.support.topic_settings import change_topic
from tests.support.zygote import Child

WORKER = Path(__file__).parent / "toy_worker.py"


def wait_until(true: Callable[[], Any], seconds: float, what: str, every: float = 0.1) -> Any:
    """Ask `true` until it is, `every` so many seconds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = true()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what}")


class HarnessWorker(Running):
    """A toy worker in a process of its own."""

    process: Child

    def __init__(self, toys: "Toys", name: str, options: dict[str, Any]) -> None:
        super().__init__(toys.folder / f"{name}.log")
        self.name = name
        self._status = toys.folder / f"{name}.status"
        self._status.unlink(missing_ok=True)
        settings = {
            "bootstrap_servers": toys.bootstrap,
            "prefix": toys.prefix,
            "data_dir": str(toys.folder / name),
            "instance_id": name,
            "status": str(self._status),
            **toys.login,
            **options,
        }
        self.fork([json.dumps(settings)], os.environ, program=str(WORKER))

    @property
    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._status.read_text())
        except FileNotFoundError:
            return {"ready": False, "parts": {}}
        return found

    @property
    def log(self) -> str:
        return self.said

    def ready(self, parts: int | None = None, seconds: float = 40) -> "HarnessWorker":
        def is_ready() -> bool:
            assert self.process.poll() is None, f"{self.name} died: {self.log[-3000:]}"
            status = self.status
            return status["ready"] and (parts is None or len(status["parts"]) == parts)

        wait_until(is_ready, seconds, f"{self.name} ready with {parts} parts")
        return self

    def exit_code(self, seconds: float = 90) -> int:
        return self.ended(seconds)

    def stop(self, seconds: float = 40) -> int:
        return super().stop(seconds)

    def refuses(self, *words: str, seconds: float = 40) -> None:
        """It ends with 2 and says these words."""
        assert self.exit_code(seconds) == 2, self.log[-3000:]
        for word in words:
            assert word in self.log


class Toys:
    """A set of topics with inputs of known content, and the workers on it."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        folder: Path,
        partitions: int = 4,
        login: dict[str, Any] | None = None,
    ) -> None:
        self.bootstrap, self.prefix, self.folder = bootstrap, prefix, folder
        self.login = login or {}
        """How workers come in; what the tests read and write with comes in without."""
        self.partitions = partitions
        self.workers: list[HarnessWorker] = []
        self._producer = self._new_producer("none")
        self._keys = itertools.count()
        self.sent = 0

    def _new_producer(self, codec: str) -> Producer:
        settings = {"bootstrap.servers": self.bootstrap, "linger.ms": 5, "log_level": 0}
        return Producer({**settings, "compression.codec": codec})

    def compress(self, codec: str) -> None:
        """Send what follows in batches compressed so."""
        self._producer = self._new_producer(codec)

    def topics(self) -> dict[str, int]:
        many = [f"{self.prefix}.{name}" for name in ("adds", "marks", "out", "seals")]
        many += [f"{self.prefix}-{store}-changelog" for store in ("counts", "timers")]
        return {**dict.fromkeys(many, self.partitions), f"{self.prefix}.factor": 1}

    def make_topics(self, skip: tuple[str, ...] = (), **counts: int) -> "Toys":
        """All topics, but those in `skip`; `counts` by last name differ from the rest."""
        topics = []
        for topic, count in self.topics().items():
            last = topic.rpartition(".")[2]
            if last not in skip:
                compact = {"cleanup.policy": "compact"} if topic.endswith("changelog") else {}
                topics.append(NewTopic(topic, counts.get(last, count), 1, topic_configs=compact))
        asyncio.run(self._admin(lambda client: client.create_topics(topics)))
        return self

    async def _admin(self, call: Callable[[AIOKafkaAdminClient], Any]) -> Any:
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await client.start()
        try:
            return await call(client)
        finally:
            await client.close()

    def admin(self, call: Callable[[AIOKafkaAdminClient], Any]) -> Any:
        return asyncio.run(self._admin(call))

    def change(self, topic: str, **settings: str) -> None:
        """Set settings of a topic: `cleanup_policy` and the like."""
        self.admin(lambda client: change_topic(client, topic, **settings))

    def keyed(self) -> list[str]:
        """The topics whose partitions have our keys."""
        return [topic for topic, count in self.topics().items() if count > 1]

    def grow(self, count: int, *topics: str) -> None:
        """Give topics more partitions."""
        more = {topic: NewPartitions(total_count=count) for topic in topics}
        self.admin(lambda client: client.create_partitions(more))

    def make_anew(self, topic: str, **config: str) -> None:
        """Delete a topic and make it again, empty."""
        self.admin(lambda client: client.delete_topics([topic]))
        anew = NewTopic(topic, self.topics()[topic], 1, topic_configs=config)

        def made() -> bool:
            ((_, code, _),) = self.admin(lambda client: client.create_topics([anew])).topic_errors
            return bool(code == 0)

        wait_until(made, 10, f"{topic} made anew")

    def mark(self, key: str, delay_ms: int) -> None:
        """A timer of partition 0."""
        self.produce("marks", key, str(delay_ms), 0)
        self.flush()

    def fired(self) -> set[str]:
        """Whose timers have acted."""
        return {key for rows in self.outputs(b"timer").values() for key, _ in rows}

    def worker(self, name: str = "one", **options: Any) -> HarnessWorker:
        worker = HarnessWorker(self, name, options)
        self.workers.append(worker)
        return worker

    def add(self, count: int, keys: int = 50) -> None:
        """`count` adds over all partitions."""
        for number in range(self.sent, self.sent + count):
            partition = number % self.partitions
            key = f"k{partition}-{number // self.partitions % keys}"
            self.produce("adds", key, str(1 + number % 7), partition)
        self.sent += count
        self.flush()

    def add_slowly(self, seconds: float, per_second: int) -> None:
        """Adds at a steady pace."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.add(max(1, per_second // 20))
            time.sleep(0.05)

    def produce(
        self, topic: str, key: str, value: str | bytes, partition: int, timestamp: int | None = None
    ) -> None:
        self._producer.produce(
            self._named(topic),
            value,
            key,
            partition=partition,
            timestamp=timestamp or int(time.time() * 1000),
        )
        self._producer.poll(0)

    def _named(self, topic: str) -> str:
        """A topic's whole name, by that or by its last part."""
        return topic if topic.startswith(self.prefix) else f"{self.prefix}.{topic}"

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def read(self, topic: str) -> dict[int, list[Message]]:
        """All that a read_committed consumer sees, by partition."""
        name = self._named(topic)
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
                "auto.offset.reset": "earliest",
            }
        )
        count = self.topics()[name]
        consumer.assign([TopicPartition(name, number, 0) for number in range(count)])
        found: dict[int, list[Message]] = {number: [] for number in range(count)}
        pending = set(found)
        try:
            while pending:
                for message in consumer.consume(1000, 0.03):
                    error = message.error()
                    if error is None:
                        found[message.partition()].append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        pending.discard(message.partition())
                    else:
                        raise AssertionError(error)
        finally:
            consumer.close()
        return found

    def settle(self) -> None:
        """Wait until no transaction is open: a commit is answered before its end is written."""
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        tps = [
            TopicPartition(name, n) for name, count in self.topics().items() for n in range(count)
        ]

        def ends(isolation: IsolationLevel) -> list[int]:
            asked = client.list_offsets(
                dict.fromkeys(tps, OffsetSpec.latest()), isolation_level=isolation
            )
            return [asked[tp].result(10).offset for tp in tps]

        wait_until(
            lambda: ends(IsolationLevel.READ_COMMITTED) == ends(IsolationLevel.READ_UNCOMMITTED),
            30,
            "no transaction is open",
        )

    def lose_disk(self, name: str = "one") -> None:
        """The worker's machine is replaced by an empty one."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def table(self, store: str) -> dict[int, dict[bytes, bytes]]:
        """A changelog as compaction would leave it, without the engine's own record."""
        result: dict[int, dict[bytes, bytes]] = {}
        for partition, messages in self.read(f"{self.prefix}-{store}-changelog").items():
            table: dict[bytes, bytes] = {}
            for message in messages:
                if message.value() is None:
                    table.pop(message.key(), None)
                else:
                    table[message.key()] = message.value()
            table.pop(b"#next", None)
            result[partition] = table
        return result

    def outputs(self, kind: bytes) -> dict[int, list[tuple[str, dict[str, Any]]]]:
        """Outputs of one kind (add, timer) by partition, in order."""
        return {
            partition: [
                (m.key().decode(), json.loads(m.value()))
                for m in messages
                if dict(m.headers())["kind"] == kind
            ]
            for partition, messages in self.read("out").items()
        }

    def expected(self) -> dict[int, list[tuple[str, int, int]]]:
        """Key, running total and offset that each add must have led to."""
        result = {}
        for partition, messages in self.read("adds").items():
            totals: dict[str, int] = defaultdict(int)
            rows = []
            for message in messages:
                key = message.key().decode()
                totals[key] += int(message.value())
                rows.append((key, totals[key], message.offset()))
            result[partition] = rows
        return result

    def seen(self) -> dict[int, list[tuple[str, int, int]]]:
        return {
            partition: [(key, value["total"], value["offset"]) for key, value in rows]
            for partition, rows in self.outputs(b"add").items()
        }

    def assert_exact(self, seconds: float = 30) -> None:
        """Wait until all inputs have led to outputs, then compare every single one."""
        wait_until(
            lambda: sum(map(len, self.seen().values())) >= self.sent,
            seconds,
            "an output for each",
            every=0.5,
        )
        assert self.seen() == self.expected()

    def committed(self, topic: str) -> list[int]:
        """The group's committed offsets."""
        return [tp.offset for tp in self._as_group(lambda c: c.committed(self._all(topic), 10))]

    def commit(self, topic: str, offset: int) -> None:
        """Overwrite the group's offsets, which must have no member."""
        offsets = [TopicPartition(tp.topic, tp.partition, offset) for tp in self._all(topic)]

        def overwrite(consumer: Consumer) -> bool:
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException:
                return False
            return True

        wait_until(lambda: self._as_group(overwrite), 20, "the group is empty")

    def _all(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(f"{self.prefix}.{topic}", n) for n in range(self.partitions)]

    def _as_group(self, call: Callable[[Consumer], Any]) -> Any:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.prefix,
                "enable.auto.commit": False,
            }
        )
        try:
            return call(consumer)
        finally:
            consumer.close()

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
