"""State is the changelog's: whatever the disk, a worker ends where the last transaction did."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from streams.engine import acceptance, notes, recovery
from streams.engine.checkpoint import CHECKPOINT_KEY, Checkpoint, encode_checkpoint
from streams.engine.config import EngineConfig
from streams.engine.processor import StoreSpec
from streams.engine.stores import DiskMemory, PartitionStores
from streams.stop_worker import StopWorker
from tests.engine.harness import HarnessWorker, Toys, wait_until
from tests.engine.toy import Toy

pytestmark = pytest.mark.kafka


def _changelog_records(worker: HarnessWorker) -> int:
    return sum(
        int(line.split(" ready, ")[1].split()[0])
        for line in worker.log.splitlines()
        if " ready, " in line
    )


def test_given_an_empty_disk_then_recovery_equals_that_from_the_own_disk(toys: Toys) -> None:
    toys.add(2000)
    first = toys.worker().ready()
    toys.assert_exact()
    first.stop()
    first.log_path.unlink()

    own = toys.worker().ready()
    assert _changelog_records(own) == 0
    toys.add(200)
    toys.assert_exact()
    own.kill()
    own.log_path.unlink()

    toys.lose_disk()
    empty = toys.worker().ready()
    assert _changelog_records(empty) >= sum(map(len, toys.table("counts").values())) == 200
    toys.add(200)
    toys.assert_exact()


def test_given_a_broadcast_then_every_partition_applies_it_once_and_first(toys: Toys) -> None:
    toys.produce("factor", "f", "2", 0)
    toys.add(400)
    worker = toys.worker().ready()
    wait_until(lambda: sum(map(len, toys.seen().values())) == 400, 20, "outputs")
    doubled = {p: [(k, 2 * t, o) for k, t, o in rows] for p, rows in toys.expected().items()}
    assert toys.seen() == doubled
    toys.produce("factor", "f", "10", 0)
    toys.flush()
    time.sleep(1)
    worker.kill()
    toys.lose_disk()
    toys.worker().ready()
    wait_until(
        lambda: all(table[b"#factor"] == b"10" for table in toys.table("counts").values()),
        10,
        "the second factor in every table",
    )
    changes = [
        m.value()
        for messages in toys.read(f"{toys.prefix}-counts-changelog").values()
        for m in messages
        if m.key() == b"#factor"
    ]
    assert sorted(changes) == [b"10"] * 4 + [b"2"] * 4


@pytest.mark.parametrize("point", ["", "after-sends:kill", "after-commit-before-store:kill"])
def test_given_partitions_that_tell_all_others_then_each_word_takes_effect_once(
    toys: Toys, point: str
) -> None:
    worker = toys.worker(failpoint=point)
    for number in range(toys.partitions):
        toys.produce("marks", "t", "tell 3", number)
    toys.flush()
    if point:
        worker.exit_code()
        worker = toys.worker()
    worker.ready()
    wait_until(lambda: len(toys.read("factor")[0]) == 4, 20, "four words")
    time.sleep(1)
    toys.add(40)
    wait_until(lambda: sum(map(len, toys.seen().values())) == 40, 20, "outputs")
    tripled = {p: [(k, 3 * t, o) for k, t, o in rows] for p, rows in toys.expected().items()}
    assert toys.seen() == tripled
    assert [m.value() for m in toys.read("factor")[0]] == [b"3"] * 4


def test_given_another_partition_count_then_the_worker_refuses(toys: Toys) -> None:
    from aiokafka.admin import NewPartitions

    toys.add(100)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    more = {t: NewPartitions(total_count=6) for t, count in toys.topics().items() if count > 1}
    toys.admin(lambda client: client.create_partitions(more))
    worker = toys.worker("one")
    assert worker.exit_code() == 2
    assert "was built with 4 partitions, now 6 are in use" in worker.log


def test_given_inputs_deleted_unread_then_the_worker_refuses(toys: Toys) -> None:
    from aiokafka import TopicPartition
    from aiokafka.admin import RecordsToDelete

    toys.add(100)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    toys.add(100)
    gone = {TopicPartition(f"{toys.prefix}.adds", 1): RecordsToDelete(before_offset=40)}
    toys.admin(lambda client: client.delete_records(gone, 10_000))
    worker = toys.worker("one")
    assert worker.exit_code() == 2
    assert "records were deleted unread" in worker.log


def test_given_reads_in_seals_then_they_never_go_back(toys: Toys) -> None:
    toys.add(1000)
    toys.worker().ready()
    toys.assert_exact()
    for partition, messages in toys.read("seals").items():
        reads = [json.loads(m.value())["reads"][f"{toys.prefix}.adds"] for m in messages]
        assert reads == sorted(reads)
        assert reads[-1] == len(toys.expected()[partition])


def _open_transaction(toys: Toys, topic: str) -> Producer:
    """Another producer's, with a record in partition 0 of a topic."""
    other = Producer(
        {
            "bootstrap.servers": toys.bootstrap,
            "transactional.id": f"{toys.prefix}-other",
            "log_level": 0,
        }
    )
    other.init_transactions(10)
    other.begin_transaction()
    other.produce(topic, None, b"other", partition=0)
    other.flush(10)
    return other


