"""The pages of deploy/runbook: what stands in them, and how output is written under a command.

A page is Markdown. Its `console` blocks hold commands, each on a line that begins with `$ `, and
under each what it printed. A command that has to end with another code than 0 says so in a comment:
`$ byline cluster check  # exit 1: …`. An HTML comment `<!-- given: … -->` names what happens before
the next block without being shown to a reader (tests/runbook/given.py).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/runbook"
PROMPT, GIVEN = "$ ", re.compile(r"^<!-- given: (.+) -->$")
_EXIT = re.compile(r"  # exit (\d+)(?:: .*)?$")
_BEGIN, _END = "```console", "```"


class Typed(NamedTuple):
    """A command as a page has it: the line after the prompt, and what to run.

    `code` is the exit code that the page promises.
    """

    line: str
    command: str
    code: int


def typed(line: str) -> Typed:
    """Takes a line after its prompt apart."""
    found = _EXIT.search(line)
    command = line[: found.start()] if found else line.partition("  # ")[0]
    return Typed(line, command.rstrip(), int(found[1]) if found else 0)


@dataclass(frozen=True)
class Page:
    """One page: its file, and its text."""

    path: Path

    @property
    def name(self) -> str:
        """The name of its file, without `.md`."""
        return self.path.stem

    @property
    def text(self) -> str:
        """What stands in it now."""
        return self.path.read_text(encoding="utf-8")

    def steps(self) -> Iterator[str | Typed]:
        """What is given (as text), and what is typed, in order."""
        inside = False
        for line in self.text.splitlines():
            given = GIVEN.match(line)
            if line in (_BEGIN, _END):
                inside = line == _BEGIN
            elif inside and line.startswith(PROMPT):
                yield typed(line.removeprefix(PROMPT))
            elif given and not inside:
                yield given[1]

    def commands(self) -> list[Typed]:
        """What is typed."""
        return [step for step in self.steps() if isinstance(step, Typed)]

    def printed(self) -> dict[str, list[str]]:
        """By command, the lines under it."""
        found: dict[str, list[str]] = {}
        below: list[str] | None = None
        for line in self.text.splitlines():
            if line in (_BEGIN, _END):
                below = None
            elif line.startswith(PROMPT):
                below = found.setdefault(line.removeprefix(PROMPT), [])
            elif below is not None:
                below.append(line)
        return found

    def written(self, outputs: Iterable[str]) -> str:
        """The text with these outputs under its commands, in their order."""
        left = iter(outputs)
        lines: list[str] = []
        inside = False
        for line in self.text.splitlines():
            if line in (_BEGIN, _END):
                inside = line == _BEGIN
                lines.append(line)
            elif inside and line.startswith(PROMPT):
                lines.append(line)
                lines += next(left).splitlines()
            elif not inside:
                lines.append(line)
        return "\n".join(lines) + "\n"


def pages() -> list[Page]:
    """All pages, by name."""
    return [Page(path) for path in sorted(FOLDER.glob("*.md"))]
