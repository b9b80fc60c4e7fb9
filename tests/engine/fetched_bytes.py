"""aiokafka's fetcher with what a broker would have answered, without a broker."""

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords

from streams.kafka.stretches import KeptRecords, install


class ReadPosition:
    """A partition's state as aiokafka's subscription keeps it."""

    paused = False
    highwater = 0

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        """Moves on; never back, as nothing of what was read may come again."""
        assert position >= self.position, f"from {self.position} back to {position}"
        self.position = position


class Fetched:
    """A fetcher that holds one answer: by partition number of topic `t`, its bytes.

    `starts`: by partition number, the offset that was asked for, if it is not 0.
    """

    def __init__(self, answer: dict[int, bytes], starts: dict[int, int] | None = None) -> None:
        install()
        self._wait_consume_future = None
        self._records: OrderedDict[TopicPartition, Any] = OrderedDict()
        self.positions: dict[TopicPartition, ReadPosition] = {}
        assigned = SimpleNamespace(active=True, state_value=self.positions.__getitem__)
        for number, raw in answer.items():
            tp, start = TopicPartition("t", number), (starts or {}).get(number, 0)
            self.positions[tp] = ReadPosition(start)
            pending = PartitionRecords(
                tp, KeptRecords(raw), [], start, None, None, True, READ_COMMITTED
            )
            self._records[tp] = FetchResult(
                tp, assignment=assigned, partition_records=pending, backoff=0
            )

    def _notify(self, future: Any) -> None:
        """Nobody waits here."""
