"""`byline propagation`: prints how enforcing systems acknowledge throttle events."""

from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.source import index_needed, now_ms
from streams.cli.times import time_of
from streams.core.model.instants import DAY, rfc3339
from streams.index.fresh import freshness
from streams.index.propagation import Asked, System, systems
from streams.policies.scalars import format_duration, parse_duration


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(propagation)


def propagation(
    start: Annotated[
        str | None, typer.Option("--from", help="RFC 3339; default: the last 24 hours.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; default: now.")] = None,
    platform: Annotated[str | None, typer.Option(help="Of one platform alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print which share of the throttle events each enforcing system acknowledges, and how soon.

    A system is expected to acknowledge events of each platform and surface of which it ever
    acknowledged one. Events younger than ACKNOWLEDGED_WITHIN do not count yet. Exit 1 while a
    system is silent, 2 if the index is too old to know. `byline worklist unacknowledged` lists the
    events that none has acknowledged. Needs the index.
    """
    chosen, now = settings(without_policies=True), now_ms()
    asked = Asked(
        now - DAY if start is None else time_of("--from", start),
        now if end is None else time_of("--to", end),
        now - parse_duration(chosen.acknowledged_within),
        platform,
    )
    with index_needed(chosen) as connection:
        fresh, found = freshness(connection), systems(connection, asked)
    # An old index has neither the events that wait nor the acknowledgements that came.
    unknown = fresh.late(now) and (fresh.as_of or 0) < asked.end
    silent = [it for it in found if it.silent_since is not None]
    if as_json:
        echo_json({**fresh.as_dict(), "systems": [it.as_dict() for it in found]})
        raise typer.Exit(1 if silent else 2 if unknown else 0)
    echo(fresh.text(now))
    if not found:
        echo("no enforcing system has ever acknowledged anything: silence means nothing")
    else:
        columns = ("system", "asked", "acknowledged", "share", "failed", "median", "95 of 100")
        echo_table((*columns, "for"), map(_row, found))
    for it in silent:
        echo_error(f"{it.system} has been silent since {rfc3339(it.silent_since or 0)}")
    raise typer.Exit(1 if silent else 2 if unknown else 0)


def _row(it: System) -> tuple[object, ...]:
    share = None if it.share_ppm is None else f"{it.share_ppm / 10_000:.1f} %"
    spans = (None if ms is None else format_duration(ms) for ms in (it.median_ms, it.p95_ms))
    duties = ", ".join(f"{platform} {surface}" for platform, surface in it.duties)
    return (it.system, it.asked, it.acknowledged, share, it.failed, *spans, duties)
