"""`byline backtest`: runs policies over recorded history, and compares two of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from streams.backtest import against as comparing
from streams.backtest import files, shards
from streams.backtest.against import Change
from streams.backtest.answers import read_model
from streams.backtest.report import report
from streams.backtest.run import Asked, Backtest, empty_span, run
from streams.backtest.sentences import first_line, headline, tables
from streams.backtest.tally import Tally
from streams.cli.backtest_source import (
    CACHE,
    interruptible,
    recorded,
    say_cache,
    work_folder,
)
from streams.cli.output import echo, echo_error, echo_json
from streams.cli.progress_bar import progress
from streams.cli.times import time_of
from streams.core.model.policy import Policy
from streams.operate.errors import UsageError
from streams.policies import load_policy

STOPPED = 130
MERGE, KEEP, DROP = "merge", "keep", "drop"
SHOWN = 20
"""How many changes and accounts the terminal shows; the files have all."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="backtest")(backtest)


PolicyFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="POLICY…",
        help="Policy files; or: cache list, cache clear; merge FILE…; keep FILE…; drop NAME…",
    ),
]
Readings = Annotated[
    str | None,
    typer.Option(
        help="CSV, JSON lines (.gz too) or Parquet: a file, folder or pattern; or kafka: the"
        " topic follower-counts, recorded in a cache that the next run goes on with."
    ),
]
Labels = Annotated[
    str | None, typer.Option(help="Labels, in the same forms; or kafka: category-changes.")
]
Answers = Annotated[
    str,
    typer.Option(
        help="A JSON-lines file of words, or a model:granted=0.6,declined=0.1,bounced=0.02,"
        "delivery=PT1M,delay=P2D,seed=1; a bare model delivers all, and nobody answers."
    ),
]
Start = Annotated[str | None, typer.Option("--from", help="RFC 3339: first instant.")]
End = Annotated[str | None, typer.Option("--to", help="RFC 3339: the end, not in it.")]
Now = Annotated[
    str | None, typer.Option(help="RFC 3339: the clock runs on to it; default: last row.")
]
Against = Annotated[
    Path | None, typer.Option(help="Another policy of the platform: say only what changes.")
]
AsJsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the report there; - prints it.")
]
AsCsv = Annotated[Path | None, typer.Option("--csv", help="Write the accounts (or changes) there.")]
AsHtml = Annotated[
    Path | None, typer.Option("--html", help="Write one page that needs nothing else there.")
]
Shard = Annotated[
    str | None,
    typer.Option(
        help="K/N: the accounts of shard K (from 0) of N alone; --json takes what merge needs."
    ),
]


def backtest(
    policies: PolicyFiles,
    readings: Readings = None,
    labels: Labels = None,
    answers: Answers = "model",
    start: Start = None,
    end: End = None,
    now: Now = None,
    against: Against = None,
    as_json: AsJsonFile = None,
    as_csv: AsCsv = None,
    as_html: AsHtml = None,
    shard: Shard = None,
) -> None:
    """Say what policies would have done to recorded history.

    It runs the workers' core under a simulated clock. The first line says what the data contain,
    and with which gaps. --against prints only the accounts for which the two policies differ, each
    with the first difference. Nothing is sent anywhere. Needs the extra backtest.

    byline backtest cache list | clear: list or delete what was recorded of Kafka's topics.
    byline backtest merge FILE…: write the report of all shards, as one run would write it.
    byline backtest keep FILE… | drop NAME…: put reports that --json wrote into the index's
    database, where the console shows and compares them, or take them out.
    """
    if policies[0] == Path(CACHE):
        say_cache([str(it) for it in policies[1:]])
        return
    if policies[0] in (Path(KEEP), Path(DROP)):
        _keep_or_drop(policies, readings, labels, start, end, now, against, shard, as_json)
        return
    began = time.monotonic()
    outputs = [None if as_json == Path("-") else as_json, as_csv, as_html]
    if policies[0] == Path(MERGE):
        if (readings, labels, start, end, now, against, shard) != (None,) * 7:
            raise UsageError("merge takes files of shards, --json, --csv and --html only")
        files.writable(outputs, policies[1:])
        merged = shards.merge(policies[1:])
        _write(merged.found, merged.against, as_json, as_csv, as_html, began)
        return
    if readings is None:
        raise UsageError("--readings is missing: a file, folder or pattern, or kafka")
    if shard is not None and (as_json is None or as_csv or as_html):
        raise UsageError("--shard goes with --json FILE; merge writes --csv and --html of all")
    said = None if _is_model(answers) else answers
    files.writable(outputs, [*policies, against, readings, labels, said])
    first, last = _span(start, end)
    asked = Asked(
        policies=_named(policies, against),
        readings=readings,
        labels=labels,
        words=said,
        model=read_model(answers) if _is_model(answers) else None,
        start=first,
        end=last,
        now=time_of("--now", now),
        shard=None if shard is None else shards.read_shard(shard),
    )
    found = _led(asked)
    if shard is None:
        _write(found, against is not None, as_json, as_csv, as_html, began)
        return
    assert as_json is not None
    plain = shards.shard_plain(found, against is not None)
    if as_json == Path("-"):
        echo_json(plain)
        return
    files.write(as_json, files.json_text(plain))
    accounts = found.carried.kept_accounts
    echo(f"shard {shard}: {accounts:,} accounts led in {time.monotonic() - began:.1f} s")


