"""`byline rollout status`: says whether the share of accounts in a roll-out may be raised."""

from typing import Annotated

import typer

from streams.cli.names import OfPlatform
from streams.cli.output import AsJson, echo, echo_json, echo_table, settings
from streams.cli.source import index_needed, now_ms
from streams.core.model.instants import rfc3339
from streams.index.fresh import freshness
from streams.operate.errors import UsageError
from streams.policies.scalars import format_duration, parse_duration
from streams.rollout.cohorts import WITHIN, Rate
from streams.rollout.comparison import CohortGroup, RateComparison
from streams.rollout.status import BEHIND, RolloutStatus, RolloutVerdict, percent, status

app = typer.Typer(no_args_is_help=True, help="Whether a roll-out may go on; nothing is done.")
GOOD = (RolloutVerdict.GO_ON, RolloutVerdict.NOTHING)


@app.callback()
def group() -> None:
    """Makes typer keep `status` as a subcommand, although it is the only one."""


def _within(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        length = parse_duration(text)
    except ValueError:
        raise UsageError(f"--within {text}: not a duration like P7D or PT12H") from None
    if length <= 0:
        raise UsageError(f"--within {text}: has to be longer than nothing")
    return length


@app.command(name="status")
def show(
    platform: OfPlatform = None,
    within: Annotated[
        str | None,
        typer.Option(
            help="So long after its invitation an account is looked at (P7D); default: P3D for"
            " undelivered, P7D for declined, P14D for appeals upheld."
        ),
    ] = None,
    raised: Annotated[
        bool,
        typer.Option("--raise", help="Of the last raise of rollout_percent, not of what followed."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether accounts that the last policy change let in fare worse than those before.

    It compares how many are undelivered, declined, or have an appeal upheld, in the same phase and
    at the same time after the invitation. The statistical test may be repeated as often as you
    like: at most 5 of 100 roll-outs give a false alarm. The answer is go on, hold, or not enough
    yet, with how many more accounts are needed; missing data means hold. It changes nothing. Exit
    0: go on everywhere, or nothing to compare; 1: hold, or not enough yet. Needs the index.
    """
    length = _within(within)
    spans = WITHIN if length is None else dict.fromkeys(Rate, length)
    chosen, now = settings(without_policies=True), now_ms()
    with index_needed(chosen) as connection:
        fresh = freshness(connection)
        found = status(connection, fresh, now, platform, spans, raise_only=raised)
    if as_json:
        echo_json({**fresh.as_dict(), "platforms": [it.as_dict() for it in found]})
    else:
        echo(fresh.text(now))
        if not found:
            echo("no policy was ever in force here" + (f"; {BEHIND}" if fresh.late(now) else ""))
        for it in found:
            _print(it)
    # An index that is behind may lack the roll-out, so finding none is not a good result.
    good = all(it.verdict in GOOD for it in found) and (bool(found) or not fresh.late(now))
    raise typer.Exit(0 if good else 1)


def _print(it: RolloutStatus) -> None:
    echo("")
    echo(f"{it.platform}: {it.verdict.value}")
    if it.change is not None:
        echo(_changed(it))
    for why in it.why:
        echo(f"  {why}")
    if it.rates:
        columns = ("", "within", "before", "new", "evidence", "a doubling takes")
        echo_table(columns, map(_row, it.rates))


def _changed(it: RolloutStatus) -> str:
    change = it.change
    assert change is not None
    since = "" if change.after.since is None else f", since {rfc3339(change.after.since)[:19]}Z"
    what = f"version {change.after.version} after {change.before.version}{since}"
    if not change.raised:
        return f"  {what}: new are the accounts first invited under it"
    return (
        f"  {what}: rollout_percent {change.before.percent} → {change.after.percent}; new are the"
        f" accounts in buckets {change.before.percent} to {change.after.percent - 1}"
    )


def _row(it: RateComparison) -> tuple[object, ...]:
    evidence = f"{it.evidence:,.1f}" + (": higher" if it.higher else "")
    takes = f"{it.needed[0]:,} before, {it.needed[1]:,} new"
    groups = (_group(it.before), _group(it.new))
    return (it.rate.value, format_duration(it.within), *groups, evidence, takes)


def _group(it: CohortGroup) -> str:
    unheard = f"; {it.unheard:,} without receipt" if it.unheard else ""
    return f"{it.befell:,} of {it.accounts:,}, {percent(it.share)}{unheard}"
