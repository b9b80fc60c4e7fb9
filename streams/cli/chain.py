"""`byline audit --chain|--head|--against`: verifies the decision log's hash chain and anchors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import typer

from streams.cli.output import echo, echo_error, echo_json, echo_table
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.chain import Verified
from streams.operate.audit.head import (
    AnchorError,
    Head,
    Missed,
    anchor_of,
    heads_of,
    missed,
    read_anchor,
    wanted_of,
)
from streams.operate.audit.reading import MissingTopicsError, verify_log
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.operate.lines import read_bytes
from streams.settings import Settings

SHOWN = 200
"""How many rows the printed table has; --json has all."""


def verify_chain(
    chosen: Settings, from_record: int, head: bool, against: Path | None, as_json: bool
) -> NoReturn:
    """Verifies the hash chain, prints the result, and exits: 1 if something is wrong, else 0.

    `head`: print the last hashes too. `against`: a file with an anchor that must be in the log.
    Raises UsageError.
    """
    anchored = [] if against is None else _anchor(against)

    async def run() -> Verified:
        async with audited(chosen) as client:
            wanted = wanted_of(anchored)
            return await verify_log(client, chosen.topic_prefix, from_record, wanted)

    done = asyncio.run(run())
    if from_record > 1 and not done.records:
        last = max(done.passed.values(), default=0)
        what = f"the log ends at number {last}: take {last} or less" if last else "the log is empty"
        raise UsageError(f"--from-record {from_record}: nothing to verify, {what}")
    lacking = missed(done, anchored)
    heads = heads_of(done) if head else None
    if as_json:
        _print_json(done, lacking, heads, against)
    else:
        _print(done, lacking, heads)
        if against is not None and not lacking:
            echo(f"the log holds all {len(anchored)} anchored heads of {against}")
    raise typer.Exit(1 if done.breaks or lacking else 0)


def _anchor(path: Path) -> list[Head]:
    try:
        return read_anchor(read_bytes(path))
    except OSError as error:
        raise UsageError(f"--against {path}: {error.strerror}") from error
    except AnchorError as error:
        raise UsageError(f"--against {path}: {error}") from error


def _print_json(
    done: Verified, lacking: list[Missed], heads: list[Head] | None, against: Path | None
) -> None:
    said = {
        "ok": not done.breaks and not lacking,
        "records": done.records,
        "breaks": [asdict(it) for it in done.breaks],
        "end_before": dict(sorted(done.passed.items())),
        "begins": done.begins,
    }
    if heads is not None:
        said |= anchor_of(heads)
    if against is not None:
        said["missed"] = [asdict(it) for it in lacking]
    echo_json(said)


def _print(done: Verified, lacking: list[Missed], heads: list[Head] | None) -> None:
    for partition, last in sorted(done.passed.items()):
        echo(f"partition {partition} ends at number {last}: nothing of it was verified")
    for partition, offset in done.begins.items():
        left = "its first record is taken on trust" if partition in done.chains else "none is left"
        echo_error(f"partition {partition}: Kafka has dropped all before offset {offset}; {left}")
    if done.breaks:
        columns = ("partition", "number", "place", "fault", "says")
        echo_table(columns, (asdict(it).values() for it in done.breaks[:SHOWN]))
    for it in lacking:
        echo_error(f"partition {it.partition}, anchored number {it.number}: {it.says}")
    if heads is not None:
        echo_table(
            ("partition", "number", "hash", "at"),
            ((it.partition, it.number, it.hash, it.at) for it in heads),
        )
        echo(f"digest of all heads: {anchor_of(heads)['digest']}")
    echo(f"{done.records} records read, {len(done.breaks)} breaks in the chain")


@asynccontextmanager
async def audited(chosen: Settings) -> AsyncIterator[TolerantConsumer]:
    """Yields a consumer for the auditor. Raises UsageError if a topic is missing."""
    try:
        async with consumer(chosen) as client:
            yield client
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
