"""Asks for the end offsets of the inputs, with one request for all partitions.

The ends are high watermarks, as a `read_uncommitted` consumer sees them. The `read_committed` end
is too low: it stops at the oldest open transaction, though another producer may have committed
records after that point. So a timer waits until such a transaction ends, at the latest by its
time-out.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.engine.clock import Clock
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.config import EngineConfig
from streams.engine.recovery import plain_consumer
from streams.kafka.requests.open_transactions import (
    OpenTransaction,
    marker_time,
    open_transactions,
)
from streams.log_events import event

# The shortest time between two requests; a timer may be late by a second.
PACE_SECONDS = 0.1

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
        self._wake = asyncio.Event()
        self._consumer = plain_consumer(config, "read_uncommitted", "ends")

    async def start(self) -> None:
        """Connects to Kafka."""
        await self._consumer.start()

    async def bounds(self, partitions: Sequence[int]) -> dict[int, dict[str, tuple[int, int]]]:
        """Returns, by partition and input topic, the first offset and the end offset."""
        tps = [TopicPartition(topic, number) for number in partitions for topic in self._topics]
        begins, ends = {}, {}
        if tps:
            begins = await self._consumer.beginning_offsets(tps)
            ends = await self._consumer.end_offsets(tps)
        return {
            number: {tp.topic: (begins[tp], ends[tp]) for tp in tps if tp.partition == number}
            for number in partitions
        }

    async def of(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Returns the end offset of each of these partitions."""
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return ends

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
            await self._serve()
        finally:
            await self._consumer.stop()

    async def _serve(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            as_of = self._clock.now()
            asked = dict(self._asked)
            wanted = [TopicPartition(t, number) for number in asked for t in self._topics]
            if self._broadcast is not None:
                wanted.append(TopicPartition(self._broadcast, 0))
            try:
                offsets, looked = await asyncio.gather(
                    self._consumer.end_offsets(wanted), self._watch.looked_since(as_of)
                )
            except (KafkaError, OSError) as error:
                # The broker is away; the requests stay and are tried again.
                logger.debug("no ends: %r", error, extra=event("ends_unknown"))
                self._wake.set()
                await asyncio.sleep(PACE_SECONDS)
                continue
            for number, future in asked.items():
                if self._asked.get(number) is future:
                    del self._asked[number]
                ends = {t: offsets[TopicPartition(t, number)] for t in self._topics}
                if self._broadcast is not None:
                    ends[self._broadcast] = offsets[TopicPartition(self._broadcast, 0)]
                if not future.done():
                    future.set_result(HighWatermarks(as_of, ends, looked))
            await asyncio.sleep(PACE_SECONDS)
