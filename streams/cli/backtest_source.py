"""Records Kafka's topics into a cache for a backtest; Ctrl-C of long commands."""

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from schemas.inputs import InputName
from streams.backtest.cache import MANIFEST, Cache, Manifest, read_manifest
from streams.backtest.progress import Progress as Tell
from streams.backtest.run import Asked
from streams.cli.output import echo, echo_table, settings
from streams.core.model.instants import rfc3339
from streams.instance import make_private
from streams.operate.errors import UsageError

KAFKA, CACHE = "kafka", "cache"
FOLDER = "backtest"
"""The folder in DATA_DIR for the temporary files of backtests and for their cache."""


_OF_ALL_TIMES = (
    "when the records that the recording refused entered: line one counts all of them, also those"
    " outside of --from and --to"
)


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
    """Returns the cache in DATA_DIR."""
    return Cache(work_folder() / CACHE)


@contextmanager
def recorded(asked: Asked, tell: Tell) -> Iterator[Asked]:
    """Records the Kafka topics that a backtest asks for; yields the question with files instead.

    No other command uses the cache until the block ends. `tell` is called with the progress. What
    is too old is deleted, also for a question that asks for no topic. Raises KafkaAbsentError,
    NoRightError, UsageError.
    """
    cache = cache_of_settings()
    cache.expire(time.time())
    wanted: list[InputName] = []
    if asked.readings == KAFKA:
        wanted.append("follower-counts")
    if asked.labels == KAFKA:
        wanted.append("category-changes")
    if not wanted:
        yield asked
        return
    with cache.held(shlex.join(["byline", *sys.argv[1:]])):
        places = asyncio.run(_record(wanted, cache, tell, (asked.start, asked.end)))
        manifests = {name: read_manifest(it / MANIFEST) for name, it in places.items()}
        for name, it in manifests.items():
            if not it.files:
                since = "" if it.begins is None else f" since {rfc3339(it.begins)}"
                refused = f" (refused: {_counted(it.left_out)})" if it.left_out else ""
                raise UsageError(
                    f"the topic {name} holds no record that can be read yet{since}{refused}"
                )
        readings, labels = (places.get(it) for it in ("follower-counts", "category-changes"))
        left_out = {name: it.left_out for name, it in manifests.items()}
        limited = (asked.start, asked.end) != (None, None) and any(left_out.values())
        whole = [_OF_ALL_TIMES] * limited
        yield replace(
            asked,
            readings=asked.readings if readings is None else f"{readings}/*.parquet",
            labels=asked.labels if labels is None else f"{labels}/*.parquet",
            refused_before=left_out.get("follower-counts", {}),
            labels_refused_before=left_out.get("category-changes", {}),
            notes=[*(note for it in manifests.values() for note in it.notes()), *whole],
        )


async def _record(
    wanted: list[InputName], cache: Cache, tell: Tell, span: tuple[int | None, int | None]
) -> dict[InputName, Path]:
    # Only a recording needs a client of Kafka, which takes a quarter of a second to load.
    from streams.backtest.recording import record
    from streams.operate.clients import consumer
    from streams.processor import partitioner

    chosen = settings(without_policies=True)
    places: dict[InputName, Path] = {}
    async with consumer(chosen) as client:
        for name in wanted:
            places[name] = await record(
                client,
                chosen.topic_prefix + name,
                name,
                cache,
                tell,
                # Labels are few, and one counts for readings of long after it.
                span=span if name == "follower-counts" else (None, None),
                partitions_in_use=chosen.partitions,
                partitioner=partitioner,
            )
    return places


def say_cache(words: list[str]) -> None:
    """Runs `byline backtest cache list` or `clear`. Raises UsageError for other words."""
    cache = cache_of_settings()
    if words == ["clear"]:
        echo(f"{cache.clear()} topics removed from the cache")
        return
    if words != ["list"]:
        raise UsageError("say `byline backtest cache list` or `byline backtest cache clear`")
    entries = cache.entries()
    rows: list[tuple[str, ...]] = []
    said: list[str] = []
    for place, it in entries:
        size = f"{sum(file.stat().st_size for file in place.glob('*.parquet')) / 1e6:,.1f}"
        if isinstance(it, Manifest):
            after = sorted(it.next.items(), key=_number)
            begins = "all" if it.begins is None else rfc3339(it.begins)
            goes_on = " ".join(f"{number}:{offset}" for number, offset in after)
            rows.append((it.topic, it.cluster, begins, f"{it.rows:,}", size, goes_on))
            if it.left_out:
                said.append(f"{it.topic}: refused as by a worker: {_counted(it.left_out)}")
            said += it.notes()
        else:
            rows.append((place.name, "–", "–", "unreadable", size, "–"))
            said.append(str(it))
    if rows:
        echo_table(("topic", "cluster", "from", "records", "MB", "goes on from"), rows)
    for line in said:
        echo(line)
    echo(f"{len(rows)} topics in the cache")


def _counted(counts: Mapping[str, int]) -> str:
    """Returns counts by reason in words, the largest first."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{n:,} {reason}" for reason, n in ordered)


def _number(one: tuple[str, int]) -> tuple[int, str]:
    return len(one[0]), one[0]


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
