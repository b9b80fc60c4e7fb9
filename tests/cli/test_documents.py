"""What the documents tell people to type exists: no command of a version that is not this one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from streams.cli.program import program_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "deploy").rglob("*.md"))]
NAMED = re.compile(r"\bbyline ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?((?: [^\n`|#]*)?)")
COMMANDS = typer.main.get_command(program_of()).commands  # type: ignore[attr-defined]


def named(text: str) -> Iterator[tuple[str, str, str]]:
    """Each `byline …` between backticks or in a block: its command, the next word, the rest."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.S)
    for piece in (
        *blocks,
        *re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"```.*?```", "", text, flags=re.S)),
    ):
        yield from NAMED.findall(" ".join(piece.split("\n")) if piece not in blocks else piece)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda it: it.name)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    found = list(named(document.read_text()))
    assert found, "a document that names no command says nothing to an operator"
    for word, next_word, rest in found:
        assert word in COMMANDS, f"byline {word}"
        command = COMMANDS[word]
        inner = getattr(command, "commands", None)
        if inner and next_word:
            assert next_word in inner, f"byline {word} {next_word}"
            command = inner[next_word]
        options = {name for it in command.params for name in (*it.opts, *it.secondary_opts)}
        for option in re.findall(r"(--[a-z][a-z-]+)", rest):
            assert option in {*options, "--help", "--settings"}, f"byline {word}: {option}"
