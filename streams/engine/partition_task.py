"""The task of one partition number: it owns that partition of every input, table and output.

It starts the producer (which fences the predecessor), recovers the state, checks the checkpoint and
then processes; rebalances suspend, resume or close it. Errors are not handled here:
`process_exit.spawn` ends the process.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from streams.engine.broker_clock import PartitionClock
from streams.engine.checkpoint import encode_checkpoint
from streams.engine.commit_policy import CommitPolicyState
from streams.engine.context import EngineContext
from streams.engine.fetch_queues import QueuedBatch
from streams.engine.high_watermarks import HighWatermarks
from streams.engine.input_queue import InputQueue
from streams.engine.observer import PartitionStatus
from streams.engine.opening import Opening
from streams.engine.process_exit import spawn
from streams.engine.processor import FetchedBatch, PartitionProcessor
from streams.engine.refetch import Refetch
from streams.engine.restore import RestoredPartition
from streams.engine.spans import PartitionSpans
from streams.engine.timer_rounds import TimerRounds
from streams.engine.transaction import PendingWrites


class PartitionTask:
    """Owns one partition number for this worker."""

    def __init__(self, context: EngineContext, number: int) -> None:
        self.number = number
        self.state = "recovering"
        self.recovered_records = 0
        self.last_commit_at: int | None = None
        self.input_queue = InputQueue(
            context.buffer,
            number,
            context.processor.spec.topics,
            context.broadcast,
            context.config.poll_records,
        )
        self._context = context
        self._config = context.config
        self._suspend = False
        self._quiet = asyncio.Event()
        self._wake = asyncio.Event()
        self._commit_policy = CommitPolicyState(context.config)
        self._refetch = Refetch(context, self.input_queue)
        self._rounds = TimerRounds(context, number, self.wake)
        self._committed_at = time.monotonic()
        self._told_of_change = False
        self._opening = Opening(context, number)
        self._processor: PartitionProcessor
        self._pending: PendingWrites
        self._spans: PartitionSpans
        self._restored: RestoredPartition
        self._clock: PartitionClock
        self._task = spawn(self._live(), f"partition {number}")

    # Called by the assignment, the router and the watchdog.

    def wake(self) -> None:
        """Wakes the task to look for work."""
        self._wake.set()

    def receive(self, fetched: QueuedBatch) -> None:
        """Takes a batch from the consumer; one for a queue no longer in use is dropped."""
        trouble = self.input_queue.receive(fetched)
        if trouble is not None:
            self.refetch("gap", trouble)
        self._wake.set()

    async def suspend(self) -> None:
        """Commits what has been applied. The task then waits for `resume` or `close`."""
        self._suspend = True
        self.input_queue.drop_queues()
        if self.state == "recovering":
            await self._opening.suspend()
        else:
            self._wake.set()
            await self._quiet.wait()

    def resume(self) -> None:
        """Continues after a rebalance in which this worker kept the partition."""
        self._suspend = False
        self._opening.resume()
        self._wake.set()

    async def close(self) -> None:
        """Ends the task and closes its producer and stores. It must be suspended.

        The state is dropped at once. The cancelled task refers to this object and this object to
        the task, and the garbage collector seldom runs.
        """
        self._task.cancel()
        await asyncio.wait([self._task])
        self.input_queue.drop_queues()
        self._rounds.close()
        await self._opening.release()
        for name in ("_restored", "_clock", "_processor", "_pending"):
            self.__dict__.pop(name, None)

    def refetch(self, reason: str, detail: str) -> None:
        """Seeks back to the last applied offset; if that was just done, ends the process."""
        if self.state == "running":
            self._refetch.start(reason, detail)

    def status(self) -> PartitionStatus:
        """Returns the status for the health page."""
        running = self.state == "running"
        return PartitionStatus(
            partition=self.number,
            state=self.state,
            lag=self.input_queue.lag(self._context.lags),
            queued_records=self.input_queue.queued_records,
            recovered_records=self.recovered_records,
            last_commit_at=self.last_commit_at,
            next_due_at=self._processor.due() if running else None,
        )

    async def _live(self) -> None:
        await self._restore()
        while True:
            if self._suspend:
                await self._rest()
            else:
                await self._refetch.seek()
            await self._work()

    async def _restore(self) -> None:
        """Opens the partition, in a function of its own, so that its locals are freed."""
        context, restored = self._context, await self._opening.run()
        self._restored, self._clock = restored, restored.clock
        self._processor = restored.processor
        self._pending = restored.pending
        self.input_queue.reads = restored.reads
        self._spans = PartitionSpans(context.spans, self.number, restored.reads)
        self.recovered_records = restored.recovered_records
        if self._pending.dirty:
            self._commit_policy.applied(False, True, time.monotonic())
        self.state = "running"
        context.on_change()

    async def _rest(self) -> None:
        """Waits until `resume`. `close` cancels the task here."""
        self.state = "suspended"
        self._rounds.forget()
        self._quiet.set()
        while self._suspend:
            self._wake.clear()
            await self._wake.wait()
        self._quiet.clear()
        self.state = "running"
        await self._refetch.seek()

    async def _work(self) -> None:
        """Applies inputs, commits and runs timers until suspended."""
        if not self._suspend:
            await self._clock.begin()
        while not self._suspend:
            self._wake.clear()
            batches = self.input_queue.take()
            if batches or self._untold():
                self._step(batches)
            timers_run = await self._time()
            more = bool(batches) and self.input_queue.queued
            if self._commit_due(more) or self._idle_too_long():
                await self._commit()
            elif not batches and not timers_run:
                await self._sleep()
            if batches or timers_run:
                # Let the router and the other partitions run.
                await asyncio.sleep(0)
        self._context.failpoints.hit("on-revoke")
        await self._commit()

    def _step(self, batches: list[FetchedBatch]) -> None:
        began = time.monotonic()
        self._tell_of_change()
        waiting = self._processor.step(self._pending, self._clock.now(), batches)
        counts = _record_counts(batches)
        self._commit_policy.applied(waiting, self._pending.dirty, began)
        self._context.observer.stepped(self.number, counts, time.monotonic() - began)
        self._context.failpoints.hit("after-step")

    def _commit_due(self, more: bool) -> bool:
        pending = self._pending
        records = pending.change_count + pending.output_count
        return self._commit_policy.commit_due(more, records, pending.size, time.monotonic())

    def _idle_too_long(self) -> bool:
        """Whether the last commit is so old that the broker may soon drop the transactional id."""
        return time.monotonic() - self._committed_at > self._config.idle_commit_seconds

    async def _commit(self) -> None:
        """Commits the pending writes with the checkpoint, or the checkpoint alone."""
        pending = self._pending
        dirty = pending.dirty
        needed = self._commit_policy.moved or self._idle_too_long() or self._clock.wanted
        if not dirty and not needed:
            return
        began, before, now = time.monotonic(), self._context.clock.now(), self._clock.now()
        cluster, reads = self._context.cluster, dict(self.input_queue.reads)
        if dirty:
            self._processor.before_commit(pending, now, dict(reads))
        checkpoint = self._restored.checkpoint(cluster.partition_count, now, reads)
        offsets = {topic: reads[topic] for topic in self._context.processor.spec.topics}
        changes, outputs = pending.change_count, pending.output_count
        value, limit = encode_checkpoint(checkpoint), self._config.transaction_timeout_seconds
        # The time limit does not include the wait for a commit slot.
        async with self._context.commit_slots, _at_most(limit, self._context.watch.verdict):
            with self._spans.around(reads, changes) as span:
                await self._restored.committer.commit(pending, value, offsets, now, span)
        pending.clear()
        self.last_commit_at = now
        self._commit_policy.committed()
        self._committed_at = time.monotonic()
        self._clock.committed(now, before)
        if dirty:
            self._processor.committed()
        self._context.observer.committed(self.number, changes, outputs, time.monotonic() - began)

    async def _time(self) -> bool:
        """Runs a round of timers if one is due and its inputs are read. Returns whether it did."""
        due = self._processor.due()
        ends = self._rounds.ready(due, self._context.clock.now(), self.input_queue.reads)
        if due is None or ends is None:
            return False
        await self._run_timers(ends, due)
        return True

    async def _run_timers(self, ends: HighWatermarks, due: int) -> None:
        """Runs one round of timers, in a transaction of its own."""
        if self._pending.dirty or self._clock.wanted:
            await self._commit()
        self._context.failpoints.hit("before-fire")
        began, now = time.monotonic(), self._clock.now()
        self._tell_of_change()
        sure = ends.looked and self._clock.sure(self._config.clock_jump_seconds)
        more = self._processor.run_timers(
            self._pending,
            now,
            ends.as_of,
            self._config.timers_per_round,
            favourable_only=not sure,
        )
        if not more:
            self._rounds.forget()
        self._context.failpoints.hit("after-fire")
        self._context.observer.timers_run(self.number, now - due, time.monotonic() - began)
        if self._pending.dirty:
            await self._commit()
        elif self._processor.due() == due:
            self._rounds.hold()

    def _untold(self) -> bool:
        """Whether the cluster has changed and the processor does not know it yet.

        It is told in a step, if need be one without inputs, so that a transaction notes it.
        """
        return self._context.watch.changed is not None and not self._told_of_change

    def _tell_of_change(self) -> None:
        """Tells the processor once that the cluster has changed, before its next decision."""
        if self._untold():
            self._told_of_change = True
            self._processor.cluster_changed(self._clock.now())

    async def _sleep(self) -> None:
        """Sleeps until the task is woken, or a commit or a timer is due."""
        wait = self._commit_policy.wait_seconds(time.monotonic())
        alarm_ms = self._rounds.alarm_ms
        if alarm_ms is not None:
            wait = min(wait, alarm_ms / 1000)
        await _woken(self._wake, max(wait, 0.001))


def _record_counts(batches: list[FetchedBatch]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for batch in batches:
        counts[batch.topic] = counts.get(batch.topic, 0) + len(batch.records)
    return counts


async def _woken(wake: asyncio.Event, seconds: float) -> None:
    """Returns when the event is set; sets it after so many seconds."""
    handle = asyncio.get_running_loop().call_later(seconds, wake.set)
    try:
        await wake.wait()
    finally:
        handle.cancel()


@asynccontextmanager
async def _at_most(seconds: float, verdict: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Ends what takes longer. Raises TimeoutError with a sentence for the log.

    `verdict` is awaited before: it may end the process with a better sentence.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        await verdict()
        raise TimeoutError(f"a transaction did not end within {seconds:.0f} s") from error
