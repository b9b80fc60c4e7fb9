"""`byline policy diff`: prints what changes between two policies, with accounts as examples."""

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_json, settings
from streams.lives.regions import MOST_ACCOUNTS
from streams.lives.telling import markdown, text
from streams.lives.verdict import NOT_JUDGED, as_plain, compare
from streams.operate.policy_diff import diff as differences
from streams.operate.policy_diff import needs_rescan
from streams.policies import load_policy


class DiffFormat(StrEnum):
    """The format of the output."""

    TEXT = "text"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the command to the group of policies."""
    app.command(name="diff")(diff)


def diff(
    a: Path,
    b: Path,
    form: Annotated[
        DiffFormat, typer.Option("--format", help="markdown: for a pull request.")
    ] = DiffFormat.TEXT,
    accounts: Annotated[
        int, typer.Option(min=1, help="How many accounts are tried under both at most.")
    ] = MOST_ACCOUNTS,
    as_json: AsJson = False,
) -> None:
    """Say what changes from policy file A to B, and whether B is stricter or milder.

    It judges three questions: who is invited, who is restricted, how long they have to answer. B is
    equivalent, stricter, milder or incomparable; a smallest account, on which the core was run
    under both policies, shows it. If B is of another platform it is compared as if it were of A's.
    Policies with many phases have more regions than --accounts: then what no account shows is "not
    shown", never equivalent.
    """
    chosen = settings()
    before = load_policy(a, require_approvals=chosen.require_approvals)
    after = load_policy(b, require_approvals=chosen.require_approvals)
    found = differences(before, replace(after, platform=before.platform))
    # The bar takes as long to load as a small comparison.
    from streams.cli.progress_bar import progress

    with progress("accounts") as tell:
        told = partial(tell, "accounts compared")
        answers = compare(before, after, most=accounts, tell=told)
    if as_json:
        echo_json(
            {
                "differences": [difference.as_dict() for difference in found],
                "needs_rescan": needs_rescan(found),
                "verdicts": [as_plain(answer) for answer in answers],
                "not_judged": NOT_JUDGED,
            }
        )
        return
    if form is DiffFormat.MARKDOWN:
        title = f"{before.platform} {before.version} → {after.platform} {after.version}"
        for line in markdown(title, [str(it) for it in found], answers):
            echo(line)
        return
    for difference in found:
        echo(str(difference))
    if not found:
        echo("nothing changes")
        return
    echo("")
    for line in text(answers):
        echo(line)
