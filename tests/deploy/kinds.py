"""What the tests of manifests share: YAML, and what a command line or a setting has to be."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML

from streams.cli.program import program_of
from streams.settings import Settings
from streams.settings_checks import variable

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {variable(field) for field in Settings.model_fields}
COMMANDS = typer.main.get_command(program_of()).commands  # type: ignore[attr-defined]

IMAGE = re.compile(r"[a-z0-9/-]+:v?\d+(\.\d+)+[a-z0-9.-]*")
"""A short name and an exact version: no registry, no `latest`, no digest that nobody has seen."""
DIGEST = re.compile(r"sha256:[0-9a-f]{8,}")


def documents(text: str | Path) -> list[Any]:
    """Every document of a YAML stream."""
    return [it for it in YAML(typ="safe", pure=True).load_all(text) if it is not None]


def refuse_unknown_words(words: Sequence[str]) -> None:
    """Raises AssertionError where `byline` knows no such command or option."""
    assert words[0] in COMMANDS, words[0]
    command, rest = COMMANDS[words[0]], list(words[1:])
    if rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    options = {name for it in command.params for name in (*it.opts, *it.secondary_opts)}
    assert {it for it in rest if it.startswith("--")} <= options, words


def settings_in(values: Iterator[str] | Sequence[str]) -> None:
    """Raises AssertionError for a `BYLINE_…` name that is no setting."""
    named = {it for it in values if it.startswith("BYLINE_")}
    assert named <= SETTINGS, named - SETTINGS


def run(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A program of others, to its end."""
    return subprocess.run(
        [str(it) for it in words], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )
