"""The program without its commands: name, help, and the options that all commands share."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.output import remember_settings_file


def bare_program() -> typer.Typer:
    """Returns a program to which commands are added."""
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
    """Returns the settings of a command that also accepts former names of options, unlisted.

    `present`: former name (with underscores) → present name (with dashes, without the leading two).
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
