"""Output of commands: tables and sentences for people, JSON for programs, errors to stderr."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from streams.settings import Settings, SettingsWithoutPolicies, load

PLAIN_WIDTH = 200
"""Columns of a table that goes to a file or a pipe, where nobody can say how wide it may be."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

_settings_file: list[Path | None] = [None]


def remember_settings_file(file: Path | None) -> None:
    """Keep what `--settings` named until a command asks for the settings."""
    _settings_file[0] = file


def settings_file() -> Path | None:
    """What `--settings` named."""
    return _settings_file[0]


def settings(*, without_policies: bool = False) -> Settings:
    """The settings of this command. Raises SettingsError with every fault in them.

    `without_policies`: of a command that works whatever the policy files are like.
    """
    return load(settings_file(), SettingsWithoutPolicies if without_policies else Settings)


def echo(text: str) -> None:
    """A sentence on standard output, as it is."""
    _console().print(escape(text), soft_wrap=True, highlight=False)


def echo_error(text: str) -> None:
    """A sentence on standard error."""
    Console(stderr=True).print(escape(text), soft_wrap=True, highlight=False, style="red")


def echo_json(value: Any) -> None:
    """A JSON value on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def echo_table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table with these headings; None is shown as a dash. What is too wide folds."""
    columns = (Column(heading, overflow="fold") for heading in headings)
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("–" if cell is None else escape(str(cell)) for cell in row))
    _console().print(table)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)
