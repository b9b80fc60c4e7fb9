"""`byline shadow report`: compares shadow events with live ones, and with `enforce` from now on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from schemas.enums import Mode
from streams.cli.names import OfPlatform
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.source import index_needed, now_ms
from streams.cli.times import time_of
from streams.core.model.policy import Policy
from streams.index.fresh import freshness
from streams.index.sums import STEPS
from streams.operate.errors import UsageError
from streams.policies import PolicyFaults, load_policies
from streams.settings import Settings
from streams.shadow.against import Compared, read
from streams.shadow.report import ShadowReport, reports

app = typer.Typer(no_args_is_help=True, help="Shadow, before it becomes live; nothing is done.")


@app.callback()
def group() -> None:
    """Makes typer keep `report` as a subcommand, although it is the only one."""


@app.command(name="report")
def show(
    start: Annotated[
        str | None, typer.Option("--from", help="RFC 3339; default: all that the index has.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; default: now.")] = None,
    platform: OfPlatform = None,
    backtest: Annotated[
        Path | None,
        typer.Option(help="A report that `byline backtest POLICY… --json FILE` wrote."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare shadow with live, and say what `enforce` would do from now on, by surface.

    For that the core runs on from the state in the index with the whole platform in enforce: every
    notice arrives, nobody answers, counts stay as they are. One sentence for each platform says
    what to know before switching. --backtest compares the counts of a backtest with what shadow
    published in the same time, and says why they may differ. Nothing is sent. Exit 1: shadow and
    the backtest differ, or the index does not reach to the backtest's end. Needs the index.
    """
    chosen, now = settings(without_policies=True), now_ms()
    first = 0 if start is None else time_of("--from", start)
    last = now + 1 if end is None else time_of("--to", end)
    if last <= first:
        raise UsageError("--to is not later than --from")
    wanted = None if backtest is None else read(backtest)
    with index_needed(chosen) as connection:
        fresh = freshness(connection)
        needed = chosen.require_approvals
        files = _on_disk(chosen)
        found = reports(
            connection, fresh, files, first, last, platform, wanted, two_approvals=needed
        )
    if wanted is not None and not any(it.backtests for it in found):
        raise UsageError(f"--backtest {backtest} has no policy of a platform that is reported here")
    if as_json:
        echo_json({**fresh.as_dict(), "platforms": [it.as_dict() for it in found]})
    else:
        echo(fresh.text(now))
        if not found:
            echo("nothing is in shadow, and shadow said nothing in that time")
        for it in found:
            _print(it)
    raise typer.Exit(1 if any(it.differs for it in found) else 0)


def _on_disk(chosen: Settings) -> Mapping[str, Policy]:
    """Loads the policy files; returns none if they are refused (`byline policy check` says why)."""
    try:
        return load_policies(chosen.policies, require_approvals=False)
    except PolicyFaults:
        echo_error("the policy files are refused (`byline policy check`): those that run are used")
        return {}


def _print(it: ShadowReport) -> None:
    echo("")
    where = "the file" if it.on_disk else "what runs"
    echo(f"{it.platform}: version {it.policy.version}, {it.policy.mode} ({where})")
    echo(it.sentence())
    trial = it.trial
    if trial is not None and trial.stale:
        echo(
            f"{trial.stale:,} accounts over the line are left out: their counts are older than"
            " max_age"
        )
    if trial is not None and trial.unknown is not None:
        echo(f"More accounts may follow that no worker has kept, for {trial.unknown}")
    for note in it.notes:
        echo(f"Also: {note}")
    echo_table(("said", "shadow", "live"), _steps(it))
    if it.said.surfaces or (trial is not None and trial.applied):
        columns = ("accounts restricted", "shadow, ever", "shadow, now", "live, now", "by enforce")
        echo_table(columns, _surfaces(it))
    for compared in it.backtests:
        _print_backtest(compared)


def _steps(it: ShadowReport) -> list[tuple[object, ...]]:
    lines = (it.said.shadow, it.said.live)
    return [(step, *(0 if line is None else line.counts[step] for line in lines)) for step in STEPS]


def _surfaces(it: ShadowReport) -> list[tuple[object, ...]]:
    would = {} if it.trial is None else it.trial.surfaces
    rows: list[tuple[object, ...]] = []
    for surface in sorted({*it.said.surfaces, *would}):
        its = it.said.surfaces.get(surface, {})
        shadow, live = its.get(Mode.SHADOW, (0, 0)), its.get(Mode.ENFORCE, (0, 0))
        rows.append((surface, *shadow, live[1], would.get(surface, 0)))
    shadow, live = it.said.restricted[Mode.SHADOW], it.said.restricted[Mode.ENFORCE]
    total = 0 if it.trial is None else len(it.trial.restricted)
    rows.append(("any", *shadow, live[1], total))
    return rows


def _print_backtest(it: Compared) -> None:
    echo("")
    same = "the same" if it.reaches else "the same so far"
    echo(f"Beside the backtest of {it.policy}: " + ("it differs" if it.differs else same))
    columns = ("in shadow", "shadow", "backtest", "difference")
    echo_table(columns, ((what, one, other, one - other) for what, one, other in it.rows))
    if it.why:
        echo("What may make the difference:")
    for why in it.why:
        echo(f"  {why}")
