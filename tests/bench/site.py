"""Where it is run: one broker for everything, and data sets that are loaded once."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from schemas.topics import TOPICS
from streams.local.kafka import KafkaCluster
from streams.operate import topics
from streams.settings import Settings
from tests.bench.data import DataShape
from tests.bench.loading import load
from tests.bench.process import ROOT

POLICIES = Path(__file__).parent / "policies"
APPEAR_SECONDS = 20.0
REQUEST_SECONDS = 2.0
"""Asked before the first group exists, librdkafka waits for a coordinator to the end of it."""


@dataclass(frozen=True)
class DataSet:
    """A platform's input topics under a prefix of their own, and how many records they hold."""

    shape: DataShape
    prefix: str
    events: int

    def topic(self, name: str) -> str:
        """The full name of an input or output topic."""
        return self.prefix + name


class Site:
    """The broker, its topics and groups; a context manager that leaves nothing behind.

    `code`: the tree whose workers run; the checkout's unless two trees are compared.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.code = ROOT
        self.kafka = KafkaCluster(
            self.folder / "kafka",
            heap_megabytes=1024,
            config={
                "log.segment.delete.delay.ms": "1000",
                "log.cleaner.threads": "1",
                # Kafka's default: members that start together begin together.
                "group.initial.rebalance.delay.ms": "3000",
            },
        )
        self._sets: dict[DataShape, DataSet] = {}
        self._numbers = iter(range(1, 1_000_000))

    def __enter__(self) -> "Site":
        try:
            self.kafka.start()
        except BaseException:
            self.__exit__()
            raise
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self

    def __exit__(self, *_: object) -> None:
        # librdkafka never ends the threads of a client whose broker went first.
        self.__dict__.pop("admin", None)
        self.kafka.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def bootstrap(self) -> str:
        """For clients."""
        return self.kafka.bootstrap

    def fresh(self, word: str) -> str:
        """A name that nothing else has: an application id, a folder."""
        return f"{word}-{next(self._numbers)}"

    def data(self, shape: DataShape) -> DataSet:
        """The data set of a shape, loaded when it is first asked for: labels, then readings."""
        if shape not in self._sets:
            self._sets[shape] = self.empty(shape)
            prefix = self._sets[shape].prefix
            load(self.bootstrap, f"{prefix}category-changes", shape.labels())
            load(self.bootstrap, f"{prefix}follower-counts", shape.rounds())
        return self._sets[shape]

    def empty(self, shape: DataShape) -> DataSet:
        """Input topics for a shape with nothing in them, for a scenario that fills them itself."""
        found = DataSet(shape, f"{self.fresh(shape.name)}.", shape.events)
        self.create(
            [
                found.topic(topic.name)
                for topic in TOPICS
                if topic.role == "input" and not topic.single
            ],
            shape.partitions,
        )
        self.create([found.topic("switches")], 1)
        return found

    def create(self, names: Iterable[str], partitions: int) -> None:
        """Topics that keep everything."""
        config = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
        wanted = [NewTopic(name, partitions, 1, config=config) for name in names]
        for future in self.admin.create_topics(wanted).values():
            future.result()

    def create_byline_topics(self, data: DataSet, application: str) -> None:
        """What `byline topics create` makes beside the inputs: outputs, log, changelogs."""
        settings = Settings(
            kafka_bootstrap_servers=self.bootstrap,
            topic_prefix=data.prefix,
            application_id=application,
            policies=POLICIES,
            _env_file=None,
        )
        asyncio.run(topics.create(settings, data.shape.partitions, 1))

    def drop_run(self, data: DataSet, application: str) -> None:
        """Remove what a run wrote: all topics but the inputs, and its group."""
        inputs = {data.topic(topic.name) for topic in TOPICS if topic.role == "input"}
        self._drop(
            name
            for name in self.admin.list_topics(timeout=10).topics
            if (name.startswith(data.prefix) and name not in inputs)
            or name.startswith(f"{application}-")
            or f"__{application}--" in name  # A changelog of Quix Streams.
        )
        try:
            for future in self.admin.delete_consumer_groups([application]).values():
                future.result()
        except KafkaException:
            pass  # A peer that has no group leaves none.

    def drop_data(self, data: DataSet) -> None:
        """Remove a data set."""
        self._sets.pop(data.shape, None)
        self._drop(
            name
            for name in self.admin.list_topics(timeout=10).topics
            if name.startswith(data.prefix)
        )

    def _drop(self, names: Iterable[str]) -> None:
        gone = set(names)
        if not gone:
            return
        for future in self.admin.delete_topics(list(gone)).values():
            future.result()
        deadline = time.monotonic() + APPEAR_SECONDS
        while gone & self.admin.list_topics(timeout=10).topics.keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics are still there: {sorted(gone)[:3]}")
            time.sleep(0.05)

    def ends(self, data: DataSet) -> dict[str, int]:
        """How many records the two topics that the peers read hold, by topic."""
        return {name: self._end(data, name) for name in ("category-changes", "follower-counts")}

    def _end(self, data: DataSet, name: str) -> int:
        asked = {
            TopicPartition(data.topic(name), number): OffsetSpec.latest()
            for number in range(data.shape.partitions)
        }
        deadline = time.monotonic() + APPEAR_SECONDS
        while True:
            try:
                return sum(one.result().offset for one in self.admin.list_offsets(asked).values())
            except KafkaException:  # A topic just made may have no leader yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def committed(self, application: str, data: DataSet) -> dict[str, int]:
        """How many records the group has put behind it for all to see, by topic as in `ends`."""
        found = dict.fromkeys(("category-changes", "follower-counts"), 0)
        asked = [ConsumerGroupTopicPartitions(application)]
        try:
            offsets = self.admin.list_consumer_group_offsets(
                asked, request_timeout=REQUEST_SECONDS
            )[application].result()
        except KafkaException:
            return found
        for one in offsets.topic_partitions:
            name = one.topic.removeprefix(data.prefix)
            if name in found:
                found[name] += max(0, one.offset)
        return found
