"""A real Kafka from packages alone: it starts, keeps its data, and dies when told to."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.local.errors import PortBusyError
from streams.local.kafka import KafkaCluster
from streams.local.probe import brokers_seen, free_port
from tests.conftest import RunningKafka

pytestmark = pytest.mark.kafka


async def create(bootstrap: str, topic: str, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()


async def send(
    bootstrap: str, topic: str, value: bytes, transactional_id: str | None = None
) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=transactional_id, acks="all"
    ) as producer:
        if transactional_id is None:
            await producer.send_and_wait(topic, value)
        else:
            async with producer.transaction():
                await producer.send_and_wait(topic, value)


async def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        found: list[bytes | None] = []
        while len(found) < count:
            batches = await consumer.getmany(timeout_ms=10_000)
            if not batches:
                break
            found.extend(record.value for records in batches.values() for record in records)
        return found
    finally:
        await consumer.stop()


async def test_records_survive_kill_and_restart(
    kafka: RunningKafka, fresh_prefix: str, fresh_app: str
) -> None:
    topic = fresh_prefix + "t"
    await create(kafka.bootstrap, topic)
    await send(kafka.bootstrap, topic, b"one", fresh_app)
    before = kafka.cluster.pid()
    kafka.cluster.restart(hard=True)
    assert kafka.cluster.pid() != before
    await send(kafka.bootstrap, topic, b"two", fresh_app)
    assert await read(kafka.bootstrap, topic, 2) == [b"one", b"two"]


def test_a_taken_port_is_named(kafka: RunningKafka, tmp_path: Path) -> None:
    port = int(kafka.bootstrap.rpartition(":")[2])
    with pytest.raises(PortBusyError) as refusal:
        KafkaCluster(tmp_path, port=port).start()
    assert str(refusal.value) == (
        f"port {port} is taken: stop what listens there, or name another (--port)"
    )


def test_a_dead_port_sees_no_brokers() -> None:
    assert brokers_seen(free_port()) == 0


@pytest.fixture
def three(tmp_path: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path / "three", brokers=3, heap_megabytes=320, brief=True) as cluster:
        yield cluster


@pytest.mark.slow
async def test_three_brokers_survive_the_loss_of_one(three: KafkaCluster) -> None:
    await create(three.bootstrap, "t", replicas=3)
    await send(three.bootstrap, "t", b"one", "app")
    three.kill(1)
    await send(three.bootstrap, "t", b"two", "app")
    three.start_broker(1)
    assert await read(three.bootstrap, "t", 2) == [b"one", b"two"]
    assert [brokers_seen(int(host.split(":")[1])) for host in three.bootstrap.split(",")] == [3] * 3


def test_stop_is_prompt(tmp_path: Path) -> None:
    cluster = KafkaCluster(tmp_path, brief=True).start()
    started = time.monotonic()
    cluster.stop()
    assert not cluster.running()
    assert time.monotonic() - started < 10
