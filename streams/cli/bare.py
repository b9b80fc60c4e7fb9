"""The program before it has commands: its name, its help, the settings that all of them take."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.output import remember_settings_file


def bare_program() -> typer.Typer:
    """A program to add commands to."""
    app = typer.Typer(
        name="byline",
        help="Front-end real-name display rules as a stream: invitations, consents and throttles.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_settings)
    return app


def renamed(**present: str) -> dict[str, Any]:
    """Settings of a command that accepts former spellings of options without showing them.

    `present`: by the spelling of before, with underscores, the option of today without its dashes.
    """
    names = {old.replace("_", "-"): new for old, new in present.items()}
    return {"token_normalize_func": lambda option: names.get(option, option)}


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"byline {version('byline')}")
        raise typer.Exit


def _settings(
    settings: Annotated[
        Path | None,
        typer.Option(help="A file of BYLINE_… lines (dotenv); the environment wins over it."),
    ] = None,
    asked: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_say_version),
    ] = False,
) -> None:
    remember_settings_file(settings)
