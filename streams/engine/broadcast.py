"""The broadcast topic: every worker reads all of it, without the group, and keeps it packed.

Each partition number has its own position in it, so a record takes effect exactly once in each of
them, and a partition that moves to this worker can read it at once. The topic must be small.
"""

import asyncio
from collections.abc import Callable

from aiokafka import TopicPartition

from streams.engine.config import EngineConfig
from streams.engine.fetch_queues import FetchBuffer, FetchQueue
from streams.engine.fetching import read_batches
from streams.engine.packed_records import PackedRecords
from streams.engine.processor import FetchedBatch
from streams.engine.recovery import plain_consumer
from streams.kafka.consumer import TolerantConsumer
from streams.stop_worker import ExitCode, StopWorker


class Broadcast:
    """The records of the broadcast topic, read continuously.

    `begin` and `end`: the first offset, and the offset after the last one read. `caught_up` is set
    once the end of the start was reached. `on_growth` is called when records were added.
    """

    def __init__(self, config: EngineConfig, topic: str, on_growth: Callable[[], None]) -> None:
        self.topic = topic
        self.end = 0
        self.begin = 0
        self.caught_up = asyncio.Event()
        self._config = config
        self._on_growth = on_growth
        self._records = PackedRecords()
        self._unreadable: list[tuple[int, int, int]] = []

    def after(self, start: int, most: int, max_bytes: int) -> FetchedBatch | None:
        """Returns the records from offset `start` on; None if there are none.

        They are at most `most`, and about `max_bytes`.

        Raises:
            StopWorker: records from `start` on were deleted from the topic.
        """
        if start >= self.end:
            return None
        if start < self.begin:
            raise StopWorker(
                f"{self.topic} begins at offset {self.begin}, but {start} has not been read: "
                f"records of "
                "it were deleted, and it must be kept for ever",
                ExitCode.PERSON,
            )
        records, following = self._records.after(start, most, max_bytes)
        end = self.end if following is None else following
        unreadable = tuple(it for it in self._unreadable if it[1] >= start and it[0] < end)
        return FetchedBatch(self.topic, 0, start, end, records, self.end, unreadable)

    async def run(self) -> None:
        """Reads the topic until the task is cancelled."""
        consumer = plain_consumer(self._config, "read_committed", "broadcast")
        await consumer.start()
        try:
            await self._follow(consumer)
        finally:
            await consumer.stop()

    async def _follow(self, consumer: TolerantConsumer) -> None:
        tp = TopicPartition(self.topic, 0)
        consumer.assign([tp])
        self.begin = (await consumer.beginning_offsets([tp]))[tp]
        goal = (await consumer.end_offsets([tp]))[tp]
        consumer.seek(tp, self.begin)
        self.end = self.begin
        queues = {(self.topic, 0): FetchQueue(FetchBuffer(1, 1), self.topic, 0, self.begin)}
        while True:
            if self.end >= goal:
                self.caught_up.set()
            for _, batch, _ in await read_batches(consumer, lambda: queues, 5_000, 1.0):
                if batch.start != self.end:
                    raise RuntimeError(
                        f"{self.topic}: read from {batch.start}, expected {self.end}"
                    )
                self._records.add(batch.records)
                self._unreadable.extend(batch.unreadable)
                self.end = batch.end
                self._on_growth()
