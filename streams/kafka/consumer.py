"""The client that everything in Byline reads Kafka with."""

from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.kafka.stretches import Stretch, install, read_stretches


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """An aiokafka consumer whose reading no bytes can end.

    Read with `take`: `getmany` and `getone` of aiokafka end at a batch that they cannot read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        install()
        super().__init__(*args, **kwargs)

    async def take(self, timeout_seconds: float, max_records: int = 5_000) -> list[Stretch]:
        """What has been fetched, of each partition about `max_records`; headers are kept."""
        return await read_stretches(self, lambda: None, max_records, timeout_seconds, True)
