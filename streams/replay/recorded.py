"""One partition as Kafka holds it: its log, its inputs and its outputs, each read in order."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from aiokafka import TopicPartition

from schemas.inputs import INPUT_MODELS, InputName
from schemas.topics import COMPACTION_LAG_MS, DECISIONS, INPUTS, TopicNames
from streams.core.inputs.batches import joined, offset_after
from streams.core.model.ports import InputRecord
from streams.core.partition import PartitionEnvironment
from streams.kafka.consumer import TolerantConsumer
from streams.operate.clients import consumer
from streams.operate.ends import Ends
from streams.processor import partitioner
from streams.replay.following import TRANSACTION, Beside, Replay
from streams.replay.written import COMPARED
from streams.settings import Settings

TAKE_SECONDS = 0.5
LAST_STRETCH = 2_000
"""Offsets before its end in which the last record of a log is looked for at first."""
_COMPACTED: frozenset[str] = frozenset(it.name for it in INPUTS if it.cleanup == "compact")

Transaction = list[InputRecord]
"""The log's records of one transaction, up to its closing one."""
Done = Callable[[Transaction], None]


class Cursor:
    """One topic partition read in order; what replay reads from.

    `end`: where it ended when reading began. `compacts_before` (ms): holes before a record of that
    time may be compaction's; None: the topic is not compacted.
    """

    def __init__(
        self,
        client: TolerantConsumer,
        place: TopicPartition,
        begin: int,
        end: int,
        compacts_before: int | None = None,
    ) -> None:
        self.place, self.begin, self.end = place, begin, end
        self.lost: str | None = None
        self._client = client
        self._compacts_before = compacts_before
        self._position = begin
        self._held: deque[InputRecord] = deque()
        self._last_end = end

    async def upto(self, after: int) -> list[InputRecord]:
        """Returns the records below `after` that no earlier call returned.

        Raises KafkaAbsentError if Kafka returns nothing for 30 seconds.
        """
        await self._read(min(after, self.end))
        taken = []
        while self._held and self._held[0].offset < after:
            taken.append(self._held.popleft())
        return taken

    async def following(self) -> Any | None:
        """The next record before `end`; None: there is none. Raises KafkaAbsentError."""
        while not self._held and self._position < self._last_end:
            await self._read(self._position + 1)
        if not self._held or self._held[0].offset >= self._last_end:
            return None
        return self._held.popleft()

    async def later(self) -> Any | None:
        """The next record, also one that was written since reading began; None: there is none."""
        found = await self.following()
        if found is None:
            now = (await self._client.end_offsets([self.place]))[self.place]
            if now > self._last_end:
                self._last_end = now
                found = await self.following()
        return found

    async def left(self) -> Any | None:
        """The next record that was there when reading began; None: all were taken."""
        self._last_end = self.end
        return await self.following()

    def restart(self) -> None:
        """Moves back to the beginning of the topic partition."""
        self.seek(self.begin)

    def seek(self, offset: int) -> None:
        """Go on at an offset."""
        self._client.seek(self.place, offset)
        self._position = offset
        self._held.clear()

    async def _read(self, goal: int) -> None:
        wanted = Ends({self.place: goal})
        while not wanted.reached({self.place: self._position}):
            for one in await self._client.take(TAKE_SECONDS):
                records = joined(one.records, one.unreadable)
                self._note_holes(one.start, records)
                self._held.extend(records)
                self._position = one.end

    def _note_holes(self, start: int, records: Iterable[InputRecord]) -> None:
        if self._compacts_before is None or self.lost is not None:
            return
        expected = start
        for record in records:
            if record.offset > expected and record.timestamp < self._compacts_before:
                place = f"{self.place.topic}[{self.place.partition}]"
                self.lost = f"{place}: offsets {expected} to {record.offset - 1}"
                return
            expected = offset_after(record)


class Clients:
    """A client for each topic, so that replay reads each at its own pace; closed with `stack`."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings, self._stack = settings, stack
        self._clients: dict[str, TolerantConsumer] = {}

    async def at(self, topic: str, partition: int, compacts_before: int | None = None) -> Cursor:
        """A partition from its beginning to its present end; the topic's cursor before it is over.

        Raises KafkaAbsentError.
        """
        client = self._clients.get(topic)
        if client is None:
            client = await self._stack.enter_async_context(consumer(self._settings))
            self._clients[topic] = client
        place = TopicPartition(topic, partition)
        client.assign([place])
        begin = (await client.beginning_offsets([place]))[place]
        end = (await client.end_offsets([place]))[place]
        client.seek(place, begin)
        return Cursor(client, place, begin, end, compacts_before)


class RecordedPartition:
    """The log, inputs and outputs of one partition.

    `now` (ms) says how far back compaction reaches; None: nobody asks.
    """

    replay: Replay

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        number: int,
        count: int,
        texts: Mapping[str, bytes],
        now: int | None = None,
    ) -> None:
        self._clients = clients
        self._names = TopicNames(settings.topic_prefix, settings.application_id)
        self._number, self._texts, self._now = number, texts, now
        self.environment = PartitionEnvironment(
            policies={},
            partition_count=count,
            partition_of=partitioner(count),
            require_approvals=settings.require_approvals,
            full_name=lambda name: settings.topic_prefix + name,
        )

    async def last_of_log(self) -> tuple[int, str] | None:
        """Number and hash of the log's last record; None where there is none."""
        log = await self.log()
        length = LAST_STRETCH
        while log.end > log.begin:
            log.seek(max(log.begin, log.end - length))
            found = await log.upto(log.end)
            if found:
                last = msgspec.json.decode(found[-1].value or b"null")
                return last["number"], last["hash"]
            if length >= log.end - log.begin:
                break
            length *= 8
        return None

    async def run(self, done: Done = lambda _: None) -> None:
        """Replays the log; `done` is called with each transaction that came out the same.

        Raises ReplayError.
        """
        log = await self.log()
        await self.open()
        async for transaction in transactions(log):
            await self.replay.transaction(transaction)
            done(transaction)

    async def log(self) -> Cursor:
        """The decision log, up to the end that it has now. The inputs are opened after it."""
        return await self._clients.at(self._names.of(DECISIONS), self._number)

    async def open(self, beside: Beside | None = None) -> None:
        """Open the inputs; `replay` is there afterwards."""
        compacts = None if self._now is None else self._now - COMPACTION_LAG_MS
        sources: dict[InputName, Cursor] = {}
        for name in INPUT_MODELS:
            home = 0 if name == "switches" else self._number
            before = compacts if name in _COMPACTED else None
            sources[name] = await self._clients.at(self._names.input(name), home, before)
        self.replay = Replay(self.environment, self._number, sources, self._texts, beside)

    async def outputs(self) -> dict[str, Cursor]:
        """What workers write beside the log, by bare topic name."""
        return {
            topic.name: await self._clients.at(self._names.of(topic), self._number)
            for topic in COMPARED
        }


async def transactions(log: Any) -> AsyncIterator[Transaction]:
    """The log's records by transaction. The last one lacks its closing record if the log does."""
    found: Transaction = []
    while (record := await log.following()) is not None:
        found.append(record)
        if record.key == TRANSACTION:
            yield found
            found = []
    if found:
        yield found
