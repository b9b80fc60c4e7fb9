"""Output of commands: tables and sentences for people, JSON for programs, errors to stderr.

What prints imports rich itself: a worker, and a command that prints JSON, need none of it.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.settings import Settings, SettingsWithoutPolicies, load

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 200
"""The width of a table that is printed to a file or a pipe, which has no width of its own."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

_settings_file: list[Path | None] = [None]


def remember_settings_file(file: Path | None) -> None:
    """Stores the file that `--settings` names, until a command loads the settings."""
    _settings_file[0] = file


def settings_file() -> Path | None:
    """Returns the file that `--settings` names, or None."""
    return _settings_file[0]


def settings(*, without_policies: bool = False) -> Settings:
    """Loads the settings of this command. Raises SettingsError, which lists every fault.

    `without_policies`: do not check the policy files, for a command that can do without them.
    """
    return load(settings_file(), SettingsWithoutPolicies if without_policies else Settings)


def echo(text: str) -> None:
    """Prints a line on standard output, as it is."""
    from rich.markup import escape

    _console().print(escape(text), soft_wrap=True, highlight=False)


def echo_error(text: str) -> None:
    """Prints a line on standard error."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True).print(escape(text), soft_wrap=True, highlight=False, style="red")


def echo_json(value: Any) -> None:
    """Prints a JSON value on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def echo_table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Prints a table with these headings. None becomes a dash; a cell that is too wide folds."""
    from rich.markup import escape
    from rich.table import Column, Table

    columns = (Column(heading, overflow="fold") for heading in headings)
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("–" if cell is None else escape(str(cell)) for cell in row))
    _console().print(table)


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)