@pytest.mark.parametrize("disk", ["own", "empty"])
def test_given_a_foreign_transaction_in_the_changelog_then_no_older_state_is_restored(
    make_toys: Callable[..., Toys], disk: str
) -> None:
    toys = make_toys(2).make_topics()
    toys.add(100)
    first = toys.worker().ready()
    toys.assert_exact()
    other = _open_transaction(toys, f"{toys.prefix}-counts-changelog")
    toys.add(100)
    toys.assert_exact()
    first.kill()
    if disk == "empty":
        toys.lose_disk()
    second = toys.worker()
    wait_until(lambda: "cannot be read beyond offset" in second.log, 30, "the transaction is named")
    assert f"{toys.prefix}-counts-changelog[0]" in second.log
    assert f"({toys.prefix}-other) has had a transaction open there" in second.log
    # The other partition is not held up.
    wait_until(lambda: second.status["parts"].get("1", [""])[0] == "running", 10, "the other runs")
    toys.add(100)
    wait_until(lambda: len(toys.seen()[1]) == 150, 10, "the other's outputs")
    assert len(toys.seen()[0]) == 100
    other.abort_transaction(10)
    second.ready(parts=2)
    toys.assert_exact()


async def test_given_a_foreign_transaction_then_no_older_checkpoint_is_read(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "STALL_SECONDS", 2.0)
    changelog = f"{toys.prefix}-counts-changelog"
    config = EngineConfig(
        application_id=toys.prefix, bootstrap_servers=toys.bootstrap, data_dir=toys.folder
    )

    def put(now: int) -> None:
        value = encode_checkpoint(Checkpoint(1, 4, now, {}))
        toys.produce(changelog, CHECKPOINT_KEY.decode(), value, 0)
        toys.flush()

    put(1)
    other = await asyncio.to_thread(_open_transaction, toys, changelog)
    put(2)
    with pytest.raises(StopWorker, match="an open transaction hides what follows"):
        await acceptance.read_checkpoints(config, Toy(toys.prefix).spec)
    await asyncio.to_thread(other.abort_transaction, 10)
    found = await acceptance.read_checkpoints(config, Toy(toys.prefix).spec)
    assert {number: one.now for number, one in found.items()} == {0: 2}


SPECS = (StoreSpec("counts", in_memory=False),)


async def test_given_a_long_changelog_then_a_megabyte_of_it_is_held_at_a_time(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7_000):
        toys.produce(f"{toys.prefix}-counts-changelog", f"k{number}", bytes(1_000), 0)
    toys.flush()
    held: list[int] = []
    read = recovery.read_batches

    async def noted(consumer: Any, *rest: Any) -> Any:
        # Long enough for whatever is asked for ahead to arrive.
        await asyncio.sleep(0.1)
        answers = [one._partition_records._records for one in consumer._fetcher._records.values()]
        held.append(sum(len(one.stretch) for one in answers))
        return await read(consumer, *rest)

    monkeypatch.setattr(recovery, "read_batches", noted)
    config = EngineConfig(
        application_id=toys.prefix, bootstrap_servers=toys.bootstrap, data_dir=toys.folder
    )
    stores = PartitionStores(toys.folder / "0", SPECS, "0", DiskMemory.of(2**20, 2**20))
    assert await recovery.recover(config, stores, SPECS, 0, {}) == 7_000
    stores.close()
    assert 0.5 * 2**20 < max(held) <= 2**20
