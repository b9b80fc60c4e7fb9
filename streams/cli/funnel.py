"""`byline funnel`: prints how many accounts took each step, from eligible to released."""

from typing import Annotated

import typer

from schemas.enums import Mode
from streams.cli.names import OfPlatform
from streams.cli.output import AsJson, echo, echo_json, echo_table, settings
from streams.cli.source import index_needed, now_ms
from streams.cli.times import time_of
from streams.core.model.instants import day_of, day_start
from streams.index import tables
from streams.index.fresh import freshness
from streams.index.funnel import Asked, By, Line, funnel, sums
from streams.index.sums import STEPS
from streams.policies.scalars import format_duration

MOST_ACROSS = 8
"""Up to so many groups are printed as columns; more are printed as rows."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="funnel")(show)


def show(
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339; default: today.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; default: now.")] = None,
    by: Annotated[By, typer.Option(help="What is counted apart.")] = By.PLATFORM,
    platform: OfPlatform = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Of shadow lives.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count accounts by step: eligible, invited, delivered, answered, restricted, released.

    Each step counts in the period in which it happened. Medians are of durations that ended in the
    period. Days are those of Asia/Shanghai. Needs the index.
    """
    chosen, now = settings(without_policies=True), now_ms()
    asked = Asked(
        day_start(day_of(now)) if start is None else time_of("--from", start),
        now + 1 if end is None else time_of("--to", end),
        by,
        platform,
        Mode.SHADOW if shadow else Mode.ENFORCE,
    )
    with index_needed(chosen) as connection:
        fresh, lines = freshness(connection), funnel(connection, asked)
    if as_json:
        echo_json({**fresh.as_dict(), "lines": [it.as_dict() for it in lines]})
        return
    echo(fresh.text(now))
    if not lines:
        echo("nothing happened in that time")
    elif len(lines) <= MOST_ACROSS:
        _across(lines)
    else:
        _down(by, lines)


def _across(lines: list[Line]) -> None:
    """Prints a column for each group and one for all: this fits a narrow screen."""
    several = len(lines) > 1
    totals: list[object] = [*sums(lines), *(None for _ in tables.SPANS)]
    names = ("eligible", *STEPS, *(f"median {it}" for it in tables.SPANS))
    columns = [_cells(it) for it in lines]
    echo_table(
        ("", *(it.group for it in lines), *(("all",) if several else ())),
        (
            (name, *(column[row] for column in columns), *((totals[row],) if several else ()))
            for row, name in enumerate(names)
        ),
    )


def _down(by: By, lines: list[Line]) -> None:
    """Prints a row for each group and one for all."""
    rows = [(it.group, *_cells(it)) for it in lines]
    rows.append(("all", *sums(lines), *(None for _ in tables.SPANS)))
    echo_table((by.value, "eligible", *STEPS, *(f"median {it}" for it in tables.SPANS)), rows)


def _cells(line: Line) -> list[object]:
    spans = (None if it is None else format_duration(it) for it in line.medians.values())
    return [line.eligible, *line.counts.values(), *spans]
