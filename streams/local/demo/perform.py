"""Runs the demo from beginning to end: processes, day, checks, output, and removal of all of it."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from rich.console import Console

from schemas.topics import CHANGELOGS, DEAD_LETTERS, OUTPUTS
from streams.local.demo import closing
from streams.local.demo.actors import Actors
from streams.local.demo.chance import Chance
from streams.local.demo.checks import CHECKS, READ, DayEvidence
from streams.local.demo.day import NOISE_SECONDS, Garbage, PlannedDay, garbage, plan
from streams.local.demo.desk import DemoDesk, possible
from streams.local.demo.display import FRAMES_PER_SECOND, Display
from streams.local.demo.policies import compress
from streams.local.demo.stage import PARTITIONS, PREFIX, DemoStage, StageError
from streams.local.demo.tally import DemoTally, SeenEvent
from streams.local.errors import LocalKafkaError
from streams.operate import topics
from streams.operate.audit.reading import Reader, read_to_end
from streams.operate.audit.records import iso, millis
from streams.operate.clients import consumer, producer
from streams.operate.errors import OperateError
from streams.settings import CHECKOUT_POLICIES, WHEEL_POLICIES

INTERRUPTED = 130
PLAIN_COLUMNS = 120
"""The width of the output to a file or a pipe."""
LINGER_MS = 5
POLL_MS = 100
SETTLE_SECONDS = 1.0
"""How long to wait for unexpected events once all expected ones were seen."""
LONGEST_SECONDS = 90.0
QUIET_SECONDS = 12.0
"""The day ends after this time without an event; no step of a storyline waits that long."""
AHEAD_SECONDS = 3_600.0
WATCHED = (*OUTPUTS, DEAD_LETTERS)


def play_demo(keep: bool, seed: int, as_json: bool) -> int:
    """Runs the demo. Returns the exit code.

    It is 0 if every check passes, 1 if one fails or the demo could not run, and 130 after Ctrl-C
    or SIGTERM. All processes and files are removed in any case, unless `keep` is set. `seed`: of
    the pseudo-random day. `as_json`: print the summary as JSON.
    """
    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_COLUMNS
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stage, kept = DemoStage(keep), False
    try:
        passed = _play(console, stage, Chance(seed), as_json)
        desk = _open_desk(console, stage) if keep else None
        kept = keep
        closing.look_further(console, stage, desk, keep)
    except (StageError, LocalKafkaError, OperateError, KafkaError) as error:
        console.print(str(error) or repr(error), style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped; tidying up")
        return INTERRUPTED
    finally:
        if not kept:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # ignore Ctrl-C while stopping
            stage.stop()
    return 0 if passed else 1


def _play(console: Console, stage: DemoStage, chance: Chance, as_json: bool) -> bool:
    started, tally = time.monotonic(), DemoTally()
    with _step(console, "a real Kafka"):
        stage.kafka.start()
    with _step(console, "its topics"):
        asyncio.run(topics.create(stage.settings, PARTITIONS))
    shipped = CHECKOUT_POLICIES if CHECKOUT_POLICIES.is_dir() else WHEEL_POLICIES
    policies = compress(shipped, stage.policies, time.time())
    day = plan(policies, chance)
    with _step(console, "two workers"):
        asyncio.run(stage.start_workers())
    display = Display(console, tally, day, stage.workers)
    play = Play(stage, day, tally, display)
    with display:
        asyncio.run(play.run())
    with _step(console, "reading everything back"):
        evidence = asyncio.run(play.gather())
        checks = [check(evidence) for check in CHECKS]
    seconds = time.monotonic() - started
    closing.show(console, evidence, checks, seconds)
    if as_json:
        summary = closing.summary(
            evidence,
            checks,
            seed=chance.seed,
            seconds=round(seconds, 1),
            inputs=dict(tally.sent),
            sent_twice=tally.duplicates,
            storylines=len(day.stories),
        )
        json.dump(summary, sys.stdout, indent=2)
        sys.stdout.write("\n")
    return all(check.passed for check in checks)


def _open_desk(console: Console, stage: DemoStage) -> DemoDesk | None:
    """Starts index and console on what was written; None if their packages are not installed."""
    if not possible():
        return None
    desk = DemoDesk(stage.folder / "desk", stage.variables)
    stage.others = desk.processes
    with _step(console, "the index, and the console on it"):
        desk.start()
    return desk


@contextlib.contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Shows a step while it runs, and prints it with its duration afterwards."""
    began = time.monotonic()
    with console.status(f"{what} …") if console.is_terminal else contextlib.nullcontext():
        yield
    console.print(f"[green]✓[/] {what} [bright_black]{time.monotonic() - began:.1f} s[/]")


@dataclass
class Play:
    """A day with the processes, policies and output that it needs."""

    stage: DemoStage
    day: PlannedDay
    tally: DemoTally
    display: Display
    garbage: tuple[Garbage, ...] = ()

    async def run(self) -> None:
        """Runs the day until all inputs are sent and every storyline has its expected events.

        It also ends, without an error, after a time without events or after 90 s; the checks then
        report what is missing. Raises StageError if a worker ends.
        """
        begin = time.time() + 0.2
        times = (iso(int(1000 * at)) for at in (begin, begin + AHEAD_SECONDS))
        self.garbage = garbage(self.day.chance, *times)
        settings = self.stage.settings
        async with producer(settings, linger_ms=LINGER_MS) as sender, consumer(settings) as client:
            reader = Reader(client, PREFIX)
            await reader.find(topic.name for topic in WATCHED)
            await reader.seek(reader.of(*(topic.name for topic in WATCHED)), None)
            actors = Actors(sender, self.day, self.garbage, self.tally, time.time, begin)
            tasks = [
                asyncio.ensure_future(actors.play()),
                asyncio.ensure_future(self._watch(reader, actors, begin)),
                asyncio.ensure_future(self.stage.watch()),
            ]
            try:
                await self._until_told(begin, tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, reader: Reader, actors: Actors, begin: float) -> None:
        while True:
            for record in await reader.poll(POLL_MS):
                if record.topic == DEAD_LETTERS.name:
                    self.tally.dead_letters += 1
                    continue
                item, now = SeenEvent.of(record), time.time()
                self.tally.saw(now - begin, item, self.day.stories.get(item.key))
                if "decided_at" in item.value:
                    self.tally.delays.append(now - millis(item.value["decided_at"]) / 1000)
                actors.saw(item)

    async def _until_told(self, begin: float, tasks: Sequence[asyncio.Future[None]]) -> None:
        last = max(NOISE_SECONDS, *(item.at for item in self.garbage))
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

    async def gather(self) -> DayEvidence:
        """Reads all records of all topics, the logs and the metrics pages, for the checks."""
        records, state = [], f"{PREFIX.removesuffix('.')}-"
        async with consumer(self.stage.settings) as client:
            for prefix, some in ((PREFIX, READ[:1]), (PREFIX, READ[1:]), (state, CHANGELOGS)):
                names = [topic.name for topic in some]
                records += [record async for record in read_to_end(client, prefix, names)]
        texts = []
        for worker in self.stage.workers:
            texts.append((f"the log {worker.log.name}", worker.log.read_bytes()))
            texts.append((f"/metrics of {worker.name}", worker.get("/metrics")[1]))
        refusals = Counter(item.reason.value for item in self.garbage if item.reason)
        policies = self.day.policies.items()
        covered = {platform: frozenset(policy.covered) for platform, policy in policies}
        return DayEvidence(self.day.stories, records, refusals, texts, covered, PARTITIONS)
