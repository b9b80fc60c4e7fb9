"""Asks for the end offsets of the inputs, of all partitions with one request to each leader.

The ends are high watermarks, as a `read_uncommitted` consumer sees them. The `read_committed` end
is too low: it stops at the oldest open transaction, though another producer may have committed
records after that point. So a timer waits until such a transaction ends, at the latest by its
time-out. A partition whose leader does not answer holds its own timers; it is asked again, and the
others are answered meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.engine.clock import Clock
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.config import EngineConfig
from streams.engine.process_exit import spawn
from streams.engine.recovery import plain_consumer
from streams.kafka.requests.offsets import EARLIEST, LATEST, OffsetAnswer, answers, offsets
from streams.kafka.requests.open_transactions import (
    OpenTransaction,
    marker_time,
    open_transactions,
)
from streams.log_events import event

# The shortest time between two requests; a timer may be late by a second.
PACE_SECONDS = 0.1
# How long after a request without an answer a partition is asked for again.
AGAIN_SECONDS = 0.5
# How long a partition that is opened waits for its bounds before the log names the cause.
NAMED_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HighWatermarks:
    """The end offsets of all topics, asked for at `as_of` (milliseconds UTC) or shortly after.

    `looked`: the cluster watch checked at `as_of` or later that every topic exists.
    """

    as_of: int
    ends: Mapping[str, int]
    looked: bool = True

    def reached(self, reads: Mapping[str, int]) -> bool:
        """Whether all records before these ends were read. `reads`: by topic, the next offset."""
        return all(reads.get(topic, 0) >= end for topic, end in self.ends.items())


class HighWatermarkReader:
    """Answers the requests of all partitions for end offsets with one request to the broker."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        topics: Sequence[str],
        broadcast: str | None,
        watch: ClusterWatch,
    ) -> None:
        self._watch = watch
        self._clock = clock
        self._topics = topics
        self._broadcast = broadcast
        self._asked: dict[int, asyncio.Future[HighWatermarks]] = {}
        self._under_way: set[int] = set()
        """The partition numbers of `_asked` for which the brokers are being asked."""
        self._rounds: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._consumer = plain_consumer(config, "read_uncommitted", "ends")

    async def start(self) -> None:
        """Connects to Kafka."""
        await self._consumer.start()

    async def bounds(self, partitions: Sequence[int]) -> dict[int, dict[str, tuple[int, int]]]:
        """Returns, by partition and input topic, the first offset and the end offset.

        It waits while a leader does not tell, so that other partitions go on meanwhile.
        """
        tps = [TopicPartition(topic, number) for number in partitions for topic in self._topics]
        began, told = time.monotonic(), False
        bounds, faults = await self.look(tps)
        while faults:
            if not told and time.monotonic() - began >= NAMED_SECONDS:
                told = True
                logger.error(
                    "the brokers do not say where an input ends (%s): its partition number is "
                    "opened when they do. See that it has a leader; other partitions go on",
                    "; ".join(f"{tp.topic}[{tp.partition}]: {why}" for tp, why in faults.items()),
                    extra=event("end_unknown"),
                )
            await asyncio.sleep(AGAIN_SECONDS)
            bounds, faults = await self.look(tps)
        if told:
            logger.warning(
                "the brokers say again where the inputs of %s end: going on",
                ", ".join(map(str, partitions)),
                extra=event("end_known"),
            )
        return {
            number: {tp.topic: bounds[tp] for tp in tps if tp.partition == number}
            for number in partitions
        }

    async def look(
        self, partitions: Iterable[TopicPartition]
    ) -> tuple[dict[TopicPartition, tuple[int, int]], dict[TopicPartition, str]]:
        """Returns, by partition, the first offset and the end offset; and why others have none."""
        asked, client = list(partitions), self._consumer._client
        begins, ends = await asyncio.gather(
            offsets(client, asked, EARLIEST), offsets(client, asked, LATEST)
        )
        known = begins.found.keys() & ends.found.keys()
        bounds = {tp: (begins.found[tp], ends.found[tp]) for tp in asked if tp in known}
        return bounds, {**begins.failed, **ends.failed}

    async def of(self, partitions: Iterable[TopicPartition]) -> OffsetAnswer:
        """Returns the end offset of each of these partitions, or why it is not known."""
        return await offsets(self._consumer._client, partitions, LATEST)

    async def broadcast_end(self) -> int:
        """Returns the end offset of the broadcast topic; 0 if there is no such topic."""
        if self._broadcast is None:
            return 0
        tp = TopicPartition(self._broadcast, 0)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets([tp])
        return ends[tp]

    async def hiding(self, places: Sequence[tuple[str, int]]) -> list[OpenTransaction]:
        """Returns the open transactions in these partitions, which block `read_committed` reads."""
        return await open_transactions(self._consumer._client, places)

    async def marked_at(self, place: TopicPartition, producer_id: int) -> int | None:
        """Returns when a producer's last transaction in a partition ended, by the leader's clock.

        Milliseconds UTC; None while its marker is not written.
        """
        return await marker_time(self._consumer._client, place, producer_id)

    async def ask(self, partition: int) -> HighWatermarks:
        """Returns the ends of this partition of all input topics, and of the broadcast topic."""
        future = self._asked.get(partition)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._asked[partition] = future
            self._wake.set()
        return await asyncio.shield(future)

    async def run(self) -> None:
        """Answers requests until the task is cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                numbers = set(self._asked) - self._under_way
                self._under_way |= numbers
                self._rounds.add(round_ := spawn(self._round(numbers), "asking for ends"))
                round_.add_done_callback(self._rounds.discard)
                await asyncio.sleep(PACE_SECONDS)
        finally:
            for round_ in self._rounds:
                round_.cancel()
            await self._consumer.stop()

    async def _round(self, numbers: set[int]) -> None:
        """Asks each leader once, and answers each number as soon as all its ends are known."""
        as_of = self._clock.now()
        looked = asyncio.ensure_future(self._watch.looked_since(as_of))
        known: dict[TopicPartition, int] = {}
        waiting = set(numbers)
        try:
            wanted = {tp for number in numbers for tp in self._inputs(number).values()}
            asking = answers(self._consumer._client, wanted, LATEST)
            async with aclosing(asking):
                async for answer in asking:
                    known.update(answer.found)
                    for number in sorted(waiting):
                        inputs = self._inputs(number)
                        if known.keys() >= set(inputs.values()):
                            ends = {topic: known[tp] for topic, tp in inputs.items()}
                            self._answer(number, HighWatermarks(as_of, ends, await looked))
                            waiting.discard(number)
        finally:
            looked.cancel()
        if waiting:
            # Who does not tell them is said by the reach watch, which asks for the same ends.
            await asyncio.sleep(AGAIN_SECONDS)
            self._under_way -= waiting
            self._wake.set()

    def _inputs(self, number: int) -> dict[str, TopicPartition]:
        """Returns, by topic, the partition that this partition number reads to its end."""
        inputs = {topic: TopicPartition(topic, number) for topic in self._topics}
        if self._broadcast is not None:
            inputs[self._broadcast] = TopicPartition(self._broadcast, 0)
        return inputs

    def _answer(self, number: int, ends: HighWatermarks) -> None:
        self._under_way.discard(number)
        future = self._asked.pop(number)
        if not future.done():
            future.set_result(ends)
