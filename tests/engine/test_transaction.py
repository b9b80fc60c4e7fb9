"""What a transaction holds, packs and commits, without a broker."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.engine.checkpoint import CHECKPOINT_KEY, Checkpoint
from streams.engine.clock import Clock
from streams.engine.commit_policy import CommitPolicyState
from streams.engine.config import EngineConfig
from streams.engine.failpoints import Failpoints
from streams.engine.fetch_queues import FetchBuffer
from streams.engine.input_queue import InputQueue
from streams.engine.observer import NoObserver
from streams.engine.partition_task import PartitionTask
from streams.engine.spans import PartitionSpans
from streams.engine.transaction import Committer, OffsetUnknown, PendingWrites
from streams.stop_worker import StopWorker
from tests.engine.given import opened


def test_pending_writes_read_what_they_wrote_and_clear_forgets_them(tmp_path: Path) -> None:
    stores = opened(tmp_path / "db")
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


def test_a_record_that_no_batch_may_hold_is_named(tmp_path: Path) -> None:
    def batch(_: str) -> BatchBuilder:
        return BatchBuilder(900, 0, is_transactional=1)

    sender: Any = SimpleNamespace(create_batch=batch)
    committer = Committer(sender, opened(tmp_path), 0, "app", {"a": "t"}, Failpoints(""), 900)
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

    stores = opened(tmp_path / "p")
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

    class NoClock:
        wanted = False
        now = context.clock.now

        def committed(self, now: int, before: int) -> None: ...

    checkpoint = Checkpoint(1, 20, 0, {})
    restored = SimpleNamespace(committer=Slow(), checkpoint=lambda *_: checkpoint)

    def owned(number: int) -> PartitionTask:
        one = PartitionTask.__new__(PartitionTask)
        one.number, one._context, one._config = number, context, config  # type: ignore[assignment]
        one._pending = PendingWrites(opened(tmp_path / str(number)), ("a", "b"), number)
        one._pending.put("a", b"k", b"v")
        one._processor = SimpleNamespace(before_commit=lambda *_: None, committed=lambda: None)  # type: ignore[assignment]
        one._commit_policy = CommitPolicyState(config)
        one._committed_at = time.monotonic()
        one._clock = NoClock()  # type: ignore[assignment]
        one._restored = restored  # type: ignore[assignment]
        one._spans = PartitionSpans(None, number, {})
        one.input_queue = InputQueue(FetchBuffer(1, 1), number, (), None, 1)
        return one

    tasks = [owned(number) for number in range(20)]
    await asyncio.gather(*(one._commit() for one in tasks))
    assert all(one.last_commit_at is not None for one in tasks)
