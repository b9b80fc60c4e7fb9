"""What stalls a worker or loses a batch in silence, done on purpose, and the cures taken away.

A toy worker is started with `break=[…]` and `without=[…]`. The causes are those of
streams/engine/DESIGN.md, "What the libraries really do"; test_cures.py shows each with and
without its cure.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import NodeNotReadyError
from faust.assignor.partition_assignor import PartitionAssignor

from streams.engine import cluster_watch, fetch_queues, fetching, watchdog
from streams.engine.assignment import Assignment
from streams.engine.assignor import FixedAssignor
from streams.engine.membership import StaticMember
from streams.engine.transport import BatchConsumerThread
from streams.engine.worker import Engine
from streams.kafka import stretches

LATE_SECONDS = 6.0


def _after_start(act: Callable[[Engine], None], seconds: float) -> None:
    start = Engine.start

    async def started(self: Engine) -> None:
        await start(self)
        asyncio.get_running_loop().call_later(seconds, act, self)

    Engine.start = started  # type: ignore[method-assign]


def late_metadata() -> None:
    """The topics' partitions are known some seconds after the worker would join."""
    known = ClusterMetadata.partitions_for_topic
    started: list[float] = []
    start = Engine.start

    async def begun(self: Engine) -> None:
        await start(self)
        started.append(time.monotonic())

    def late(self: Any, topic: str) -> Any:
        early = started and time.monotonic() - started[0] < LATE_SECONDS
        return None if early else known(self, topic)

    Engine.start = begun  # type: ignore[method-assign]
    ClusterMetadata.partitions_for_topic = late


def metadata_gate() -> None:
    """Join at once, whatever is known of the topics."""

    async def at_once(self: Any, topics: set[str]) -> None:
        self._ensure_consumer()._client.set_topics(topics)

    BatchConsumerThread._wait_for_metadata = at_once  # type: ignore[method-assign]


def fixed_assignor() -> None:
    """The leader distributes what its own metadata shows."""
    FixedAssignor._assign = PartitionAssignor._assign  # type: ignore[method-assign]


def dead_fetch() -> None:
    """aiokafka's fetching task ends without a word."""

    def end(engine: Engine) -> None:
        engine.member.consumer._thread._consumer._fetcher._fetch_task.cancel()

    _after_start(end, LATE_SECONDS)


def dead_coordination() -> None:
    """aiokafka's coordination task ends without a word."""

    def end(engine: Engine) -> None:
        engine.member.consumer._thread._consumer._coordinator._coordination_task.cancel()

    _after_start(end, LATE_SECONDS)


def look_at_tasks() -> None:
    """Nobody looks whether aiokafka's tasks still run."""
    watchdog.Watchdog._check_consumer = lambda self: None  # type: ignore[method-assign]

    async def careless(consumer: Any, wanted: Any, count: int, seconds: float, **_: Any) -> Any:
        with consumer._fetcher._subscriptions.fetch_context():
            found = stretches.drain(consumer._fetcher, wanted(), count)
            if not found:
                await stretches.wait_for_records(consumer._fetcher, seconds)
                found = stretches.drain(consumer._fetcher, wanted(), count)
        return found

    fetching.read_stretches = careless


def idle_for_days() -> None:
    """The consumer has fetched nothing for three days."""

    def age(engine: Engine) -> None:
        consumer = engine.member.consumer._thread._consumer
        consumer._subscription._last_fetch_ended -= 3 * 24 * 3600.0
        print("idle for days", flush=True)

    _after_start(age, LATE_SECONDS)


def stuck_thread() -> None:
    """The loop of the consumer's thread stands still."""

    def stick(engine: Engine) -> None:
        engine.member.consumer._thread.thread_loop.call_soon_threadsafe(time.sleep, 60)

    _after_start(stick, LATE_SECONDS)


