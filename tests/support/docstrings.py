"""Fifty docstrings and comments, drawn by a seed, for a reader who does not know the code.

    python -m tests.support.docstrings --seed 7                  # from the work tree
    python -m tests.support.docstrings --seed 7 --commit a5e64e9 # from a commit

Each is printed with what a reader of the file sees too: its path, its name and the line that it
belongs to. tests/README.md says how they are judged, and how many were understood.
"""

import argparse
import ast
import io
import itertools
import random
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "streams")
COUNT = 50


class DrawnText(NamedTuple):
    """A docstring or comment. `owner`: the line of source that it belongs to."""

    path: str
    name: str
    owner: str
    text: str


def sources(commit: str | None) -> Iterator[tuple[str, str]]:
    """Path and text of every module of the product, in a commit or in the work tree."""
    if commit is None:
        files = [it for folder in FOLDERS for it in sorted((ROOT / folder).rglob("*.py"))]
        yield from ((str(it.relative_to(ROOT)), it.read_text(encoding="utf-8")) for it in files)
        return
    names = _git("ls-tree", "-r", "--name-only", commit, *FOLDERS).splitlines()
    for name in sorted(it for it in names if it.endswith(".py")):
        yield name, _git("show", f"{commit}:{name}")


def texts(path: str, source: str) -> Iterator[DrawnText]:
    """The docstrings and comments of a module; a comment of several lines is one."""
    lines = source.splitlines()
    yield from _docstrings(path, ast.parse(source), lines)
    yield from _comments(path, source, lines)


def _docstrings(path: str, module: ast.Module, lines: list[str]) -> Iterator[DrawnText]:
    if found := ast.get_docstring(module):
        yield DrawnText(path, "(module)", "", found)
    yield from _of_values(path, module.body, lines)
    for node in ast.walk(module):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if found := ast.get_docstring(node):
            end = node.body[0].lineno - 1
            owner = " ".join(it.strip() for it in lines[node.lineno - 1 : end])
            yield DrawnText(path, node.name, owner, found)
        if isinstance(node, ast.ClassDef):
            yield from _of_values(path, node.body, lines)


def _of_values(path: str, body: list[ast.stmt], lines: list[str]) -> Iterator[DrawnText]:
    """The texts that stand below a constant or a field."""
    for before, node in itertools.pairwise(body):
        if not isinstance(before, ast.Assign | ast.AnnAssign) or not isinstance(node, ast.Expr):
            continue
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            owner = lines[before.lineno - 1].strip()
            yield DrawnText(path, owner.split("=")[0].strip(), owner, node.value.value)


def _comments(path: str, source: str, lines: list[str]) -> Iterator[DrawnText]:
    found: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        words = token.string.lstrip("# ")
        if token.type == tokenize.COMMENT and not words.startswith(("noqa", "type:", "!")):
            found[token.start[0]] = words
    for number, words in found.items():
        if number - 1 in found:
            continue
        last = number
        while last + 1 in found:
            last += 1
            words = f"{words}\n{found[last]}"
        beside = lines[number - 1].partition("#")[0].strip()
        below = next((it.strip() for it in lines[last:] if it.strip()), "")
        yield DrawnText(path, f"line {number}", beside or below, words)


def drawn(commit: str | None, seed: int, count: int = COUNT) -> list[DrawnText]:
    """So many texts, a function of the commit and the seed."""
    every = [it for path, source in sources(commit) for it in texts(path, source)]
    return random.Random(seed).sample(every, count)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--commit")
    parser.add_argument("--count", type=int, default=COUNT)
    given = parser.parse_args()
    for number, it in enumerate(drawn(given.commit, given.seed, given.count), 1):
        print(f"{number}. {it.path}  {it.name}")
        if it.owner:
            print(f"   > {it.owner}")
        print("\n".join(f"   {line}" for line in it.text.splitlines()))


if __name__ == "__main__":
    main()
