"""The Kafka consumer that all parts of Byline use."""

import asyncio
import copy
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED

from streams.kafka.stretches import Stretch, install, read_stretches

CANCEL_SECONDS = 0.5


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """An aiokafka consumer that goes on after a record or batch that it cannot read.

    Read with `take`, because aiokafka's `getmany` and `getone` fail at such a batch.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        install()
        super().__init__(*args, **kwargs)

    async def stop(self) -> None:
        """Stops the consumer, also in cases in which aiokafka 0.14 hangs or raises CancelledError.

        aiokafka's fetch task may miss its cancellation, and a request that has not begun passes the
        cancellation on. So its tasks are cancelled here until all have ended.
        """
        fetcher = self._fetcher
        tasks: set[asyncio.Task[Any]] = set()
        if fetcher is not None:
            tasks = {fetcher._fetch_task, *fetcher._pending_tasks}
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
        if fetcher is not None:
            fetcher._pending_tasks.clear()
        await super().stop()

    async def high_watermarks(self, partitions: Iterable[TopicPartition]) -> dict[Any, int]:
        """Returns the high watermarks of partitions, also for a `read_committed` consumer.

        `end_offsets` of such a consumer returns the lower offset up to which it can read.
        """
        # Only this copy of the fetcher uses the other isolation level.
        asking = copy.copy(self._fetcher)
        asking._isolation_level = READ_UNCOMMITTED
        found: dict[Any, int] = await asking.end_offsets(list(partitions), self._request_timeout_ms)
        return found

    async def take(self, timeout_seconds: float, max_records: int = 5_000) -> list[Stretch]:
        """Returns fetched records with their headers, about `max_records` of each partition.

        Waits up to `timeout_seconds` for the first.
        """
        return await read_stretches(self, lambda: None, max_records, timeout_seconds, True)
