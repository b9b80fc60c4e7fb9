"""`byline doctor`: checks everything that an engineer would check, and prints one table."""

from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_json, echo_table, settings, settings_file
from streams.cli.policy_running import running_states
from streams.cli.source import now_ms
from streams.doctor import LIMIT_SECONDS, Doctor, Seen
from streams.operate.acl import permissions


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(doctor)


def doctor(
    role: Annotated[
        str, typer.Option(help="Whose rights are asked for: a role of `byline topics acl`.")
    ] = "worker",
    auditor: Annotated[
        str | None,
        typer.Option(help="The metrics of `byline audit --follow`: http://HOST:9465/metrics."),
    ] = None,
    within_seconds: Annotated[
        float, typer.Option(min=1, help="The longest that any one look may take.")
    ] = LIMIT_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Check settings, libraries, policies, disk, limits, Kafka, rights, topics, clock and more.

    Exit 0: nothing is wrong, and the last line names what cannot be known from here; 1: something
    is not well, and the table says what to do; 2: the settings are refused. A check that fails does
    not stop the others. Nothing is changed.
    """
    chosen = settings(without_policies=True)
    roles = sorted({permission.role for permission in permissions(chosen)})
    if role not in roles:
        raise typer.BadParameter(f"there are {', '.join(roles)}", param_hint="--role")
    seen = Doctor(
        chosen,
        now_ms,
        lambda: running_states(chosen, kafka=False),
        settings_file(),
        role,
        auditor,
        within_seconds,
    ).examine()
    wrong = sum(not it.is_well for it in seen)
    unknown = [it.look for it in seen if it.is_unknown]
    if as_json:
        looks = [one for it in seen for one in it.as_dicts()]
        echo_json({"ok": not wrong, "unknown": unknown, "looks": looks})
    else:
        _print(seen, wrong, unknown)
    raise typer.Exit(1 if wrong else 0)


def _print(seen: list[Seen], wrong: int, unknown: list[str]) -> None:
    echo_table(
        ("look", "verdict", "found", "what to do"),
        (
            (it.look, finding.verdict, finding.found, finding.what_to_do or None)
            for it in seen
            for finding in it.findings
        ),
    )
    echo("")
    if wrong:
        echo(f"{wrong} of {len(seen)} looks are not well")
    elif unknown:
        echo(f"nothing is wrong; not known from here: {', '.join(unknown)}")
    else:
        echo("all is well")
