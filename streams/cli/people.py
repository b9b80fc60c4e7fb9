"""`byline worklist` and `byline statement`: what people have to look at, and what owners read."""

import asyncio
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.events import ThrottleApplied
from schemas.topics import OUTPUTS
from streams.cli.say import AsJson, say, say_json, say_table, settings
from streams.core.policy import Policy
from streams.operate.audit.lineup import plain_of
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.operate.statements import read, render, zone_of
from streams.operate.worklists import TOPICS, Row, WorkLists
from streams.policies import PolicyFaults, load_policy
from streams.settings import Settings


class Which(StrEnum):
    """The work-lists there are."""

    UNDELIVERABLE = "undeliverable"
    PENDING = "pending"
    APPEALS = "appeals"


class Language(StrEnum):
    """The languages of a statement."""

    ZH = "zh"
    EN = "en"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(worklist)
    app.command()(statement)


def worklist(
    which: Which,
    within: Annotated[
        float, typer.Option(min=0, help="Hours: pending restrictions due by then.")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Accounts that need a person: undeliverable notices, pending restrictions, open appeals."""
    chosen = settings()
    lists = asyncio.run(_read(chosen))
    now = int(time.time() * 1000)
    rows = lists.rows(which.value, now, int(within * 3_600_000))
    if as_json:
        say_json([row.as_dict() for row in rows])
        return
    columns = ("account", "since", "reason", "due_at", "surfaces", "waits_for")
    if rows:
        say_table(columns, (_cells(row) for row in rows))
    say(f"{len(rows)} {which.value}")


def _cells(row: Row) -> tuple[str | None, ...]:
    lists = (", ".join(row.surfaces) or None, ", ".join(row.waits_for) or None)
    return (row.account, row.since, row.reason, row.due_at, *lists)


async def _read(chosen: Settings) -> WorkLists:
    lists = WorkLists()
    try:
        async with consumer(chosen) as client:
            async for record in read_to_end(client, chosen.topic_prefix, TOPICS):
                lists.feed(record)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    return lists


def statement(
    event: Annotated[str, typer.Argument(help="An event id, or a file with the event's JSON.")],
    lang: Annotated[Language, typer.Option(help="Its language.")] = Language.ZH,
    as_json: AsJson = False,
) -> None:
    """The statement of reasons of one restriction, as its owner may read it."""
    file = Path(event)
    found = read(file.read_bytes()) if file.is_file() else asyncio.run(_find(settings(), event))
    if as_json:
        say_json(found.statement.model_dump(mode="json"))
        return
    zone = zone_of(_policy_of(found.platform), found.statement.ground.phase)
    typer.echo(render(found, "zh" if lang is Language.ZH else "en", zone), nl=False)


def _policy_of(platform: str) -> Policy | None:
    """The platform's policy where it can be read: it says nothing but the zone of the times."""
    chosen = settings()
    try:
        return load_policy(chosen.policies / f"{platform}.yaml")
    except PolicyFaults:
        return None


async def _find(chosen: Settings, event_id: str) -> ThrottleApplied:
    names = [topic.name for topic in OUTPUTS if topic.name.endswith("throttles")]
    try:
        async with consumer(chosen) as client:
            async for record in read_to_end(client, chosen.topic_prefix, names):
                if plain_of(record).get("event_id") == event_id:
                    return read(record.value or b"")
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    raise UsageError(f"{event_id} is neither a file nor an event of {' or '.join(names)}")