def _span(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Returns the span in ms. Raises UsageError, before anything is read, if it is empty."""
    first, last = time_of("--from", start), time_of("--to", end)
    if first is not None and last is not None and last <= first:
        raise UsageError(empty_span(first, last))
    return first, last


def _keep_or_drop(words: Sequence[Path], *options: object) -> None:
    # The index's libraries take as long to load as a small backtest.
    from streams.cli.backtest_kept import keep_or_drop

    if any(option is not None for option in options):
        raise UsageError("keep takes files of --json, drop takes names; no options")
    keep_or_drop(words[0] == Path(KEEP), words[1:])


def _write(
    found: Backtest,
    compared: bool,
    as_json: Path | None,
    as_csv: Path | None,
    as_html: Path | None,
    began: float,
) -> None:
    """Writes the files that are asked for, and prints the result.

    `compared`: the second policy is compared with the first. `began`: `time.monotonic()`.
    """
    printed = as_json == Path("-")
    plain = report(found)
    changed = None
    if compared:
        before, after = found.tallies
        changed = comparing.changes(before, after)
        plain["against"] = comparing.as_plain(before, after, changed)
    if as_csv is not None:
        text = files.accounts_csv(found.tallies) if changed is None else files.changes_csv(changed)
        files.write(as_csv, text)
    if as_html is not None:
        # Only a page needs its template engine.
        from streams.backtest.page import page

        files.write(as_html, page(plain, found.tallies, plain.get("against")))
    if as_json is not None and not printed:
        files.write(as_json, files.json_text(plain))
    if printed:
        echo_json(plain)
        return
    _say(found, plain, changed, time.monotonic() - began)


def _led(asked: Asked) -> Backtest:
    """Runs the backtest; exits with 130 on Ctrl-C."""
    try:
        with interruptible() as check, progress() as show:

            def tell(what: str, done: int, total: int) -> None:
                check()
                show(what, done, total)

            with recorded(asked, tell) as found:
                return run(found, work_folder(), tell)
    except KeyboardInterrupt:
        echo_error(
            "stopped: no report was written; run the same command again (what a cache has recorded"
            " of Kafka in whole files is not read again)"
        )
        raise typer.Exit(STOPPED) from None


def _is_model(answers: str) -> bool:
    return answers == "model" or answers.startswith("model:")


def _named(policies: list[Path], against: Path | None) -> list[tuple[str, Policy]]:
    """Loads the policies, each with a unique name. Raises UsageError and PolicyFaults."""
    if against is not None and len(policies) != 1:
        raise UsageError("--against compares one policy with another: name one before it")
    paths = [*policies, *([] if against is None else [against])]
    short = len({it.name for it in paths}) == len(paths)
    named = [(it.name if short else str(it), load_policy(it)) for it in paths]
    if len({name for name, _ in named}) < len(named):
        raise UsageError("the same policy file is named twice")
    if against is not None and named[0][1].platform != named[1][1].platform:
        raise UsageError(
            f"--against: {named[0][1].platform} and {named[1][1].platform} are two platforms"
        )
    return named


def _say(
    found: Backtest, plain: dict[str, Any], changed: list[Change] | None, seconds: float
) -> None:
    console = Console()
    echo(first_line(plain))
    if plain["history"]["model"]:
        echo(plain["history"]["model"] + ".")
    if changed is None:
        for tally, policy in zip(found.tallies, plain["policies"], strict=True):
            echo("")
            echo(headline(policy))
            for title, headings, rows in tables(policy):
                if rows:
                    _table(console, title, headings, rows)
            _restricted(console, tally)
    else:
        _changes(console, found, changed)
    echo("")
    echo("Left out: " + "; ".join(plain["left_out"]) + ".")
    echo(
        f"{plain['carried']['rows']:,} rows in {seconds:.1f} s; the clock stopped at"
        f" {plain['history']['now']}"
    )


def _restricted(console: Console, tally: Tally) -> None:
    rows = [
        (who, surface, level, mode, until[:16])
        for who, surface, level, mode, _, until in tally.restrictions()
    ]
    if rows:
        title = "Who would be restricted, on which surface, until when"
        _table(console, title, ("account", "surface", "level", "mode", "until"), rows[:SHOWN])
    if len(rows) > SHOWN:
        echo(f"… and {len(rows) - SHOWN:,} more; --csv has all")


def _changes(console: Console, found: Backtest, changed: list[Change]) -> None:
    a, b = (it.name for it in found.tallies)
    echo("")
    if not changed:
        echo(f"Nothing changes from {a} to {b}.")
        return
    counts = comparing.by_mode(changed)
    rows = [
        (what, mode, f"{counts[what, mode, a]:,}", f"{counts[what, mode, b]:,}")
        for what in comparing.EVENTS
        for mode in comparing.MODES
        if counts[what, mode, a] or counts[what, mode, b]
    ]
    if rows:
        named = ("accounts", "mode", f"under {a} alone", f"under {b} alone")
        _table(console, "What changes", named, rows)
    differing = comparing.by_difference(changed)
    if differing:
        # One account may differ in several.
        lines = [(it, comparing.DIFFERENCES[it], f"{n:,}") for it, n in differing.items()]
        lines.append(("in all", "", f"{comparing.summary(changed)[comparing.OTHERWISE, '']:,}"))
        _table(console, "Under both, but otherwise", ("differs", "meaning", "accounts"), lines)
    headings = ("what", "under", "account", "first at", "reason", "under the other")
    _table(console, "The accounts", headings, [_change_row(it) for it in changed[:SHOWN]])
    if len(changed) > SHOWN:
        echo(f"… and {len(changed) - SHOWN:,} more; --csv has all")


def _change_row(it: Change) -> tuple[str, ...]:
    detail = ", ".join(it.differs) or it.mode
    first, *more = (it.instead or "never a word").split("; ")
    return (
        f"{it.what} ({detail})",
        it.under or "both",
        it.account_id,
        it.at[:16],
        it.reason,
        f"{first}; {len(more)} more" if more else first,
    )


def _table(
    console: Console, title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    """Prints a table; on a narrow terminal its cells are folded and not cut."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)
