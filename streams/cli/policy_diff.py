"""`byline policy diff`: what changes, which way it goes, and an account that shows it."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_json, settings
from streams.lives.telling import markdown, text
from streams.lives.verdict import NOT_JUDGED, as_plain, compare
from streams.operate.policy_diff import diff as differences
from streams.operate.policy_diff import needs_rescan
from streams.policies import load_policy


class DiffFormat(StrEnum):
    """How the answer is written."""

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
    as_json: AsJson = False,
) -> None:
    """What changes from the policy file A to B, in words, and which way it goes.

    For each of who is invited, who is restricted and how long they have: equivalent, stricter,
    milder or incomparable, with a smallest account that both policies lead through the core. A
    policy of another platform is read as one of A's.
    """
    chosen = settings()
    before = load_policy(a, require_approvals=chosen.require_approvals)
    after = load_policy(b, require_approvals=chosen.require_approvals)
    found = differences(before, replace(after, platform=before.platform))
    answers = compare(before, after)
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
