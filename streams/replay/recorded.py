"""Reads one partition from Kafka: its decision log, inputs and outputs, each in order."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from aiokafka import TopicPartition

from schemas.inputs import INPUT_MODELS, InputName
from schemas.topics import COMPACTION_LAG_MS, DECISIONS, INPUTS, POLICIES, TopicNames
from streams.core.inputs.batches import joined, offset_after
from streams.core.model.ports import InputRecord
from streams.core.partition import PartitionEnvironment
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.reading import read_to_end
from streams.operate.clients import consumer
from streams.operate.ends import Ends, nothing_hidden
from streams.policies.texts import PolicyTexts
from streams.processor import partitioner
from streams.replay.following import TRANSACTION, Replay
from streams.replay.records import RecordsGoneError
from streams.replay.tables import Beside
from streams.replay.written import COMPARED
from streams.settings import Settings
from streams.settings_checks import id_key

TAKE_SECONDS = 0.5
LAST_STRETCH = 2_000
"""How many offsets before the log's end its last record is looked for at first."""
_COMPACTED: frozenset[str] = frozenset(it.name for it in INPUTS if it.cleanup == "compact")

Transaction = list[InputRecord]
"""The log's records of one transaction; the last one closes it."""
Done = Callable[[Transaction], None]


class Cursor:
    """Reads one topic partition in order, for replay.

    `end`: its end offset when reading began. `compacts_before` (ms): compaction may have removed
    records that are older; None: the topic is not compacted. `lost`: the first offsets that it may
    have removed, in words.
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
        self._seen_at: int | None = None
        """The timestamp (ms) of the record read last, of which all that follow are not older."""

    async def upto(self, after: int, most: int) -> list[InputRecord]:
        """Returns up to `most` records below `after` that no earlier call returned.

        Raises KafkaAbsentError if Kafka returns nothing for 30 seconds.
        """
        goal = min(after, self.end)
        while len(self._held) < most and self._position < goal:
            await self._read(self._position + 1)
        taken: list[InputRecord] = []
        while self._held and len(taken) < most and self._held[0].offset < after:
            taken.append(self._held.popleft())
        return taken

    async def following(self) -> Any | None:
        """Returns the next record before the known end; None: there is none.

        Raises KafkaAbsentError.
        """
        while not self._held and self._position < self._last_end:
            await self._read(self._position + 1)
        if not self._held or self._held[0].offset >= self._last_end:
            return None
        return self._held.popleft()

    async def later(self) -> Any | None:
        """Returns the next record, even one written after reading began; None: there is none.

        The marker of a worker's transaction may stand in one topic and not yet in another. So it
        waits for what an open transaction hides. Raises EndHiddenError.
        """
        found = await self.following()
        if found is None:
            await nothing_hidden(self._client, await self._client.high_watermarks([self.place]))
            now = (await self._client.end_offsets([self.place]))[self.place]
            if now > self._last_end:
                self._last_end = now
                found = await self.following()
        return found

    async def left(self) -> Any | None:
        """Returns the next record that existed when reading began; None: there is none."""
        self._last_end = self.end
        return await self.following()

    def restart(self) -> None:
        """Moves back to the beginning of the topic partition."""
        self.seek(self.begin)

    def seek(self, offset: int) -> None:
        """Moves to an offset."""
        self._client.seek(self.place, offset)
        self._position = offset
        self._held.clear()
        self._seen_at = None

    async def _read(self, goal: int) -> None:
        wanted = Ends({self.place: goal})
        while not wanted.reached({self.place: self._position}):
            for one in await self._client.take(TAKE_SECONDS):
                records = joined(one.records, one.unreadable)
                self._note_holes(one.start, one.end, records)
                self._held.extend(records)
                self._position = one.end

    def _note_holes(self, start: int, end: int, records: Iterable[InputRecord]) -> None:
        """Notes a hole whose records may have been old enough for compaction.

        They were not older than the record before the hole. That after it may be much younger.
        """
        if self._compacts_before is None or self.lost is not None:
            return
        expected = start
        for record in records:
            if record.offset > expected and self._note(expected, record.offset - 1):
                return
            expected, self._seen_at = offset_after(record), record.timestamp
        if end > expected:
            self._note(expected, end - 1)

    def _note(self, first: int, last: int) -> bool:
        assert self._compacts_before is not None
        if self._seen_at is not None and self._seen_at >= self._compacts_before:
            return False
        self.lost = f"{self.place.topic}[{self.place.partition}]: offsets {first} to {last}"
        return True


class Clients:
    """One client for each topic, so that each is read at its own pace; `stack` closes them."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings, self._stack = settings, stack
        self._clients: dict[str, TolerantConsumer] = {}

    async def at(self, topic: str, partition: int, compacts_before: int | None = None) -> Cursor:
        """Returns a cursor over a partition from its beginning to its present end.

        It ends the topic's previous cursor: they share a client. Raises KafkaAbsentError.
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
    """The log, inputs and outputs of one partition in Kafka.

    `number`: of the partition, `count`: of all partitions. `texts`: the canonical policies by
    digest. `now` (ms): compaction may have removed inputs older than its lag before it; None: that
    is not checked. `replay`: set by `open`.
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
            id_key=id_key(settings),
        )

    async def last_of_log(self) -> tuple[int, str] | None:
        """Returns number and hash of the log's last record; None if nothing was ever written.

        Raises RecordsGoneError if the log had records and has none any more.
        """
        log = await self.log()
        length = LAST_STRETCH
        while log.end > log.begin:
            log.seek(max(log.begin, log.end - length))
            found = await log.upto(log.end, length)
            if found:
                last = msgspec.json.decode(found[-1].value or b"null")
                return last["number"], last["hash"]
            if length >= log.end - log.begin:
                break
            length *= 8
        if log.begin > 0:
            raise all_gone(log.place, log.begin)
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
        """Opens the decision log up to its present end.

        Call it before `open`, so that the inputs that it names lie before their ends.
        """
        return await self._clients.at(self._names.of(DECISIONS), self._number)

    async def open(self, beside: Beside | None = None) -> None:
        """Opens the inputs and sets `replay`. `beside`: is run along the same steps."""
        compacts = None if self._now is None else self._now - COMPACTION_LAG_MS
        sources: dict[InputName, Cursor] = {}
        for name in INPUT_MODELS:
            home = 0 if name == "switches" else self._number
            before = compacts if name in _COMPACTED else None
            sources[name] = await self._clients.at(self._names.input(name), home, before)
        self.replay = Replay(self.environment, self._number, sources, self._texts, beside)

    async def outputs(self) -> dict[str, Cursor]:
        """Opens the outputs and dead letters; returns them by topic name without prefix."""
        return {
            topic.name: await self._clients.at(self._names.of(topic), self._number)
            for topic in COMPARED
        }


async def transactions(log: Any) -> AsyncIterator[Transaction]:
    """Yields the log's records by transaction. The last one may lack its closing record.

    Raises RecordsGoneError if the log had records and has none any more: a log of which the
    beginning is gone shows that by its first record, this one by nothing.
    """
    found: Transaction = []
    empty = True
    while (record := await log.following()) is not None:
        empty = False
        found.append(record)
        if record.key == TRANSACTION:
            yield found
            found = []
    if found:
        yield found
    if empty and log.begin > 0:
        raise all_gone(log.place, log.begin)


def all_gone(place: TopicPartition, begin: int) -> RecordsGoneError:
    """Returns the error for a log that has no record left, although it begins at `begin`."""
    return RecordsGoneError(
        f"{place.topic}[{place.partition}] is empty, and begins at offset {begin}: what was before"
        " is not there any more"
    )


async def policy_texts(client: TolerantConsumer, settings: Settings) -> PolicyTexts:
    """Returns the canonical policies that the topic of policies holds."""
    texts = PolicyTexts()
    async for it in read_to_end(client, settings.topic_prefix, [POLICIES.name]):
        texts.feed(it.partition, it.offset, it.key, it.value)
    return texts
