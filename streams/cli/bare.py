"""The program before it has commands: its name, its help, the settings that all of them take."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.say import remember_settings_file


def bare_program() -> typer.Typer:
    """A program to add commands to."""
    app = typer.Typer(
        name="byline",
        help="Front-end real-name display rules as a stream: invitations, consents and throttles.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_settings)
    return app


def _settings(
    settings: Annotated[
        Path | None,
        typer.Option(help="A file of BYLINE_… lines (dotenv); the environment wins over it."),
    ] = None,
) -> None:
    remember_settings_file(settings)
