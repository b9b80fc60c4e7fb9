"""Finds stalls that raise no error, and ends the process or seeks back.

aiokafka raises errors of its background tasks in `getmany`, which Faust does not call. A worker
whose event loop hangs stays in the group, because another thread sends the heartbeats. A group
leader without metadata assigns no partitions. A clock that jumps makes timers act too early.
"""

import asyncio
import ctypes
import math
import threading
import time
from contextlib import suppress
from typing import Any

from streams.engine.assignment import Assignment
from streams.engine.context import EngineContext
from streams.engine.disk_faults import full_in
from streams.engine.process_exit import end_on, end_process
from streams.kafka.rights import RIGHTS_ERRORS

THREAD_ENDED = "the consumer's thread has ended: nothing would ever be read"
TICK_SECONDS = 0.5
LEAVE_SECONDS = 5.0
# In ticks, not seconds, so that a loop that was held up can first route batches under way.
TAIL_PATIENCE_TICKS = 5


class Watchdog:
    """Runs checks on the event loop, and watches the loop itself from a thread."""

    def __init__(self, context: EngineContext, assignment: Assignment) -> None:
        self._context = context
        self._assignment = assignment
        self._ticks = 0
        self._empty_since: float | None = None
        self._turned_at = math.nan
        self._thread_still = 0
        self._unsettled_since = time.monotonic()
        self._tails: dict[tuple[str, int], tuple[int, int]] = {}
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._watch_loop, name="loop-watchdog", daemon=True)

    async def run(self) -> None:
        """Runs all checks twice a second until the task is cancelled."""
        self._thread.start()
        try:
            while True:
                self._ticks += 1
                self._check_clock()
                self._check_consumer()
                await self._check_assignment()
                self._check_tails()
                _give_back()
                await asyncio.sleep(TICK_SECONDS)
        finally:
            self._leaving.set()

    def stop_within(self, seconds: float) -> None:
        """Ends the process if stopping takes longer than this, for example without a broker."""

        def cut() -> None:
            end_process(f"stopping took longer than {seconds:.0f} s")

        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            # No thread can be started. The loop can only cut short what it waits for itself.
            asyncio.get_running_loop().call_later(seconds, cut)

    def _check_clock(self) -> None:
        drift = self._context.clock.drift_seconds()
        if abs(drift) > self._context.config.clock_jump_seconds:
            end_process(f"the machine's clock jumped by {drift:.1f} s")

    def _check_consumer(self) -> None:
        member = self._context.member
        if member.consumer is None or self._assignment.stopping:
            return
        thread = member.consumer._thread
        consumer = thread._consumer
        if consumer is None or consumer._coordinator is None or consumer._fetcher is None:
            return
        self._check_thread(thread)
        coordinator = consumer._coordinator
        for name, task in (
            ("_coordination_task", coordinator._coordination_task),
            ("_fetch_task", consumer._fetcher._fetch_task),
        ):
            if task.done():
                error = None if task.cancelled() else task.exception()
                self._refuse_if_for_a_person(error)
                end_process(f"aiokafka's {name} ended: {error!r}", error)
        error = coordinator._pending_exception
        if error is not None:
            self._refuse_if_for_a_person(error)
            end_process(f"aiokafka's coordinator failed: {error!r}", error)

    def _refuse_if_for_a_person(self, error: BaseException | None) -> None:
        if isinstance(error, RIGHTS_ERRORS):
            end_on(error, "in the group")
        if error is not None and full_in(error) is not None:
            end_on(
                error, f"in the group, whose member id is kept in {self._context.config.data_dir}"
            )

    def _check_thread(self, thread: Any) -> None:
        """Ends the process if the consumer's thread has ended or its event loop hangs."""
        worker = thread._thread
        if worker is not None and not worker.is_alive():
            end_process(THREAD_ENDED)
        limit = self._context.config.loop_stall_seconds
        # Counted in ticks, not seconds: after a freeze of the process both loops need time to run.
        self._thread_still = self._thread_still + 1 if thread.turned_at == self._turned_at else 0
        self._turned_at = thread.turned_at
        if self._thread_still * TICK_SECONDS >= limit:
            end_process(f"the consumer's loop has not turned for {limit:.0f} s")
        thread.knock()

    async def _check_assignment(self) -> None:
        """Ends the process if the leader assigns no partition to any member, or a rebalance lasts
        too long. It waits while Kafka is away or another worker has this instance id.
        """
        assignment, member = self._assignment, self._context.member
        now = time.monotonic()
        waiting = member.ousted or self._context.watch.away
        if assignment.settled or assignment.stopping or waiting:
            self._unsettled_since = now
        elif now - self._unsettled_since > self._context.config.unsettled_seconds:
            await self._leave_and_end("the group has not come to an assignment")
        if not assignment.settled or assignment.tasks or assignment.stopping:
            self._empty_since = None
            return
        others = member.consumer.app.assignor.external_topic_distribution
        if any(partitions for tps in others.values() for partitions in tps.values()):
            self._empty_since = None
            return
        if self._empty_since is None:
            self._empty_since = now
        if now - self._empty_since > self._context.config.empty_assignment_seconds:
            await self._leave_and_end("the group's leader assigns no partition to any member")

    async def _leave_and_end(self, message: str) -> None:
        """Leaves the group and ends the process.

        A static member that does not leave gets the same assignment again after its restart.
        """
        with suppress(Exception):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._context.member.leave()
        end_process(message)

    def _check_tails(self) -> None:
        """Finds a lost last batch, by comparison of queues with the consumer's positions.

        No later batch would show the gap.
        """
        queues = self._context.buffer.queues
        if not queues:
            self._tails.clear()
            return
        for key, position in self._context.member.consumer._thread.positions().items():
            queue = queues.get(key)
            if queue is None or queue.batches or position <= queue.expected:
                self._tails.pop(key, None)
                continue
            expected, ticks = self._tails.get(key, (queue.expected, 0))
            ticks = ticks + 1 if expected == queue.expected else 0
            self._tails[key] = (queue.expected, ticks)
            if ticks >= TAIL_PATIENCE_TICKS:
                self._tails.pop(key)
                task = self._assignment.tasks.get(key[1])
                if task is not None:
                    task.refetch(
                        "tail", f"{key[0]}: fetched to {position}, got to {queue.expected}"
                    )

    def _watch_loop(self) -> None:
        """Ends the process if the event loop hangs; runs in a thread.

        It counts wake-ups, not seconds, so that a freeze of the whole process does not count.
        """
        seen, still = -1, 0
        limit = int(self._context.config.loop_stall_seconds)
        while not self._leaving.wait(1.0):
            still = still + 1 if self._ticks == seen else 0
            seen = self._ticks
            if still >= limit:
                end_process(f"the event loop has not turned for {limit} s")


_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def _give_back() -> None:
    """Returns freed memory to the operating system (glibc only)."""
    if _malloc_trim is not None:
        _malloc_trim(0)
