"""Faust's aiokafka transport, changed to pass whole batches to the engine.

The consumer yields one message per poll, whose value is the list of batches. Faust itself never
seeks, commits or pauses a partition; the partition tasks keep the positions.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage

from streams.engine.fetch_queues import FetchQueue, QueuedBatch
from streams.engine.fetching import read_batches
from streams.engine.membership import MemberConsumer
from streams.engine.process_exit import end_on
from streams.engine.watchdog import THREAD_ENDED
from streams.engine.worker import Engine
from streams.stop_worker import ExitCode, StopWorker

# How long a poll waits if some queues are full and their partitions are not fetched.
BUSY_WAIT_SECONDS = 0.01
IDLE_WAIT_SECONDS = 0.25
# How long no partition has had anything when fetches begin to wait at the broker for longer.
IDLE_AFTER_SECONDS = 1.0


class BatchConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread with the aiokafka consumer. `call_thread` runs code on its event loop.

    `turned_at`: when that loop last ran a callback (`time.monotonic()`).
    """

    engine: Engine
    turned_at = math.inf
    _found_at = math.inf

    def _create_worker_consumer(self, transport: Any) -> MemberConsumer:
        config, assignor = self.engine.config, self.app.assignor
        self._assignor = assignor
        consumer = MemberConsumer(
            **config.client_arguments(),
            client_id=config.application_id,
            group_id=config.application_id,
            group_instance_id=config.instance_id,
            partition_assignment_strategy=[assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=config.fetch_max_wait_ms,
            fetch_max_bytes=config.fetch_max_bytes,
            max_partition_fetch_bytes=config.max_partition_fetch_bytes,
            # aiokafka makes a member leave that has not fetched for this long. A spare worker has
            # no partition to fetch; the watchdog finds a consumer that stands still.
            max_poll_interval_ms=math.inf,
            session_timeout_ms=int(config.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(config.heartbeat_interval_seconds * 1000),
            rebalance_timeout_ms=int(config.rebalance_timeout_seconds * 1000),
        )
        consumer.member, consumer.data_dir = self.engine.member, config.data_dir
        return consumer

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribes once the metadata has all topics; a leader without it assigns nothing."""
        wanted = set(topics)
        await self.call_thread(self._wait_for_metadata, wanted)
        await super().subscribe(wanted)

    async def _wait_for_metadata(self, topics: set[str]) -> None:
        client = self._ensure_consumer()._client
        while True:
            await client.set_topics(topics)
            if all(client.cluster.partitions_for_topic(topic) for topic in topics):
                return
            await asyncio.sleep(0.2)
            await client.force_metadata_update()

    async def fetch(self) -> list[QueuedBatch]:
        """Fetches the next batches of all queues with room; empty after a short wait without any.

        Raises:
            TimeoutError: the consumer's thread does not answer.
        """
        limit = self.engine.config.loop_stall_seconds
        try:
            async with asyncio.timeout(limit):
                batches: list[QueuedBatch] = await self.call_thread(self._fetch)
        except TimeoutError as error:
            raise TimeoutError(f"the consumer gave nothing back for {limit:.0f} s") from error
        return batches

    async def call_thread(
        self, fun: Callable[..., Awaitable[Any]], *args: Any, **named: Any
    ) -> Any:
        """Runs `fun` on the thread's loop. Raises StopWorker if the thread has ended."""
        try:
            return await super().call_thread(fun, *args, **named)
        except RuntimeError as error:
            if not self.thread_loop.is_closed():
                raise
            raise StopWorker(THREAD_ENDED, ExitCode.RESTART) from error

    def knock(self) -> None:
        """Makes the thread's loop update `turned_at`, as a sign of life."""
        # A loop that is closed raises; the watchdog's next look sees that the thread has ended.
        with contextlib.suppress(RuntimeError):
            self.thread_loop.call_soon_threadsafe(self._turned)

    def _turned(self) -> None:
        self.turned_at = time.monotonic()

    async def leave(self) -> None:
        """Leaves the group, so that its assignment does not come back after a restart."""
        coordinator = self._ensure_consumer()._coordinator
        leaving = asyncio.run_coroutine_threadsafe(
            coordinator._maybe_leave_group(), self.thread_loop
        )
        await asyncio.wait_for(asyncio.wrap_future(leaving), 5.0)

    async def _fetch(self) -> list[QueuedBatch]:
        consumer = self._ensure_consumer()
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError()
        if consumer._subscription.reassignment_in_progress:
            await asyncio.sleep(BUSY_WAIT_SECONDS)
            return []
        buffer = self.engine.buffer
        wanted = buffer.wanted()
        if not wanted:
            await asyncio.sleep(BUSY_WAIT_SECONDS)
            return []
        patience = IDLE_WAIT_SECONDS if len(wanted) == len(buffer.queues) else BUSY_WAIT_SECONDS
        batches = await read_batches(
            consumer,
            buffer.wanted,
            self.engine.config.poll_records,
            patience,
            self.engine.processor.spec.columns,
        )
        self._pace(consumer._fetcher, bool(batches))
        return batches

    def _pace(self, fetcher: Any, found: bool) -> None:
        """Lets a broker keep fetches for longer while no partition has anything.

        A partition whose records were taken is fetched again only when the fetch that is out for
        the others has returned. While idle there is none, and the first record ends a fetch.
        """
        config, now = self.engine.config, time.monotonic()
        if found:
            self._found_at = now
        idle = now - self._found_at > IDLE_AFTER_SECONDS
        fetcher._fetch_max_wait_ms = config.idle_fetch_wait_ms if idle else config.fetch_max_wait_ms

    async def seek_queues(self, queues: list[FetchQueue]) -> None:
        """Seeks to the start of each queue, and fetches for these queues from then on."""
        await self.call_thread(self._seek_queues, queues)

    async def _seek_queues(self, queues: list[FetchQueue]) -> None:
        # No await here, so that seeks take effect in the order of the calls.
        consumer = self._ensure_consumer()
        self._pace(consumer._fetcher, True)
        for queue in queues:
            if queue.closed:
                # The partition task was suspended meanwhile.
                continue
            try:
                consumer.seek(TopicPartition(queue.topic, queue.partition), queue.expected)
            except IllegalStateError:
                # The partition was revoked meanwhile. Its next owner seeks to its own position.
                continue
            self.engine.buffer.queues[queue.topic, queue.partition] = queue

    def positions(self) -> dict[tuple[str, int], int]:
        """Returns the consumer's position in each assigned partition. It is thread-safe."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        return {
            (tp.topic, tp.partition): state.position
            for tp, state in states.items()
            if state is not None and state.has_valid_position
        }


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, which yields batches and tells the engine of rebalances before Faust."""

    engine: Engine

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.engine = args[0].app.engine
        super().__init__(*args, **kwargs)
        self._serial = itertools.count(1)
        self.engine.member.consumer = self

    def _new_consumer_thread(self) -> BatchConsumerThread:
        thread = BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)
        thread.engine = self.engine
        return thread

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Suspends the engine's partition tasks, then tells Faust."""
        await self.engine.running.assignment.revoked((tp.topic, tp.partition) for tp in revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """Gives the engine its partitions, then tells Faust."""
        await self.engine.running.assignment.assigned(
            [(tp.topic, tp.partition) for tp in assigned], generation_id
        )
        await super().on_partitions_assigned(assigned, generation_id)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109
        """Yields one message per non-empty poll; its value is the list of fetched batches.

        Each message costs Faust two tasks and several turns of the loop, so there is one per poll
        and not one per partition.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        try:
            fetched = await self._thread.fetch()
        except (ConsumerStoppedError, asyncio.CancelledError):
            raise
        except BaseException as error:
            end_on(error, "fetching")
        if not fetched:
            return
        self.engine.failpoints.hit("after-fetch")
        first = fetched[0].batch
        tp = self._new_topicpartition(first.topic, first.partition)
        # Faust drops a message whose offset is below the last one of the partition, which after a
        # seek back would be all of them. So a running number is used instead of the offset.
        serial = next(self._serial)
        yield (
            tp,
            ConsumerMessage(
                first.topic,
                first.partition,
                serial,
                0.0,
                0,
                (),
                None,
                fetched,
                None,
                0,
                0,
                tp,
                generation_id=self.app.consumer_generation_id,
            ),
        )

    async def perform_seek(self) -> None:
        """Does nothing: the partition tasks seek to their own positions."""

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Does nothing: the partition tasks seek."""
        return {}

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Does nothing: the partitions' transactions commit the offsets."""
        return False


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """The transport that uses `BatchConsumer`."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
