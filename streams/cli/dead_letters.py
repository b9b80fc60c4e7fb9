"""`byline dead-letters …`: lists refused records, sends them again, or dismisses them.

A dead letter is settled once a person has redriven (sent again) or dismissed its record.
"""

import asyncio
import shlex
from collections import Counter
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from schemas.cures import CURES
from schemas.enums import Refused
from streams.cli.control import Reason, Yes
from streams.cli.names import Actor, OfPlatform, OfTopic
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.source import FromKafka, index_engine, now_ms
from streams.cli.times import time_of
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.refused import Wanted, listed
from streams.letters import settle
from streams.letters.desk import LetterDesk
from streams.letters.reading import Filter, Letter, Letters, origin_of, origins_of, read_letters
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.settings import Settings

SHOWN = 100
"""How many rows the printed table has; --json has all."""

app = typer.Typer(help="What was refused, and its way back.", no_args_is_help=True)

Places = Annotated[
    list[str] | None, typer.Argument(metavar="RECORD…", help="Where it lies: controls[3]@17.")
]
RefusedFor = Annotated[str | None, typer.Option("--refused-for", help="bad_id, not_json, …")]
Start = Annotated[str | None, typer.Option("--from", help="RFC 3339: refused since.")]
End = Annotated[str | None, typer.Option("--to", help="RFC 3339: refused before.")]
All = Annotated[bool, typer.Option("--all", help="Every one that is not settled.")]
Unknown = Annotated[
    bool,
    typer.Option("--with-unknown", help="With --platform: also those of unknown platform."),
]


@app.command(name="list")
def show_list(
    platform: OfPlatform = None,
    topic: OfTopic = None,
    refused_for: RefusedFor = None,
    start: Start = None,
    end: End = None,
    settled: Annotated[bool, typer.Option("--settled", help="Those seen to as well.")] = False,
    kafka: FromKafka = False,
    as_json: AsJson = False,
) -> None:
    """List the dead letters that nobody has settled: counts by reason, then the newest ones.

    They are read from the index if there is one, else from Kafka. A letter whose key does not fit
    names no platform, so --platform lists these as well: they may be of it.
    """
    wanted = _filter(platform, topic, refused_for, start, end, unknown=platform is not None)
    chosen = settings(without_policies=True)
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            found = _read_letters(chosen, wanted, settled)
        else:
            found = _indexed_letters(engine, wanted, settled)
    if as_json:
        echo_json(found)
        return
    counts = Counter((it["platform"], it["topic"], it["reason"]) for it in found)
    if counts:
        echo_table(
            ("platform", "topic", "reason", "count"),
            ((*key, count) for key, count in counts.most_common()),
        )
        echo("")
        columns: tuple[str, ...] = ("record", "reason", "field", "refused_at", "settled")
        unknown = sum(it["platform"] is None for it in found) if platform is not None else 0
        columns = ("platform", *columns) if unknown else columns
        echo_table(columns, ([it[name] for name in columns] for it in found[:SHOWN]))
    for reason in sorted({it["reason"] for it in found} & set(CURES)):
        echo(f"{reason}: {CURES[Refused(reason)]}")
    if len(found) > SHOWN:
        echo(f"… and {len(found) - SHOWN:,} more; --json has all")
    echo(f"{len(found):,} dead letters")
    if counts and unknown:
        echo(f"{unknown:,} of them are of unknown platform: they may be of {platform}")


def _indexed_letters(engine: Engine, wanted: Filter, settled: bool) -> list[dict[str, Any]]:
    asked = Wanted(
        wanted.platform,
        wanted.topic,
        wanted.reason,
        wanted.start,
        wanted.end,
        settled=None if settled else False,
        unknown=wanted.unknown,
    )
    with reading(engine) as connection:
        echo_error(freshness(connection).text(now_ms()))
        return listed(connection, asked)


def _read_letters(chosen: Settings, wanted: Filter, settled: bool) -> list[dict[str, Any]]:
    found = _letters(chosen).matching(wanted)
    found.sort(key=lambda it: it.refused_at, reverse=True)
    return [_plain(it) for it in found if settled or it.settled is None]


@app.command()
def show(record: Annotated[str, typer.Argument(metavar="RECORD")], as_json: AsJson = False) -> None:
    """Show one refused record, fetched from its topic; all but known fields is masked."""
    origin_of(record)  # What names no record is refused before anything is asked.
    found = LetterDesk(settings(without_policies=True)).shown(record)
    if as_json:
        echo_json(found)
        return
    value = found.pop("value", None)
    for name, text in found.items():
        echo(f"{name}: {'–' if text is None else text}")
    if isinstance(value, dict):
        echo("value:")
        for name, text in value.items():
            echo(f"  {name}: {text}")
    else:
        echo(f"value: {'–' if value is None else value}")


