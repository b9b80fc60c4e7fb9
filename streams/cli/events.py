"""`byline events`: prints the published events, from the index or from Kafka."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from schemas.enums import ACCOUNT_ID_PATTERN, Event
from streams.cli.names import OfPlatform
from streams.cli.output import echo, echo_error, settings
from streams.cli.source import FromKafka, index_engine, now_ms
from streams.cli.times import time_of
from streams.index.database import reading
from streams.index.events import events as indexed_events
from streams.index.fresh import freshness
from streams.operate.audit.reading import MissingTopicsError
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.operate.events import WantedEvents, line_of, types_of
from streams.operate.events import events as read_events
from streams.operate.events import follow as follow_events
from streams.policies.scalars import nearest
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(events)


def events(
    account: Annotated[str | None, typer.Option(help="PLATFORM:ACCOUNT; in its order.")] = None,
    platform: OfPlatform = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="invitation.issued, issued, throttle, …; may be repeated."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339; default: all.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; default: now.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="From Kafka, as they come, until SIGTERM or Ctrl-C.")
    ] = False,
    kafka: FromKafka = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line for a program to read.")
    ] = False,
) -> None:
    """Print the published events, live and shadow, from the index if there is one, else from Kafka.

    They are printed as they are read, so `| head` ends it. Events of one account are in their
    order, of several by time; from Kafka, each topic partition is in order. --follow begins at
    --from, else now, and needs no index.
    """
    if account is not None and ":" not in account:
        raise UsageError(f"--account is PLATFORM:ACCOUNT (an id is {ACCOUNT_ID_PATTERN})")
    wanted = WantedEvents(
        account, platform, _types(types or []), time_of("--from", start), time_of("--to", end)
    )
    chosen = settings(without_policies=True)
    if follow:
        if end is not None:
            raise UsageError("--follow has no end: leave --to out")
        asyncio.run(_follow(chosen, wanted, as_json))
        return
    none = "no such event"
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            count = asyncio.run(_print(chosen, wanted, as_json))
        else:
            count, late = _print_indexed(engine, wanted, as_json)
            none += " in the index, which is old: `--kafka` reads the topics" if late else ""
    if not as_json and not count:
        echo(none)


def _print_indexed(engine: Engine, wanted: WantedEvents, as_json: bool) -> tuple[int, bool]:
    """Returns how many events it printed, and whether the index is old."""
    count, now = 0, now_ms()
    with reading(engine) as connection:
        fresh = freshness(connection)
        echo_error(fresh.text(now))
        for event in indexed_events(connection, wanted):
            count += 1
            _say(event, as_json)
    return count, fresh.late(now)


def _say(event: Mapping[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(event, ensure_ascii=False) if as_json else line_of(event))


async def _follow(chosen: Settings, wanted: WantedEvents, as_json: bool) -> None:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with consumer(chosen) as client:
            async for event in follow_events(client, chosen, wanted, now_ms(), stopping):
                _say(event, as_json)
                sys.stdout.flush()
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error


async def _print(chosen: Settings, wanted: WantedEvents, as_json: bool) -> int:
    count = 0
    try:
        async with consumer(chosen) as client:
            async for event in read_events(client, chosen, wanted):
                count += 1
                _say(event, as_json)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    return count


def _types(words: list[str]) -> frozenset[Event]:
    try:
        return types_of(words)
    except ValueError as error:
        word = str(error)
        near = nearest(word, [part for it in Event for part in (it.value, *it.value.split("."))])
        hint = f"did you mean {near}?" if near else f"there are {', '.join(Event)}"
        raise UsageError(f"--type {word}: no such event; {hint}") from None
