"""The end offsets of the inputs. One request answers for all partitions.

The ends are those of a `read_uncommitted` reader (high watermarks). The `read_committed` end would
be too low: it stops at the oldest open transaction, and a record that another producer committed
behind that point before `as_of` would not have been waited for. Waiting for the high watermark
means that a timer waits until such a transaction is settled, at the latest by its own time-out.
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
from streams.kafka.requests.open_transactions import OpenTransaction, open_transactions

# At most so often are ends asked for; timers are allowed a second.
PACE_SECONDS = 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HighWatermarks:
    """The end offsets of all topics at `as_of` or a moment later.

    `looked`: the cluster was looked at then as well, and had every topic.
    """

    as_of: int
    ends: Mapping[str, int]
    looked: bool = True

    def reached(self, reads: Mapping[str, int]) -> bool:
        """Whether everything before these ends has been read."""
        return all(reads.get(topic, 0) >= end for topic, end in self.ends.items())


class HighWatermarkReader:
    """Answers all partitions that ask with one request."""

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
        """Connect."""
        await self._consumer.start()

    async def bounds(self, partitions: Sequence[int]) -> dict[int, dict[str, tuple[int, int]]]:
        """The first and the end offset of each input topic, by partition."""
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
        """The end offset of each of these partitions."""
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return ends

    async def broadcast_end(self) -> int:
        """The end of the broadcast topic; 0 when there is none."""
        if self._broadcast is None:
            return 0
        tp = TopicPartition(self._broadcast, 0)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets([tp])
        return ends[tp]

    async def hiding(self, places: Sequence[tuple[str, int]]) -> list[OpenTransaction]:
        """The open transactions in these partitions. Records behind them cannot be read."""
        return await open_transactions(self._consumer._client, places)

    async def ask(self, partition: int) -> HighWatermarks:
        """The ends of partition `partition` of all topics, and of the broadcast topic."""
        future = self._asked.get(partition)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._asked[partition] = future
            self._wake.set()
        return await asyncio.shield(future)

    async def run(self) -> None:
        """Serve for as long as the worker lives."""
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
                # The broker is away; who asked still waits.
                logger.debug("no ends: %r", error)
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
