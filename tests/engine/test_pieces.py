"""The small pieces, without a broker."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.engine import clock as clock_module
from streams.engine import disk_faults
from streams.engine import watchdog as watchdog_module
from streams.engine.broadcast import Broadcast
from streams.engine.checkpoint import (
    CHECKPOINT_KEY,
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
)
from streams.engine.clock import Clock
from streams.engine.commit_policy import CommitPolicyState
from streams.engine.config import EngineConfig
from streams.engine.context import GroupMember
from streams.engine.failpoints import FailpointError, Failpoints
from streams.engine.faust_app import choose_loop
from streams.engine.fetch_queues import FetchBuffer, FetchQueue, QueuedBatch
from streams.engine.high_watermarks import HighWatermarks
from streams.engine.input_queue import InputQueue
from streams.engine.lag import LagBook
from streams.engine.observer import NoObserver
from streams.engine.partition_task import PartitionTask
from streams.engine.processor import FetchedBatch, StoreSpec
from streams.engine.spans import PartitionSpans
from streams.engine.stores import BrokenDiskError, DiskMemory, PartitionStores
from streams.engine.transaction import Committer, OffsetUnknown, PendingWrites
from streams.kafka.stretches import KeptRecords, Taking
from streams.stop_worker import StopWorker
from tests.core.given import GivenRecord

SPECS = (StoreSpec("a", in_memory=True), StoreSpec("b", in_memory=False))


def _stores(path: Path, identity: str = "id") -> PartitionStores:
    return PartitionStores(path, SPECS, identity, DiskMemory.of(1 << 20, 1 << 22))


def _batch(start: int, end: int, high_water: int = 0) -> FetchedBatch:
    records = [GivenRecord(offset, 0, b"k", b"v") for offset in range(start, end)]
    return FetchedBatch("t", 0, start, end, records, high_water)


@pytest.mark.parametrize(
    ("protocol", "module"),
    [("SSL", "asyncio"), ("SASL_SSL", "asyncio"), ("PLAINTEXT", "uvloop"), ("", "uvloop")],
)
def test_over_tls_the_standard_loop_runs_for_closing_on_uvloop_waits_half_a_minute(
    tmp_path: Path, protocol: str, module: str
) -> None:
    security = {"security_protocol": protocol} if protocol else {}
    config = EngineConfig(
        application_id="a", bootstrap_servers="b:1", data_dir=tmp_path, security=security
    )
    before = asyncio.get_event_loop_policy()
    try:
        choose_loop(config)
        loop = asyncio.new_event_loop()
        loop.close()
        assert type(loop).__module__.partition(".")[0] == module
    finally:
        asyncio.set_event_loop_policy(before)


def test_clock_never_runs_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    first = clock.now()
    monkeypatch.setattr(clock_module.time, "time", lambda: first / 1000 - 5)
    assert clock.now() == first


def test_clock_tells_a_jump_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, real = Clock(), time.time
    assert abs(clock.drift_seconds()) < 1
    monkeypatch.setattr(clock_module.time, "time", lambda: real() + 60)
    assert 59 < clock.drift_seconds() < 61
    assert abs(clock.drift_seconds()) < 1


def test_a_fetch_queue_takes_what_follows_and_refuses_a_gap() -> None:
    buffer = FetchBuffer(100, 1000)
    queue = FetchQueue(buffer, "t", 0, 10)
    assert queue.put(QueuedBatch(queue, _batch(10, 20), 100))
    assert queue.put(QueuedBatch(queue, _batch(20, 20), 0))
    assert not queue.put(QueuedBatch(queue, _batch(21, 25), 10))
    # A batch that begins before what is due is of another log than the one that was read.
    assert not queue.put(QueuedBatch(queue, _batch(19, 25), 10))
    assert (queue.records, buffer.queued_records, buffer.queued_bytes) == (10, 10, 100)
    assert queue.take().end == 20
    queue.close()
    assert (buffer.queued_records, buffer.queued_bytes) == (0, 0)


def test_a_full_fetch_buffer_still_serves_an_empty_queue() -> None:
    buffer = FetchBuffer(20, 10_000)
    full, empty = FetchQueue(buffer, "t", 0, 0), FetchQueue(buffer, "u", 0, 0)
    buffer.queues = {("t", 0): full, ("u", 0): empty}
    assert set(buffer.wanted()) == {("t", 0), ("u", 0)}
    full.put(QueuedBatch(full, _batch(0, 25), 100))
    assert set(buffer.wanted()) == {("u", 0)}


def test_pending_writes_read_what_they_wrote_and_clear_forgets_them(tmp_path: Path) -> None:
    stores = _stores(tmp_path / "db")
    stores.apply([("a", [(b"k", b"old")]), ("b", [(b"k", b"disk")])], None, {"a": 1})
    pending = PendingWrites(stores, ("a", "b"), 3)
    assert pending.get("a", b"k") == b"old"
    assert pending.get("b", b"k") == b"disk"
    pending.put("a", b"k", None)
    pending.put("b", b"n", b"new")
    assert pending.get("a", b"k") is None
    assert not pending.contains("a", b"k")
    assert pending.contains("b", b"n")
    pending.put("a", b"n", b"new")
    assert pending.present("a", [b"k", b"n", b"x", None]) == {b"n"}
    assert pending.present("b", [b"k", b"n", b"x", None]) == {b"k", b"n"}
    pending.send("out", b"k", b"v")
    pending.send("out", b"k", b"v", partition=0)
    assert set(pending.outputs) == {("out", 3), ("out", 0)}
    assert pending.dirty
    with pytest.raises(ValueError, match="#next"):
        pending.put("a", CHECKPOINT_KEY, b"x")
    pending.clear()
    assert not pending.dirty
    assert pending.get("a", b"k") == b"old"


def test_stores_keep_stores_apart_and_survive_reopening(tmp_path: Path) -> None:
    stores = _stores(tmp_path / "db")
    stores.apply([("a", [(b"k", b"1")]), ("b", [(b"k", b"2"), (b"l", b"3")])], b"p", {"b": 7})
    stores.apply([("b", [(b"l", None)])], None, {"a": 5})
    stores.close()
    again = _stores(tmp_path / "db")
    assert again.load_meta(3600)
    assert dict(again.items_on_disk("a")) == {b"k": b"1"}
    assert dict(again.items("b")) == {b"k": b"2"}
    assert again.meta.changelog_next == {"a": 5, "b": 7}
    assert again.meta.position == b"p"
    again.close()


@pytest.mark.parametrize("case", ["other identity", "too old"])
def test_stores_of_no_use_are_wiped(tmp_path: Path, case: str) -> None:
    stores = _stores(tmp_path / "db")
    stores.apply([("b", [(b"k", b"2")])], b"p", {"b": 7})
    stores.close()
    again = _stores(tmp_path / "db", "other" if case == "other identity" else "id")
    assert not again.load_meta(3600 if case == "other identity" else -1)
    assert dict(again.items("b")) == {}
    again.close()


def test_a_checkpoint_is_read_back() -> None:
    position = Checkpoint(1, 4, 123, {"t": 5})
    assert decode_checkpoint(encode_checkpoint(position)) == position


def test_high_watermarks_are_reached_when_all_topics_are() -> None:
    ends = HighWatermarks(5, {"t": 3, "u": 0})
    assert ends.reached({"t": 3})
    assert not ends.reached({"t": 2, "u": 9})


def test_failpoint_acts_at_its_hit_and_once() -> None:
    points = Failpoints("after-sends:raise:2")
    points.hit("after-begin")
    points.hit("after-sends")
    with pytest.raises(FailpointError, match="after-sends"):
        points.hit("after-sends")
    points.hit("after-sends")
    with pytest.raises(ValueError, match="unknown fail-point"):
        Failpoints("nowhere:kill")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"application_id": ""}, "application_id is empty"),
        ({"bootstrap_servers": ""}, "bootstrap_servers is empty"),
        ({"heartbeat_interval_seconds": 9.0}, "a third of the session time"),
        ({"session_timeout_seconds": 60.0}, "must not exceed request_timeout_seconds"),
        ({"poll_records": 1_000_000}, "at least one poll"),
        ({"commit_records": 0}, "commit_records must be at least 1"),
    ],
)
def test_config_refuses_nonsense(tmp_path: Path, change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "application_id": "a",
        "bootstrap_servers": "b:1",
        "data_dir": tmp_path,
    }
    EngineConfig(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        EngineConfig(**{**good, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "exits"), [(60.0, True), (-60.0, True), (2.0, False)])
def test_watchdog_exits_when_the_clock_jumps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float, exits: bool
) -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="b:1", data_dir=tmp_path)
    context, said, real = SimpleNamespace(clock=Clock(), config=config), [], time.time
    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    watchdog = watchdog_module.Watchdog(context, SimpleNamespace())  # type: ignore[arg-type]
    watchdog._check_clock()
    monkeypatch.setattr(clock_module.time, "time", lambda: real() + seconds)
    watchdog._check_clock()
    assert [text.startswith("the machine's clock jumped by") for text in said] == [True] * exits


@pytest.mark.parametrize(
    ("distribution", "exits"),
    [({}, True), ({"u": {"t": []}}, True), ({"u": {"t": [0]}}, False)],
)
def test_watchdog_exits_when_nobody_is_assigned_anything(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    distribution: dict[str, dict[str, list[int]]],
    exits: bool,
) -> None:
    config = EngineConfig(
        application_id="a", bootstrap_servers="b:1", data_dir=tmp_path, empty_assignment_seconds=0
    )
    assignor = SimpleNamespace(external_topic_distribution=distribution)
    assignment = SimpleNamespace(settled=True, tasks={}, stopping=False)
    context = SimpleNamespace(
        clock=Clock(),
        config=config,
        member=GroupMember(SimpleNamespace(app=SimpleNamespace(assignor=assignor))),
        watch=SimpleNamespace(away=False),
    )
    said: list[str] = []
    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    watchdog = watchdog_module.Watchdog(context, assignment)  # type: ignore[arg-type]
    watchdog._check_assignment()
    time.sleep(0.01)
    watchdog._check_assignment()
    assert said == ["the group's leader assigns no partition to any member"] * exits


def test_the_commit_policy_gathers_what_is_queued_and_no_longer_than_a_second(
    tmp_path: Path,
) -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="b:1", data_dir=tmp_path)
    policy = CommitPolicyState(config)
    assert not policy.commit_due(False, 0, 0, 0.0)
    policy.applied(waiting=False, dirty=True, now=0.0)
    assert not policy.commit_due(False, 10, 100, 0.9)
    assert policy.commit_due(False, 10, 100, 1.0)
    assert policy.commit_due(False, 10_000, 100, 0.1)
    assert policy.commit_due(False, 10, 9_000_000, 0.1)
    policy.applied(waiting=True, dirty=True, now=0.1)
    assert policy.commit_due(False, 10, 100, 0.1)
    assert not policy.commit_due(True, 10, 100, 0.1)
    policy.applied(waiting=True, dirty=True, now=0.2)
    assert not policy.commit_due(True, 10, 100, 0.39)
    assert policy.commit_due(True, 10, 100, 0.4)
    policy.committed()
    assert not policy.moved
    assert not policy.commit_due(False, 0, 0, 99.0)


@pytest.mark.parametrize("kind", ["plain", "marker", "aborted", "emptied", "cut"])
def test_unpacking_gives_each_record_once_and_passes_over_the_rest(kind: str) -> None:
    def batch(first: int, count: int, producer: int = -1, *, control: bool = False) -> bytes:
        builder = DefaultRecordBatchBuilder(
            2, 0, int(producer >= 0), producer, 0 if producer >= 0 else -1, 0, 1 << 20
        )
        for number in range(count):
            builder.append(number, 7, bytes(4) if control else b"k", b"v%d" % number, [])
        raw = bytearray(builder.build())
        raw[0:8] = first.to_bytes(8, "big")
        if control:
            raw[22] |= 0x20
        return bytes(raw)

    aborted = [(5, 3)] if kind == "aborted" else []
    middle = {
        "plain": batch(3, 2),
        "marker": batch(3, 1, 5, control=True),
        "aborted": batch(3, 2, 5),
        "emptied": b"",
        "cut": batch(3, 2),
    }[kind]
    raw = batch(0, 3) + middle + batch(5, 2)
    start = 1 if kind == "cut" else 0
    tp = TopicPartition("t", 0)
    pending = PartitionRecords(
        tp, KeptRecords(raw), aborted, start, None, None, False, READ_COMMITTED
    )

    def take(max_records: int) -> list[Any]:
        taking = Taking(pending, max_records, keep_headers=False)
        taking.run()
        return taking.records

    first = take(2)
    assert [one.offset for one in first] == list(range(start, 3))
    assert pending.next_fetch_offset == 3
    rest = [5, 6] if kind in ("marker", "aborted", "emptied") else [3, 4, 5, 6]
    assert [one.offset for one in take(100)] == rest
    assert pending.next_fetch_offset == 7
    assert [one.value for one in first] == [b"v0", b"v1", b"v2"][start:]
    assert take(100) == []


def test_the_input_queue_gives_every_topic_its_turn_in_order() -> None:
    buffer = FetchBuffer(100, 100_000)
    inputs = InputQueue(buffer, 0, ("u", "t"), None, batch_records=5)
    inputs.reads = {"u": 0, "t": 3}
    first, second = inputs.open_queues()
    for start in (0, 10):
        batch = FetchedBatch("u", 0, start, start + 10, _batch(start, start + 10).records, 20)
        assert inputs.receive(QueuedBatch(first, batch, 1)) is None
    assert inputs.receive(QueuedBatch(second, _batch(3, 8, 9), 1)) is None
    taken = inputs.take()
    assert [(batch.topic, batch.start, batch.end) for batch in taken] == [("u", 0, 10), ("t", 3, 8)]
    assert [record.offset for record in taken[1].records] == [3, 4, 5, 6, 7]
    book = LagBook()
    assert inputs.lag(book) == 10 + 1
    book.note(("t", 0), 8, 108, 0.0)
    assert inputs.lag(book) == 10 + 100
    inputs.open_queues()
    assert not inputs.queued
    assert inputs.receive(QueuedBatch(first, batch, 1)) is None
    assert not inputs.queued


def test_a_flood_of_the_broadcast_topic_is_read_in_batches_and_before_all_else(
    tmp_path: Path,
) -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="b", data_dir=tmp_path)
    broadcast = Broadcast(config, "s", lambda: None)
    broadcast._records = list(_batch(0, 4).records) + list(_batch(6, 9).records)
    broadcast._unreadable = [(4, 5, 0)]
    broadcast.end = 10
    inputs = InputQueue(FetchBuffer(100, 100_000), 0, ("t",), broadcast, batch_records=3)
    inputs.reads = {"s": 0, "t": 3}
    (queue,) = inputs.open_queues()
    assert inputs.receive(QueuedBatch(queue, _batch(3, 8), 1)) is None
    taken = [inputs.take() for _ in range(4)]
    assert [[(batch.topic, batch.start, batch.end) for batch in batches] for batches in taken] == [
        [("s", 0, 3)],
        [("s", 3, 8)],
        [("s", 8, 10), ("t", 3, 8)],
        [],
    ]
    assert [len(batches[0].records) for batches in taken[:3]] == [3, 3, 1]
    assert [batches[0].unreadable for batches in taken[:3]] == [(), ((4, 5, 0),), ()]


def test_a_disk_of_another_making_is_of_no_use(tmp_path: Path) -> None:
    stores = _stores(tmp_path / "p")
    stores.apply([("a", [(b"k", b"v")])], b"position", {"a": 3})
    stores._db.put(b"\xffmeta", b'{"format": "another"}')
    stores.close()
    stores = _stores(tmp_path / "p")
    assert not stores.load_meta(3600)
    assert list(stores.items_on_disk("a")) == []


def test_a_broken_disk_is_made_anew(tmp_path: Path) -> None:
    stores = _stores(tmp_path / "p")
    stores.apply([("a", [(b"k", b"v")])], b"position", {"a": 3})
    stores.close()
    (tmp_path / "p" / "CURRENT").write_text("nonsense")
    stores = _stores(tmp_path / "p")
    assert not stores.load_meta(3600)


def test_a_disk_that_ends_too_early_is_not_taken_for_whole(tmp_path: Path) -> None:
    stores = _stores(tmp_path / "p")
    stores.apply([("b", [(b"k", b"v")])], b"position", {"b": 3})
    stores._db.delete(b"\xffmeta")
    with pytest.raises(BrokenDiskError, match="cannot be read to its end"):
        list(stores.items_on_disk("b"))


def _damage(path: Path) -> None:
    """Turn the middle of each table file over."""
    for table in path.glob("*.sst"):
        content = bytearray(table.read_bytes())
        for place in range(0, len(content) // 2, 16):
            content[place] ^= 0xFF
        table.write_bytes(content)


def _filled(path: Path) -> None:
    stores = _stores(path)
    for number in range(50):
        rows = [(b"k%d-%d" % (number, one), os.urandom(200)) for one in range(100)]
        stores.apply([("b", rows)], b"position", {"b": number})
    stores._db.flush()
    stores.close()


def test_a_damaged_block_met_while_reading_marks_the_folder_for_the_next_start(
    tmp_path: Path,
) -> None:
    _filled(tmp_path / "p")
    _damage(tmp_path / "p")
    stores = _stores(tmp_path / "p")
    keys = [b"k%d-7" % number for number in range(50)]
    with pytest.raises(Exception, match="Corruption"):
        list(map(stores.reader("b"), keys))
    stores.close()
    assert "Corruption" in (tmp_path / "p.broken").read_text()
    stores = _stores(tmp_path / "p")
    assert not (tmp_path / "p.broken").exists()
    assert not stores.load_meta(3600)
    stores.apply([("b", [(b"k", b"v")])], b"position", {"b": 1})
    assert stores.get("b", b"k") == b"v"


@pytest.mark.parametrize(
    "text",
    [
        "Invalid argument: IO error: Too many open files: /x/MANIFEST-000005",
        "IO error: No space left on device: While appending to file",
        "Invalid argument: No space left on device",
        "IO error: While lock file: Resource temporarily unavailable",
    ],
)
def test_a_machine_that_is_short_of_something_loses_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    stores = _stores(tmp_path / "p")
    stores.apply([("a", [(b"k", b"v")])], b"position", {"a": 3})
    stores.close()

    def short(self: PartitionStores) -> None:
        raise Exception(text)

    with monkeypatch.context() as patched:
        patched.setattr(PartitionStores, "_open", short)
        with pytest.raises(StopWorker, match="It is left as it is"):
            _stores(tmp_path / "p")
    stores = _stores(tmp_path / "p")
    assert stores.load_meta(3600)
    assert dict(stores.items_on_disk("a")) == {b"k": b"v"}


def test_the_soft_limit_of_open_files_is_raised_and_what_is_needed_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(disk_faults.resource, "getrlimit", lambda _: (256, 1_000))
    monkeypatch.setattr(disk_faults.resource, "setrlimit", lambda _, limits: taken.append(limits))
    disk_faults.raise_file_limit(4)
    assert caplog.text == ""
    disk_faults.raise_file_limit(200)
    assert taken == [(1_000, 1_000)] * 2
    assert "at most 1000 files may be open, 2100 are needed" in caplog.text


def test_a_record_that_no_batch_may_hold_is_named(tmp_path: Path) -> None:
    def batch(_: str) -> BatchBuilder:
        return BatchBuilder(900, 0, is_transactional=1)

    sender: Any = SimpleNamespace(create_batch=batch)
    committer = Committer(sender, _stores(tmp_path), 0, "app", {"a": "t"}, Failpoints(""), 900)
    small = [(b"k1", b"v" * 300, ()), (b"k2", b"v" * 700, ())]
    packed = committer._batches("t", small, 0)
    assert [count for _, count in packed] == [1, 1]
    # By these aiokafka reckons the sequence numbers.
    assert [batch.record_count() for batch, _ in packed] == [1, 1]
    (three,) = committer._batches("t", [(b"k", b"v", ())] * 3, 0)
    assert three[0].record_count() == three[1] == 3
    with pytest.raises(StopWorker, match="under key b'k3' does not fit") as refused:
        committer._batches("t", [*small, (b"k3", b"v" * 901, ())], 0)
    assert refused.value.exit_code == 2


async def test_a_batch_of_which_nobody_knows_where_it_lies_ends_the_transaction(
    tmp_path: Path,
) -> None:
    """The broker answers a repeated batch with DUPLICATE_SEQUENCE_NUMBER, and no offset."""
    done: list[str] = []

    class Answered:
        """What the broker said of each batch, in turn."""

        def __init__(self, *offsets: int) -> None:
            self.offsets = list(offsets)

        def create_batch(self, _: str) -> BatchBuilder:
            return BatchBuilder(900, 0, is_transactional=1)

        async def begin_transaction(self) -> None:
            done.append("begin")

        async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
            answer = asyncio.get_running_loop().create_future()
            answer.set_result(SimpleNamespace(offset=self.offsets.pop(0)))
            return answer

        async def send_offsets_to_transaction(self, offsets: Any, group: str) -> None:
            done.append("offsets")

        async def commit_transaction(self) -> None:
            done.append("commit")

    stores = _stores(tmp_path / "p")
    pending = PendingWrites(stores, ("a", "b"), 0)
    pending.put("a", b"k", b"v")
    logs = {"a": "t", "b": "u"}
    unknown = Committer(Answered(-1), stores, 0, "app", logs, Failpoints(""), 900)
    with pytest.raises(OffsetUnknown):
        await unknown.commit(pending, b"position", {"in": 1}, 0)
    assert done == ["begin"]
    assert stores.get("a", b"k") is None
    known = Committer(Answered(7), stores, 0, "app", logs, Failpoints(""), 900)
    await known.commit(pending, b"position", {"in": 1}, 0)
    assert done == ["begin", "begin", "offsets", "commit"]
    assert stores.get("a", b"k") == b"v"
    assert stores.meta.changelog_next == {"a": 9}


async def test_what_waits_for_its_turn_has_not_begun_and_outlives_no_limit(tmp_path: Path) -> None:
    """Twenty transactions of 0.1 s, one at a time, under a limit of 0.5 s each."""
    config = EngineConfig(
        application_id="a",
        bootstrap_servers="b:1",
        data_dir=tmp_path,
        transaction_timeout_seconds=0.5,
        concurrent_commits=1,
    )
    context = SimpleNamespace(
        config=config,
        clock=Clock(),
        cluster=SimpleNamespace(partition_count=20),
        processor=SimpleNamespace(spec=SimpleNamespace(topics=())),
        observer=NoObserver(),
        commit_slots=asyncio.Semaphore(config.concurrent_commits),
        watch=SimpleNamespace(verdict=lambda: asyncio.sleep(0)),
    )

    class Slow:
        """A broker that takes its time."""

        async def commit(self, *_: Any) -> None:
            await asyncio.sleep(0.1)

    def owned(number: int) -> PartitionTask:
        one = PartitionTask.__new__(PartitionTask)
        one.number, one._context, one._config = number, context, config  # type: ignore[assignment]
        one._pending = PendingWrites(_stores(tmp_path / str(number)), ("a", "b"), number)
        one._pending.put("a", b"k", b"v")
        one._processor = SimpleNamespace(before_commit=lambda *_: None, committed=lambda: None)  # type: ignore[assignment]
        one._committer = Slow()  # type: ignore[assignment]
        one._commit_policy = CommitPolicyState(config)
        one._now_floor, one._committed_at = 0, time.monotonic()
        one._ids, one._served, one._anew = {}, {}, {}
        one._spans = PartitionSpans(None, number, {})
        one.input_queue = InputQueue(FetchBuffer(1, 1), number, (), None, 1)
        return one

    tasks = [owned(number) for number in range(20)]
    await asyncio.gather(*(one._commit() for one in tasks))
    assert all(one.last_commit_at is not None for one in tasks)


def test_last_words_that_nobody_reads_do_not_keep_a_process_alive() -> None:
    """The pipe is full and nobody reads it: the process ends all the same."""
    program = (
        "from streams.engine import process_exit; process_exit.LAST_WORDS_SECONDS = 1.0\n"
        "process_exit.end_process('x' * 10_000_000, code=70)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    assert process.wait(20) == 70
