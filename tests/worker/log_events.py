"""`python -m tests.worker.log_events --write`: the list of log lines, from the calls in the code.

Without `--write` it says whether `deploy/log-events.md` is up to date; exit 1 if it is not.
"""

import argparse
import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streams.log_events import LOG_EVENTS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "log-events.md"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
SAID = {"exception": "error"}
HEAD = """# Events of log lines

Made by `python -m tests.worker.log_events --write`; a test holds it to the code. With
`LOG_FORMAT=json` each line of `byline worker`, `byline audit --follow` and `byline index --follow`
has the field `event`, which is one of these. The sentence in `message` may change from version to
version; the name beside it does not, so that alerts on logs should use it. With `LOG_FORMAT=text` a
line is the sentence alone.

| event | level | what it means |
|---|---|---|
"""


class Call(NamedTuple):
    """A call that logs a line. `event` is None if it names none."""

    place: str
    level: str
    event: str | None


@functools.cache
def calls() -> tuple[Call, ...]:
    """Returns every call of a logger in the product."""
    return tuple(_calls())


def _calls() -> Iterator[Call]:
    for path in sorted((ROOT / "streams").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in LEVELS and _is_logger(node.func.value):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                level = SAID.get(node.func.attr, node.func.attr)
                yield Call(place, level, _event_of(node))


def _is_logger(value: ast.expr) -> bool:
    text = ast.unparse(value)
    return text.rpartition(".")[2] in ("log", "_log", "logger", "_logger") or "getLogger" in text


def _event_of(call: ast.Call) -> str | None:
    named = next((it.value for it in call.keywords if it.arg == "extra"), None)
    if isinstance(named, ast.Call) and ast.unparse(named.func) == "event":
        return str(ast.literal_eval(named.args[0]))
    return None


def text() -> str:
    """Returns what has to stand in the file."""
    levels: dict[str, set[str]] = {name: set() for name in LOG_EVENTS}
    for call in calls():
        levels.setdefault(call.event or "", set()).add(call.level)
    rows = (
        f"| `{name}` | {', '.join(sorted(levels[name], key=LEVELS.index)) or 'any'} | {means} |"
        for name, means in sorted(LOG_EVENTS.items())
    )
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Says whether the file is up to date, or writes it."""
    parser = argparse.ArgumentParser(prog="python -m tests.worker.log_events", description=__doc__)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        FILE.write_text(text(), encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == text():
        return 0
    print(f"{FILE} is not up to date", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
