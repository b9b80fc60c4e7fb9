"""Records Kafka's topics into a cache for a backtest; progress bar and Ctrl-C of long commands."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.inputs import InputName
from streams.backtest.cache import Cache
from streams.backtest.run import Asked
from streams.backtest.run import Progress as Tell
from streams.cli.output import echo, echo_table, settings
from streams.instance import make_private
from streams.operate.errors import UsageError

KAFKA, CACHE = "kafka", "cache"
FOLDER = "backtest"
"""The folder in DATA_DIR for the temporary files of backtests and for their cache."""


def work_folder() -> Path:
    """Makes and returns the folder of backtests in DATA_DIR.

    Raises InstanceError, UsageError: it cannot be made.
    """
    data_dir = settings(without_policies=True).data_dir
    make_private(data_dir)
    folder = data_dir / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made ({error.strerror})") from error
    return folder


def cache_of_settings() -> Cache:
    """Returns the cache in DATA_DIR, after deleting what is too old."""
    cache = Cache(work_folder() / CACHE)
    cache.expire(time.time())
    return cache


def from_kafka(asked: Asked, tell: Tell) -> Asked:
    """Records the Kafka topics that a backtest asks for; returns the question with files instead.

    `tell` is called with the progress. Raises KafkaAbsentError, NoRightError, UsageError.
    """
    cache = cache_of_settings()
    wanted: list[InputName] = []
    if asked.readings == KAFKA:
        wanted.append("follower-counts")
    if asked.labels == KAFKA:
        wanted.append("category-changes")
    if not wanted:
        return asked
    places = asyncio.run(_record(wanted, cache, tell))
    for name, place in places.items():
        if not list(place.glob("*.parquet")):
            raise UsageError(f"the topic {name} holds no record that can be read yet")
    readings, labels = (places.get(it) for it in ("follower-counts", "category-changes"))
    return replace(
        asked,
        readings=asked.readings if readings is None else f"{readings}/*.parquet",
        labels=asked.labels if labels is None else f"{labels}/*.parquet",
    )


async def _record(wanted: list[InputName], cache: Cache, tell: Tell) -> dict[str, Path]:
    # Only a recording needs a client of Kafka, which takes a quarter of a second to load.
    from streams.backtest.recording import record
    from streams.operate.clients import consumer

    chosen = settings(without_policies=True)
    places: dict[str, Path] = {}
    async with consumer(chosen) as client:
        for name in wanted:
            topic = chosen.topic_prefix + name
            places[name] = await record(client, topic, name, cache, tell)
    return places


def say_cache(words: list[str]) -> None:
    """Runs `byline backtest cache list` or `clear`. Raises UsageError for other words."""
    cache = cache_of_settings()
    if words == ["clear"]:
        echo(f"{cache.clear()} topics removed from the cache")
        return
    if words != ["list"]:
        raise UsageError("say `byline backtest cache list` or `byline backtest cache clear`")
    rows = [
        (
            it.topic,
            it.cluster,
            f"{it.rows:,}",
            f"{sum((place / file['name']).stat().st_size for file in it.files) / 1e6:,.1f}",
            " ".join(f"{number}:{after}" for number, after in sorted(it.next.items(), key=_number)),
        )
        for place, it in cache.manifests()
    ]
    if rows:
        echo_table(("topic", "cluster", "records", "MB", "goes on from"), rows)
    echo(f"{len(rows)} topics in the cache")


def _number(one: tuple[str, int]) -> int:
    return int(one[0])


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Raises KeyboardInterrupt for a Ctrl-C in its block, even if a library turns it into an error.

    DuckDB and Arrow do that, and a Ctrl-C while a library is loaded may be lost. So it yields a
    function to call now and then, which raises KeyboardInterrupt if Ctrl-C was pressed.
    """
    pressed: list[int] = []

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.default_int_handler(number, frame)

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield check
        check()
    except Exception:
        check()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress() -> Iterator[Tell]:
    """Shows progress, rate and remaining time on a terminal; nothing in a file or a pipe.

    Yields a function that takes what is being done, how much is done, and how much there is.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]}")
    with Progress(*columns, rate, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="")
        began: dict[str, float] = {}

        def tell(what: str, done: int, total: int) -> None:
            seconds = time.monotonic() - began.setdefault(what, time.monotonic())
            rate = f"{done / seconds:,.0f} rows/s" if done and seconds > 0 else ""
            bar.update(task, description=what, completed=done, total=total or None, rate=rate)

        yield tell
