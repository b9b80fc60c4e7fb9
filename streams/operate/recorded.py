"""Reads the decision log and the inputs of one partition from Kafka and replays them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec
from aiokafka import TopicPartition

from schemas.inputs import INPUT_MODELS, InputName
from schemas.topics import DECISIONS, TopicNames
from streams.core.inputs.batches import joined
from streams.core.inputs.checker import Partitioner
from streams.core.model.ports import InputRecord
from streams.core.partition import PartitionEnvironment
from streams.kafka.consumer import TolerantConsumer
from streams.operate.clients import consumer
from streams.operate.replay import TRANSACTION, RecordsGoneError, Replay
from streams.settings import Settings

STALL_TAKES = 60

Transaction = list[tuple[bytes | None, bytes | None]]
"""Keys and values of one transaction's records in the log; the last one closes it."""
Done = Callable[[Transaction], None]


@dataclass(slots=True)
class Cursor:
    """Reads one topic partition in order, from offset `begin` to `end`, for replay.

    `held`: records that were fetched and not returned yet.
    """

    client: TolerantConsumer
    place: TopicPartition
    begin: int
    end: int
    position: int = 0
    held: list[InputRecord] = field(default_factory=list)

    async def upto(self, after: int) -> list[InputRecord]:
        """Returns the records below offset `after` that no earlier call returned.

        Raises RecordsGoneError if Kafka returns nothing for 30 seconds.
        """
        idle = 0
        while self.position < min(after, self.end):
            found = await self.client.take(0.5)
            idle = 0 if found else idle + 1
            if idle > STALL_TAKES:
                place = f"{self.place.topic}[{self.place.partition}]"
                raise RecordsGoneError(f"{place} cannot be read on")
            for one in found:
                self.held += joined(one.records, one.unreadable)
                self.position = one.end
        count = next((i for i, one in enumerate(self.held) if one.offset >= after), len(self.held))
        taken, self.held = self.held[:count], self.held[count:]
        return taken

    def restart(self) -> None:
        """Moves back to the beginning of the topic partition."""
        self.client.seek(self.place, self.begin)
        self.position, self.held = self.begin, []


class RecordedPartition:
    """The log and the inputs of one partition; each topic is read by a client of its own.

    Call `last_of_log` first, then `run`. `number`: of the partition, `count`: of all partitions.
    `texts`: the canonical policies by digest. The clients live as long as the given `stack`.
    """

    replay: Replay

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        number: int,
        count: int,
        texts: Mapping[str, bytes],
        partition_of: Partitioner,
    ) -> None:
        self._settings, self._names = settings, names
        self._number, self._count, self._texts = number, count, texts
        self._partition_of = partition_of
        self._log: Transaction = []

    async def last_of_log(self, stack: AsyncExitStack) -> tuple[int, str] | None:
        """Reads the log; returns number and hash of its last record, or None if it is empty."""
        log = await self._reading(stack, self._names.of(DECISIONS), self._number)
        self._log = [(it.key, it.value) for it in await log.upto(log.end)]
        if not self._log:
            return None
        last = msgspec.json.decode(self._log[-1][1] or b"null")
        return last["number"], last["hash"]

    async def run(self, stack: AsyncExitStack, done: Done = lambda _: None) -> None:
        """Replays the log; `done` is called with each transaction that came out the same.

        Raises ReplayError.
        """
        cursors: dict[InputName, Cursor] = {}
        for name in INPUT_MODELS:
            home = 0 if name == "switches" else self._number
            cursors[name] = await self._reading(stack, self._names.input(name), home)
        environment = PartitionEnvironment(
            policies={},
            partition_count=self._count,
            partition_of=self._partition_of,
            require_approvals=self._settings.require_approvals,
            full_name=lambda name: self._names.prefix + name,
        )
        self.replay = Replay(environment, self._number, cursors, self._texts)
        async for transaction in self._transactions():
            await self.replay.transaction(transaction)
            done(transaction)

    async def _transactions(self) -> AsyncIterator[Transaction]:
        begin = 0
        for place, (key, _) in enumerate(self._log, start=1):
            if key == TRANSACTION:
                yield self._log[begin:place]
                begin = place

    async def _reading(self, stack: AsyncExitStack, topic: str, partition: int) -> Cursor:
        client = await stack.enter_async_context(consumer(self._settings))
        place = TopicPartition(topic, partition)
        client.assign([place])
        begin = (await client.beginning_offsets([place]))[place]
        end = (await client.end_offsets([place]))[place]
        client.seek(place, begin)
        return Cursor(client, place, begin, end, begin)
