"""Every command that a message or docstring names exists, with the options given there."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer

from streams.cli.program import program_of

STREAMS = Path(__file__).parents[2] / "streams"
PROGRAM: Any = typer.main.get_command(program_of())
_NAMED = re.compile(r"`byline((?: [^`]*)?)`")
SOMETHING = "\0"
"""What stands in place of a value that the message has at run time."""


def told() -> Iterator[tuple[str, str]]:
    """Yields each command, without `byline`, and the file that names it."""
    for path in sorted(STREAMS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for named in _NAMED.findall(_text(node)):
                for one in product(*(word.split("|") for word in named.split())):
                    yield " ".join(one), str(path.relative_to(STREAMS))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (it.value if isinstance(it, ast.Constant) else SOMETHING for it in node.values)
        return "".join(map(str, parts))
    return ""


ALL = sorted({(words, file) for words, file in told()})


def wrong(words: str) -> str | None:
    """Returns what is wrong with a command, if anything."""
    command, rest = PROGRAM, words.partition("…")[0].split()
    while rest and hasattr(command, "commands") and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
        if rest[0] not in command.commands:
            return f"there is no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    known = {option for it in command.params for option in (*it.opts, *it.secondary_opts)}
    strange = [
        it for it in rest if it.startswith("--") and it.split("=")[0] not in {*known, "--help"}
    ]
    if strange:
        return f"there is no option {', '.join(strange)}"
    takes = any(it.param_type_name == "argument" for it in command.params)
    values = any(it.startswith("--") for it in rest)
    plain = [it for it in rest if re.fullmatch(r"[a-z][a-z.-]*", it)]
    return f"it takes no {plain[0]}" if plain and not takes and not values else None


@pytest.mark.parametrize(("words", "file"), ALL, ids=[f"{file}: {words}" for words, file in ALL])
def test_a_command_that_is_named_exists(words: str, file: str) -> None:
    assert wrong(words) is None


def test_a_command_that_there_is_not_is_found() -> None:
    assert len(ALL) > 100
    assert wrong("cluster mend") == "there is no command mend"
    assert wrong("cluster rebuild --now") == "there is no option --now"
    assert wrong("cluster check byline.controls") == "it takes no byline.controls"
    assert wrong(f"cluster accept {SOMETHING}={SOMETHING} --read on") is None


def test_no_command_is_cut_short() -> None:
    """As in \"`… cluster reroute`\", which nobody can run."""
    cut = [
        f"{path.relative_to(STREAMS)}:{node.lineno}"  # type: ignore[attr-defined]
        for path in sorted(STREAMS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if "`… " in _text(node)
    ]
    assert cut == []
