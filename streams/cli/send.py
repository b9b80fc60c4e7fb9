"""`byline send TOPIC [FILE]`: sends JSON lines to an input."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_error, echo_json, settings
from streams.operate.lines import STANDARD_INPUT, name_of
from streams.operate.send import send as send_lines

INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(send)


def send(
    topic: Annotated[str, typer.Argument(help="An input, with or without the prefix.")],
    file: Annotated[
        Path, typer.Argument(help="JSON lines, one value each; .gz too; - is standard input.")
    ] = STANDARD_INPUT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Validate only; needs no Kafka.")
    ] = False,
    tombstones: Annotated[
        bool,
        typer.Option(
            "--tombstones", help="Lines of platform and account_id alone: remove the label."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Validate JSON lines against the contract and produce them with the right key and partition.

    Each line is sent as soon as it is read, so `tail -f` may feed it. A line that a worker would
    refuse is not sent but listed with the reason, and the exit code is 1. Fields that the contract
    does not know are left out.
    """
    done = asyncio.run(
        send_lines(settings(), topic, file, time.time(), dry_run=dry_run, tombstones=tombstones)
    )
    verb = "would be sent" if dry_run else "sent"
    if as_json:
        refused = [
            {
                "file": it.file,
                "line": it.line,
                "reason": it.rejection.reason.value,
                "detail": it.rejection.words,
            }
            for it in done.refused
        ]
        found = {"topic": done.topic, "sent": done.count, "refused": refused}
        echo_json({**found, "stopped_after": done.stopped_after})
    else:
        for it in done.refused:
            echo_error(str(it))
        echo(f"{done.count} {verb} to {done.topic}, {len(done.refused)} refused")
    if done.stopped_after is not None:
        echo_error(
            f"interrupted after line {done.stopped_after} of {name_of(file)}: the lines behind it"
            " were not sent; to send all of them again does no harm, what says the same counts once"
        )
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if done.refused else 0)