def ended_thread() -> None:
    """The loop of the consumer's thread comes to its end under a request, which gets no answer.

    A request made after that end is refused at once (test_transport.py), so it may not wait for
    one: on a busy machine it would come between two.
    """

    async def last(self: Any) -> None:
        self.thread_loop.stop()
        await asyncio.Event().wait()

    def end(engine: Engine) -> None:
        BatchConsumerThread._fetch = last  # type: ignore[method-assign, assignment]

    _after_start(end, LATE_SECONDS)


def look_at_thread() -> None:
    """Nobody looks at the consumer's thread, and whoever asks it waits for ever."""
    watchdog.Watchdog._check_thread = lambda self, thread: None  # type: ignore[method-assign]

    async def patient(self: Any) -> Any:
        return await self.call_thread(self._fetch)

    BatchConsumerThread.fetch = patient  # type: ignore[method-assign]


def half_assignment() -> None:
    """The leader forgets one topic of what it distributes."""
    assign = FixedAssignor._assign

    def half(self: Any, cluster: Any, members: Any) -> Any:
        for member in members.values():
            member.subscription.sort()
        groups = FixedAssignor._get_copartitioned_groups
        lost = min(next(iter(members.values())).subscription)

        def without(topics: set[str], *rest: Any) -> Any:
            return groups({topic for topic in topics if topic != lost}, *rest)

        self._get_copartitioned_groups = without
        return assign(self, cluster, members)

    FixedAssignor._assign = half  # type: ignore[method-assign]


def no_leaving() -> None:
    """A static member never leaves its group, as aiokafka would have it."""
    StaticMember._maybe_leave_group = GroupCoordinator._maybe_leave_group  # type: ignore[method-assign]


def no_look() -> None:
    """The cluster answers everything but what asks for its topics."""

    async def taken(self: Any) -> None:
        raise NodeNotReadyError("on purpose")

    cluster_watch.ClusterWatch._take_look = taken  # type: ignore[method-assign]


def slow_look() -> None:
    """The first look at the cluster takes longer than a timer waits for one."""
    take, first = cluster_watch.ClusterWatch._take_look, [True]

    async def slow(self: Any) -> None:
        if first.pop() if first else False:
            await asyncio.sleep(7.0)
            await take(self)
            logging.getLogger(__name__).info("the first look is over")
        else:
            await take(self)

    cluster_watch.ClusterWatch._take_look = slow  # type: ignore[method-assign]


def tail_check() -> None:
    """Nobody compares how far was fetched with how far was applied."""
    watchdog.Watchdog._check_tails = lambda self: None  # type: ignore[method-assign]


def span_check() -> None:
    """Batches are taken as they come, whether or not one follows on the other."""

    def careless(self: Any, fetched: Any) -> bool:
        batch = fetched.batch
        if batch.end > self.expected:
            self.end = max(self.end, batch.high_water)
            self.expected = batch.end
            self.batches.append(fetched)
            self._count(len(batch.records), fetched.size)
        return True

    fetch_queues.FetchQueue.put = careless  # type: ignore[method-assign]


def late_assignment() -> None:
    """While the worker stops, the group hands it partitions once more."""
    stop = Assignment.stop

    async def stopped(self: Assignment) -> None:
        numbers = list(self.tasks)
        topics = self._context.processor.spec.topics
        await stop(self)
        await self.assigned([(topic, n) for topic in topics for n in numbers], self.generation + 1)

    Assignment.stop = stopped  # type: ignore[method-assign]


def stopping_flag() -> None:
    """An assignment counts whenever it comes."""
    assigned = Assignment._assigned

    async def whenever(self: Assignment, partitions: Any, generation: int) -> None:
        self.stopping = False
        await assigned(self, partitions, generation)

    Assignment._assigned = whenever  # type: ignore[method-assign]


ALL: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        late_metadata,
        metadata_gate,
        fixed_assignor,
        dead_fetch,
        dead_coordination,
        look_at_tasks,
        idle_for_days,
        stuck_thread,
        ended_thread,
        look_at_thread,
        half_assignment,
        no_leaving,
        no_look,
        slow_look,
        tail_check,
        span_check,
        late_assignment,
        stopping_flag,
    )
}
"""Causes and cures by name."""