@app.command()
def redrive(
    actor: Actor,
    reason: Reason,
    records: Places = None,
    platform: OfPlatform = None,
    topic: OfTopic = None,
    refused_for: RefusedFor = None,
    start: Start = None,
    end: End = None,
    every: All = False,
    with_unknown: Unknown = False,
    through: Annotated[
        str | None,
        typer.Option(help="A command: gets each value on stdin, prints what to send instead."),
    ] = None,
    key_from_value: Annotated[
        bool, typer.Option("--key-from-value", help="Where key and value disagree, the value.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send refused records again, as they are or mended by --through. Without --yes only count.

    A record that would be refused again is not sent. Each is sent once, however often this is
    killed.
    """
    chosen = _filter(platform, topic, refused_for, start, end, unknown=with_unknown)
    wanted = _meant(records, every, chosen)
    command = tuple(shlex.split(through or ""))
    order = settle.SettlementOrder(actor, reason, wanted, now_ms(), command, key_from_value)
    _settle("redrive", order, "sent again", yes, as_json)


@app.command()
def dismiss(
    actor: Actor,
    reason: Reason,
    records: Places = None,
    platform: OfPlatform = None,
    topic: OfTopic = None,
    refused_for: RefusedFor = None,
    start: Start = None,
    end: End = None,
    every: All = False,
    with_unknown: Unknown = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Record that a person has looked at refused records and that they need not be sent."""
    chosen = _filter(platform, topic, refused_for, start, end, unknown=with_unknown)
    wanted = _meant(records, every, chosen)
    order = settle.SettlementOrder(actor, reason, wanted, now_ms())
    _settle("dismiss", order, "dismissed", yes, as_json)


def _settle(word: str, order: settle.SettlementOrder, what: str, yes: bool, as_json: bool) -> None:
    done = LetterDesk(settings(without_policies=True)).settle(word, order, dry=not yes)
    if as_json:
        left = [{"record": str(it.letter.origin), "why": it.why} for it in done.left]
        said = {"dry_run": not yes, "settled": done.settled, "settled_before": done.before}
        moved = [str(it.origin) for it in done.moved]
        echo_json({**said, "left": left, "unknown_platform": done.unknown, "moved": moved})
    else:
        would = "" if yes else "would be "
        echo(f"{done.settled:,} {would}{what}, {done.before:,} were settled before")
        for why, count in settle.lines_of(done.left):
            echo_error(f"{count:,} stay: {why}")
        if done.moved:
            echo_error(
                f"{len(done.moved):,} got another key: --through answered with the record of"
                f" another account, {done.moved[0].origin} first"
            )
        if done.unknown:
            echo_error(
                f"{done.unknown:,} more are of unknown platform, and may be of"
                f" {order.wanted.platform}: --with-unknown takes them"
            )
        if done.settled and not yes:
            echo("nothing was done: --yes does it")
        elif done.settled:
            echo("when all are settled: `byline switch refusals-settled on --scope PLATFORM` …")
    raise typer.Exit(1 if done.left else 0)


def _letters(chosen: Settings) -> Letters:
    async def run() -> Letters:
        async with consumer(chosen) as client:
            return await read_letters(client, chosen)

    return asyncio.run(run())


def _meant(records: list[str] | None, every: bool, wanted: Filter) -> Filter:
    if records:
        if wanted != Filter() or every:
            raise UsageError("name records, or say which by options, not both")
        return Filter(origins=origins_of(records))
    if wanted == Filter() and not every:
        raise UsageError("say which: a RECORD, --platform, --topic, --refused-for, or --all")
    return wanted


def _filter(
    platform: str | None,
    topic: str | None,
    refused_for: str | None,
    start: str | None,
    end: str | None,
    *,
    unknown: bool = False,
) -> Filter:
    if unknown and platform is None:
        raise UsageError("--with-unknown goes with --platform")
    times = (time_of("--from", start), time_of("--to", end))
    return Filter(platform, topic, refused_for, *times, unknown=unknown)


def _plain(it: Letter) -> dict[str, Any]:
    return {
        "record": str(it.origin),
        "platform": it.platform,
        "topic": it.origin.topic,
        "reason": it.reason,
        "field": it.field,
        "bytes": it.size,
        "refused_at": it.refused_at,
        "settled": it.settled,
    }
