"""`byline worklist`: accounts that need a person; `byline statement`: statements of reasons."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
from sqlalchemy import Engine

from schemas.events import ThrottleApplied
from schemas.topics import OUTPUTS
from streams.cli.bare import renamed
from streams.cli.names import OfPlatform
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.source import FromKafka, index_engine, now_ms
from streams.cli.unobeyed import by_platform, lists_of, show_unobeyed
from streams.core.model.policy import Policy
from streams.index.database import reading
from streams.index.events import throttle_events
from streams.index.fresh import freshness
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.happened import plain_of
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.operate.lines import read_bytes
from streams.operate.statements import read, render, zone_of
from streams.operate.statements.restrictions import Restrictions
from streams.operate.worklists import Row, WorkList, WorkLists, topics_of
from streams.policies import PolicyFaults, load_policy
from streams.policies.scalars import parse_duration
from streams.settings import Settings

THROTTLES = [topic.name for topic in OUTPUTS if topic.name.endswith("throttles")]


class Which(StrEnum):
    """The names of the work-lists."""

    UNDELIVERABLE = "undeliverable"
    UNCONFIRMED = "unconfirmed"
    UNCLEAR = "unclear"
    PENDING = "pending"
    APPEALS = "appeals"
    UNACKNOWLEDGED = "unacknowledged"


class Language(StrEnum):
    """The languages of a statement."""

    ZH = "zh"
    EN = "en"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(context_settings=renamed(within="within-hours"))(worklist)
    app.command()(statement)


def worklist(
    which: Which,
    within_hours: Annotated[
        float, typer.Option(min=0, help="Pending restrictions due by then.")
    ] = 24.0,
    platform: OfPlatform = None,
    kafka: FromKafka = False,
    as_json: AsJson = False,
) -> None:
    """List accounts that need a person, by the workers' state.

    undeliverable: notices that failed; those that failed after a delivery come last. unconfirmed:
    invited, without a receipt for longer than UNCONFIRMED_AFTER. unclear: a record of the owner or
    an operator could not be read or does not fit; accounts with a consent in force come first.
    pending: restrictions that will follow, and what they wait for. appeals: open appeals.
    unacknowledged: restrictions and lifts that no enforcing system has acknowledged, if any system
    ever did; needs the index. The others come from the index if there is one, else from Kafka.
    """
    chosen = settings(without_policies=True)
    now = now_ms()
    if which is Which.UNACKNOWLEDGED:
        show_unobeyed(chosen, now, platform, as_json)
        return
    named = cast("WorkList", which.value)
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            lists = asyncio.run(_read(chosen, named))
        else:
            lists = lists_of(engine, named, now, quiet=as_json)
    hours = int(within_hours * 3_600_000)
    span = parse_duration(chosen.unconfirmed_after) if which is Which.UNCONFIRMED else hours
    rows = lists.rows(named, now, span)
    if platform is not None:
        rows = [row for row in rows if row.account.startswith(f"{platform}:")]
    if as_json:
        echo_json([row.as_dict() for row in rows])
        return
    apart = [row for row in rows if row.after_delivery]
    _table(which, [row for row in rows if not row.after_delivery])
    echo(f"{len(rows) - len(apart)} {which.value}{by_platform(row.account for row in rows)}")
    if apart:
        _table(which, apart)
        echo(f"{len(apart)} {which.value} after a delivery: many at once are a wave")


_COLUMNS: dict[Which, tuple[str, ...]] = {
    Which.UNDELIVERABLE: ("account", "since", "reason", "surfaces"),
    Which.UNCONFIRMED: ("account", "since", "surfaces"),
    Which.UNCLEAR: ("account", "since", "reason", "consent"),
    Which.PENDING: ("account", "since", "reason", "due_at", "surfaces", "waits_for"),
    Which.APPEALS: ("account", "since", "appeal_id", "surfaces"),
}


def _table(which: Which, rows: list[Row]) -> None:
    if rows:
        echo_table(
            _COLUMNS[which], ([_cell(row, name) for name in _COLUMNS[which]] for row in rows)
        )


def _cell(row: Row, name: str) -> str | None:
    value = getattr(row, name)
    if isinstance(value, bool):
        return "in force" if value else None
    return (", ".join(value) or None) if isinstance(value, tuple) else value


async def _read(chosen: Settings, which: WorkList) -> WorkLists:
    lists = WorkLists()
    try:
        async with consumer(chosen) as client:
            state = read_to_end(client, f"{chosen.application_id}-", [CHANGELOG])
            async for record in state:
                lists.feed(record)
            async for record in read_to_end(client, chosen.topic_prefix, topics_of(which)):
                lists.feed(record)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    return lists


def statement(
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT|PLATFORM:ACCOUNT",
            help="An event id, a file with the event's JSON, or an account.",
        ),
    ],
    lang: Annotated[Language, typer.Option(help="Its language.")] = Language.ZH,
    kafka: FromKafka = False,
    as_json: AsJson = False,
) -> None:
    """Print the statement of reasons of a restriction for the account's owner.

    It is read from the index if there is one, else from Kafka.

    For an account it prints the statements of all restrictions in force, else those of its last
    cycle; with --json as a list.
    """
    chosen, file = settings(without_policies=True), Path(event)
    if file.is_file():
        found, alone = [read(read_bytes(file))], True
    else:
        found, alone = _find(chosen, event, kafka)
    if as_json:
        plain = [it.statement.model_dump(mode="json") for it in found]
        echo_json(plain[0] if alone else plain)
        return
    for number, each in enumerate(found):
        zone = zone_of(_policy_of(chosen, each.platform), each.statement.ground.phase)
        typer.echo("\n" if number else "", nl=False)
        typer.echo(render(each, "zh" if lang is Language.ZH else "en", zone), nl=False)


def _policy_of(chosen: Settings, platform: str) -> Policy | None:
    """Returns the platform's policy, or None; it only gives the time zone of the statement."""
    try:
        return load_policy(chosen.policies / f"{platform}.yaml")
    except PolicyFaults:
        return None


