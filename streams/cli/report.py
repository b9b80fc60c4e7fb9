"""`byline report`: prints the numbers of a period, which name no account."""

from typing import Annotated

import typer

from streams.cli.names import OfPlatform
from streams.cli.output import echo_json, settings
from streams.cli.source import index_needed, now_ms
from streams.cli.times import time_of
from streams.index.report import report
from streams.index.report_forms import WRITE, Form
from streams.operate.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="report")(show)


def show(
    start: Annotated[str, typer.Option("--from", help="RFC 3339: the first instant.")],
    end: Annotated[str, typer.Option("--to", help="RFC 3339: the first instant after it.")],
    platform: OfPlatform = None,
    form: Annotated[Form, typer.Option("--as", help="How it is written.")] = Form.MARKDOWN,
) -> None:
    """Print a period's numbers for a transparency report, by platform, field, surface and reason.

    It has counts and medians of live events, and no account and no id. Restrictions also have the
    names that the EU's DSA Transparency Database gives them. Needs the index, and refuses one that
    has not yet read all topics.
    """
    first, last = time_of("--from", start), time_of("--to", end)
    if last <= first:
        raise UsageError("--to is not later than --from")
    with index_needed(settings(without_policies=True)) as connection:
        found = report(connection, first, last, platform)
    if found.fresh.as_of is None or found.fresh.as_of < last:
        typer.echo("the index does not reach to --to yet: numbers may rise", err=True)
        typer.echo(found.fresh.text(now_ms()), err=True)
    if form is Form.JSON:
        echo_json(found.as_dict())
    else:
        typer.echo(WRITE[form](found), nl=False)
