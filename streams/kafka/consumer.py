"""The client that everything in Byline reads Kafka with."""

import asyncio
import copy
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED

from streams.kafka.stretches import Stretch, install, read_stretches

CANCEL_SECONDS = 0.5


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """An aiokafka consumer that no record or batch can stop.

    Read with `take`: `getmany` and `getone` of aiokafka end at a batch that they cannot read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        install()
        super().__init__(*args, **kwargs)

    async def stop(self) -> None:
        """Stop the consumer, also where aiokafka 0.14 would hang or raise CancelledError.

        Its fetching task, cancelled while it waits for requests of an assignment that is over,
        takes that for their end and goes on; a request that has not begun yet passes on that it
        was cancelled.
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
        """Where the partitions end, open transactions included, whatever this client reads.

        `end_offsets` of a client that reads committed records gives where it can read to.
        """
        # The fetcher goes on with its own isolation: only the copy asks otherwise.
        asking = copy.copy(self._fetcher)
        asking._isolation_level = READ_UNCOMMITTED
        found: dict[Any, int] = await asking.end_offsets(list(partitions), self._request_timeout_ms)
        return found

    async def take(self, timeout_seconds: float, max_records: int = 5_000) -> list[Stretch]:
        """What has been fetched, of each partition about `max_records`; headers are kept."""
        return await read_stretches(self, lambda: None, max_records, timeout_seconds, True)
