"""`byline send TOPIC [FILE]`."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_error, echo_json, settings
from streams.operate.send import STANDARD_INPUT
from streams.operate.send import send as send_lines


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

    A line that the worker would refuse is not sent but named, with the reason; then exit is 1.
    Fields that the contract does not know are left out.
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
        echo_json({"topic": done.topic, "sent": done.count, "refused": refused})
    else:
        for it in done.refused:
            echo_error(str(it))
        echo(f"{done.count} {verb} to {done.topic}, {len(done.refused)} refused")
    raise typer.Exit(1 if done.refused else 0)
