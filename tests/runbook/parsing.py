"""Whether a line with `byline …` could be typed: the program's own parser, and nothing is run."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from streams.cli.program import program_of

_PARTS = re.compile(r"\|\||&&|[|;]")
_SETTING = re.compile(r"^BYLINE_\w+=")


def parse(words: list[str]) -> None:
    """Parses as the program would. Raises what typer says of a wrong line."""
    command: Any = typer.main.get_command(program_of())
    context, rest = None, words
    while hasattr(command, "resolve_command"):
        context = command.make_context(command.name, rest, parent=context)
        taken = [*getattr(context, "_protected_args", ()), *context.args]
        _, found, rest = command.resolve_command(context, taken)
        assert found is not None
        command = found
    command.make_context(command.name, rest, parent=context)


def calls(command: str) -> Iterator[list[str]]:
    """The words after `byline` of each call in a line for a shell, without redirections."""
    for part in _PARTS.split(command):
        words = shlex.split(part.replace("$(", "").replace(")", ""))
        while words and _SETTING.match(words[0]):
            del words[0]
        if words[:1] == ["byline"]:
            end = next((at for at, it in enumerate(words) if it in (">", ">>", "<")), None)
            yield words[1:end]
