"""Runs a day: actors, consumer, worker probes and display at the same time, until all is done."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from schemas.topics import DEAD_LETTERS, OUTPUTS, TopicNames
from streams.kafka.consumer import TolerantConsumer
from streams.local.demo import garbage, scenario
from streams.local.demo.actors import Actors, wire_time
from streams.local.demo.chance import Chance
from streams.local.demo.display import FRAMES_PER_SECOND, Display
from streams.local.demo.evidence import instant
from streams.local.demo.policies import Compressed
from streams.local.demo.probe import watch_workers
from streams.local.demo.reading import follow, open_consumer, seen
from streams.local.demo.stage import PARTITIONS, Stage, partitions
from streams.local.demo.tally import Tally

LINGER_MS = 5
SETTLE_SECONDS = 1.0
"""How long to wait for unexpected events once all expected ones were seen."""
LONGEST_SECONDS = 90.0
QUIET_SECONDS = 12.0
"""The day ends after this time without an event; no step of a storyline waits that long."""
AHEAD_SECONDS = 3_600.0


@dataclass
class Play:
    """A day with the processes, policies and output that it needs."""

    stage: Stage
    names: TopicNames
    policies: Mapping[str, Compressed]
    day: scenario.Day
    tally: Tally
    display: Display
    chance: Chance
    rubbish: tuple[garbage.Garbage, ...] = ()

    async def run(self) -> None:
        """Runs the day until all inputs are sent and every storyline has its expected events.

        It also ends, without an error, after a time without events or after 90 s; the checks then
        report what is missing.

        Raises:
            StageError: a worker ends.
        """
        begin = time.time() + 0.2
        self.rubbish = garbage.garbage(
            self.chance, wire_time(begin), wire_time(begin + AHEAD_SECONDS)
        )
        async with _clients(self.stage.bootstrap, self._watched()) as (producer, consumer):
            actors = Actors(
                producer,
                self.names,
                self.policies,
                self.day,
                self.rubbish,
                self.chance,
                self.tally,
                time.time,
                begin,
                PARTITIONS,
            )
            tasks = [
                asyncio.ensure_future(actors.play()),
                asyncio.ensure_future(self._watch(consumer, actors, begin)),
                asyncio.ensure_future(watch_workers(self.stage.workers)),
            ]
            try:
                await self._until_told(begin, tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _watched(self) -> dict[str, int]:
        return {self.names.of(topic): partitions(topic) for topic in (*OUTPUTS, DEAD_LETTERS)}

    async def _watch(self, consumer: TolerantConsumer, actors: Actors, begin: float) -> None:
        async for record in follow(consumer):
            if record.topic.endswith("dead-letters"):
                self.tally.dead_letters[str((record.json() or {}).get("reason"))] += 1
                continue
            item = seen(record)
            now = time.time()
            self.tally.saw(now - begin, item, self.day.stories.get(item.key))
            if "decided_at" in item.value:
                self.tally.delays.append(now - instant(item.value["decided_at"]).timestamp())
            actors.saw(item)

    async def _until_told(self, begin: float, tasks: Sequence[asyncio.Future[None]]) -> None:
        last = max(scenario.NOISE_SECONDS, *(item.at for item in self.rubbish))
        complete_since: float | None = None
        while True:
            now = time.time() - begin
            self.stage.look()
            for task in tasks:
                if task.done():
                    task.result()
            self.display.show(now)
            complete = now > last and len(self.display.told()) == len(self.day.stories)
            complete_since = (complete_since or now) if complete else None
            if complete_since is not None and now - complete_since > SETTLE_SECONDS:
                return
            quiet = now - max(last, self.tally.last[0][0] if self.tally.last else 0.0)
            if quiet > QUIET_SECONDS or now > LONGEST_SECONDS:
                return
            await asyncio.sleep(1 / FRAMES_PER_SECOND)


@asynccontextmanager
async def _clients(
    bootstrap: str, topics: Mapping[str, int]
) -> AsyncIterator[tuple[AIOKafkaProducer, TolerantConsumer]]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=LINGER_MS, acks="all")
    await producer.start()
    try:
        consumer = await open_consumer(bootstrap, topics)
        try:
            yield producer, consumer
        finally:
            await consumer.stop()
    finally:
        await producer.stop()
