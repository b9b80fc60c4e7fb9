"""Runs the demo from beginning to end: processes, day, checks, output, and removal of all of it."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from aiokafka.errors import KafkaError
from rich.console import Console

from schemas.topics import TopicNames
from streams.local.demo import Options, closing
from streams.local.demo.chance import Chance
from streams.local.demo.checks import run_checks
from streams.local.demo.day import Play
from streams.local.demo.display import Display
from streams.local.demo.gather import gather
from streams.local.demo.policies import compress
from streams.local.demo.probe import look_at
from streams.local.demo.scenario import plan
from streams.local.demo.stage import Stage, StageError
from streams.local.demo.tally import Tally
from streams.local.errors import LocalKafkaError
from streams.settings import CHECKOUT_POLICIES, WHEEL_POLICIES

READY_SECONDS = 120.0
READY_POLL_SECONDS = 0.1
DAY_SECONDS = 28.0
"""The expected duration of a day, for the progress bar."""
INTERRUPTED = 130
PLAIN_COLUMNS = 120
"""The width of the output to a file or a pipe."""


def play_demo(options: Options) -> int:
    """Runs the demo; see `streams.local.demo.run`."""
    console = Console(stderr=options.json, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_COLUMNS
    started = time.monotonic()
    with _terminated_as_interrupted():
        stage = Stage(options.keep)
        keep = False
        try:
            passed = _play(options, console, stage, started)
            keep = options.keep
            closing.look_further(console, stage, keep)
        except (StageError, LocalKafkaError, KafkaError) as error:
            console.print(str(error) or repr(error), style="red", markup=False, soft_wrap=True)
            return 1
        except KeyboardInterrupt:
            console.print("\nstopped; tidying up")
            return INTERRUPTED
        finally:
            if not keep:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # ignore Ctrl-C while stopping
                stage.stop()
    return 0 if passed else 1


def _play(options: Options, console: Console, stage: Stage, started: float) -> bool:
    names = TopicNames("byline.", "byline")
    chance = Chance(options.seed)
    with _step(console, "a real Kafka"):
        stage.start_kafka()
    with _step(console, "its topics"):
        stage.create_topics()
    shipped = CHECKOUT_POLICIES if CHECKOUT_POLICIES.is_dir() else WHEEL_POLICIES
    policies = compress(shipped, stage.policies, time.time())
    day = plan(policies, chance)
    tally = Tally()
    with _step(console, "two workers"):
        stage.start_workers()
        asyncio.run(_until_ready(stage))
    modes = {platform: policy.mode for platform, policy in policies.items()}
    display = Display(console, tally, day.stories, modes, stage.workers, DAY_SECONDS, options.seed)
    play = Play(stage, names, policies, day, tally, display, chance)
    display.open()
    try:
        asyncio.run(play.run())
    finally:
        display.close()
    with _step(console, "reading everything back"):
        evidence = asyncio.run(gather(play))
        checks = run_checks(evidence)
    seconds = time.monotonic() - started
    closing.show(console, evidence, checks, tuple(policies), seconds)
    if options.json:
        more = {
            "seed": options.seed,
            "seconds": round(seconds, 1),
            "inputs": dict(tally.sent),
            "sent_twice": tally.duplicates,
            "storylines": len(day.stories),
        }
        json.dump(closing.summary(evidence, checks, tuple(policies), more), sys.stdout, indent=2)
        sys.stdout.write("\n")
    return all(check.passed for check in checks)


async def _until_ready(stage: Stage) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        stage.look()
        for worker in stage.workers:
            await look_at(worker)
        if all(worker.ready for worker in stage.workers):
            return
        if time.monotonic() > deadline:
            late = ", ".join(worker.name for worker in stage.workers if not worker.ready)
            raise StageError(f"{late} not ready after {READY_SECONDS:.0f} s; see {stage.folder}")
        await asyncio.sleep(READY_POLL_SECONDS)


@contextlib.contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Shows a step while it runs, and prints it with its duration afterwards."""
    began = time.monotonic()
    if console.is_terminal:
        with console.status(f"{what} …"):
            yield
    else:
        yield
    console.print(f"[green]✓[/] {what} [bright_black]{time.monotonic() - began:.1f} s[/]")


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Makes SIGTERM act like Ctrl-C; restores both signal handlers afterwards."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt), signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