Found = tuple[list[ThrottleApplied], bool]
"""Events with statements, and whether an event was asked for, not an account."""


def _find(chosen: Settings, wanted: str, kafka: bool) -> Found:
    """Returns the statements of an event or an account. Raises UsageError if there are none."""
    late = False
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            found, alone = asyncio.run(_find_read(chosen, wanted))
        else:
            found, alone, late = _find_indexed(engine, wanted)
    if found:
        return found, alone
    raise UsageError(
        f"{wanted} is neither a file nor an event of {' or '.join(THROTTLES)}, nor an account that"
        f" was ever restricted{', as far as the old index knows: try --kafka' if late else ''}"
    )


def _find_indexed(engine: Engine, wanted: str) -> tuple[list[ThrottleApplied], bool, bool]:
    """Returns what `_find` does, and whether the index is old."""
    restrictions, now = Restrictions(), now_ms()
    with reading(engine) as connection:
        fresh = freshness(connection)
        echo_error(fresh.text(now))
        for record in throttle_events(connection, wanted):
            if record.key != wanted.encode():
                return [read(record.value or b"")], True, fresh.late(now)
            restrictions.feed(record)
    _tell_unreadable(restrictions)
    return restrictions.told(now), False, fresh.late(now)


async def _find_read(chosen: Settings, wanted: str) -> Found:
    restrictions = Restrictions()
    try:
        async with consumer(chosen) as client:
            async for record in read_to_end(client, chosen.topic_prefix, THROTTLES):
                if record.key == wanted.encode():
                    restrictions.feed(record)
                elif plain_of(record).get("event_id") == wanted:
                    return [read(record.value or b"")], True
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    _tell_unreadable(restrictions)
    return restrictions.told(now_ms()), False


def _tell_unreadable(restrictions: Restrictions) -> None:
    for place in restrictions.unreadable:
        echo_error(f"{place}: no statement can be made of it, and no worker wrote it: left out")
