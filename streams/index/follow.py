"""`byline index`: reads the topics into the database up to their ends, with `--follow` for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError
from sqlalchemy import Engine

from streams.index import retention, schema
from streams.index.database import FileWatch, shown
from streams.index.errors import DatabaseAway, LostLeadError
from streams.index.feed import Batch, Feed
from streams.index.leader import Lead
from streams.index.outage import KAFKA, Outage, Say
from streams.index.writer import Writer
from streams.operate.clients import consumer
from streams.operate.ends import Ends
from streams.operate.errors import KafkaAbsentError
from streams.operate.topics import names_of
from streams.policies.scalars import parse_duration
from streams.settings import Settings

BATCH_RECORDS = 20_000
BATCH_SECONDS = 0.5
LOOK_SECONDS = 1.0
"""How often the ends of the topics are asked for. They say as of when the index is complete."""
TAKE_SECONDS = 0.2
DAY_SECONDS = 86_400.0


def now_ms() -> int:
    """Returns the present time in ms since 1970."""
    return int(time.time() * 1000)


class Indexer:
    """Reads the topics into one database, until `stopping` is set or the present ends are reached.

    `say` prints one line for a person. `records`: how many were read. `unreadable`: how many of
    them are in no table, because they cannot be decoded or a column has no place for them. `left`:
    how many were not read when it last looked; None: it has not begun. `done`: it has reached the
    ends, which it never has with `follow`.
    """

    def __init__(
        self, settings: Settings, engine: Engine, say: Say, stopping: asyncio.Event | None = None
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._say = say
        self._writer = Writer(engine)
        self._lead = Lead(engine)
        self.stopping = asyncio.Event() if stopping is None else stopping
        self.on_ready: Callable[[], Awaitable[None]] | None = None
        """Called once the tables exist."""
        self.records = self.unreadable = 0
        self.left: int | None = None
        self.done = False
        self._as_of: int | None = None
        self._reading = False
        self._rebuild = False
        self._writing: asyncio.Task[None] | None = None
        self._outage = Outage(engine, say, self.stopping, follow=False)

    async def run(self, follow: bool, rebuild: bool = False) -> None:
        """Reads the topics into the database up to their present ends; with `follow`, goes on.

        `rebuild`: first delete what Kafka still has, so that it is read again. While following, it
        waits for a database that does not answer, and for a broker that stops answering later.

        Raises:
            IndexFault and its kinds (errors.py): the database cannot be used.
            KafkaAbsentError: no broker answers.
            UsageError: topics are missing.
            EndHiddenError: an open transaction hides the end of a topic; not while following.
        """
        self._rebuild = rebuild
        self._outage = Outage(self._engine, self._say, self.stopping, follow)
        try:
            if not await self._led():
                return
            says = await self._outage.patient(schema.bring_up, self._engine, now_ms(), self._say)
            if says is not None:
                self._say(says)
            await self._ready(follow)
            while not self.stopping.is_set():
                try:
                    if await self._led():
                        await self._pass(follow)
                except LostLeadError as error:
                    self._say(f"{error}: beginning again from its positions")
                except (DatabaseAway, KafkaError, KafkaAbsentError) as error:
                    # At the start a person reads the error; later it runs alone and must go on.
                    if not follow or not (self._reading or isinstance(error, DatabaseAway)):
                        raise
                    await self._outage.wait(error)
                else:
                    return
        finally:
            self._lead.release()

    async def _ready(self, follow: bool) -> None:
        ready = self.on_ready is None
        while self.on_ready is not None and not ready and not self.stopping.is_set():
            try:
                await self.on_ready()
                ready = True
            except DatabaseAway as error:
                if not follow:
                    raise
                await self._outage.wait(error)

    async def _led(self) -> bool:
        """Waits for the right to write, which ends with a connection; False: told to stop."""
        told = False
        while not await self._outage.patient(self._lead.take):
            if not told and not self.stopping.is_set():
                self._say(f"another indexer writes to {shown(self._engine.url)}: waiting for it")
                told = True
            if await self._outage.stopped(1.0):
                return False
        return True

    async def _pass(self, follow: bool) -> None:
        """Reads from the positions in the database to the end, or until told to stop."""
        async with consumer(self._settings) as client:
            feed = Feed(client, names_of(self._settings))
            await feed.find()
            begins, ends = await feed.begins(), await feed.ends()
            self._outage.back(KAFKA)
            if self._rebuild:
                await self._outage.asked(retention.forget, self._engine, begins, now_ms())
                self._rebuild = False
            await self._outage.asked(self._writer.load)
            await feed.check(self._writer.positions, ends)
            await self._outage.asked(self._writer.begin, begins)
            # An index that goes on after a stop is as old as it was, and whole if it was.
            self._as_of = self._writer.as_of
            self.left = sum(
                max(0, end - self._writer.positions[it].next_offset) for it, end in ends.items()
            )
            await self._outage.asked(self._writer.unread, self.left, now_ms())
            for place, begin in begins.items():
                at = self._writer.positions[place].next_offset
                if at < begin:
                    says = (
                        f"{place[0]}[{place[1]}]: Kafka no longer has offsets {at} to {begin - 1}"
                    )
                    self._say(says)
                    await self._outage.asked(self._writer.skip, place, begin, says, now_ms())
            feed.go_to({place: it.next_offset for place, it in self._writer.positions.items()})
            self._reading = True
            await self._read(feed, follow)

    async def _read(self, feed: Feed, follow: bool) -> None:
        """Reads batches, turns records into rows and writes them; reads on while it writes.

        Raises EndHiddenError after all that can be read was written.
        """
        read = dict(self._writer.positions)
        file = FileWatch(self._engine.url)
        file.look()
        batch, opened = Batch(), time.monotonic()
        looked_at, high, ends = now_ms(), await feed.high_watermarks(), await feed.ends()
        looked = time.monotonic()
        purged = -DAY_SECONDS if follow else looked
        wanted = Ends(ends)
        try:
            while not self.stopping.is_set():
                stretches = await feed.take(TAKE_SECONDS)
                now = time.monotonic()
                if stretches:
                    feed.add(batch, stretches, read)
                    read.update(batch.moved)
                behind = sum(max(0, end - read[place].next_offset) for place, end in ends.items())
                self.left = behind
                news = batch.moved or (not behind and self._as_of != looked_at)
                if news and (
                    not behind or batch.count >= BATCH_RECORDS or now - opened >= BATCH_SECONDS
                ):
                    self._as_of = self._as_of if behind else looked_at
                    await self._write(batch, behind)
                    batch, opened = Batch(), now
                if not follow and wanted.reached({it: at.next_offset for it, at in read.items()}):
                    self.done = True
                    break
                if now - purged >= DAY_SECONDS:
                    purged = now
                    await self._purge()
                if not behind:
                    await self._outage.stopped(max(0.02, min(0.1, looked + LOOK_SECONDS - now)))
                if now - looked >= LOOK_SECONDS:
                    file.look()
                    looked_at, looked = now_ms(), now
                    ends = wanted.ends = await feed.ends()
        finally:
            await self._written()
        if self.done:
            await self._purge()
            await feed.nothing_hidden(high)

    async def _write(self, batch: Batch, behind: int) -> None:
        """Starts to write a batch, once the batch before it is written.

        `behind`: how many records are still to be read.
        """
        await self._written()
        fresh = {"as_of": self._as_of, "behind": behind, "written_at": now_ms()}
        self.records += batch.count
        self._tell_unreadable(batch)
        self._writing = asyncio.create_task(
            asyncio.to_thread(self._writer.write, batch.rows, batch.moved, fresh)
        )

    def _tell_unreadable(self, batch: Batch) -> None:
        known = self._writer.positions
        counts = {it: at.unreadable - known[it].unreadable for it, at in batch.moved.items()}
        found = sorted({topic for (topic, _), count in counts.items() if count})
        if found:
            count = sum(counts.values())
            self.unreadable += count
            self._say(f"{count} records cannot be read and are skipped, of {', '.join(found)}")

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await self._outage.answer(writing)
            self._outage.written()

    async def _purge(self) -> None:
        """Deletes rows older than the setting INDEX_RETENTION, after the batch being written."""
        await self._written()
        kept = parse_duration(self._settings.index_retention)
        gone = await self._outage.asked(retention.purge, self._engine, now_ms() - kept)
        if gone:
            self._say(f"{gone} rows were older than {self._settings.index_retention} and are gone")
