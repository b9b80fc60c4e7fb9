"""What is used of aiokafka, Faust and mode beyond their documents is there, as named."""

import ast
import functools
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from streams.engine import libraries
from streams.stop_worker import StopWorker

ROOT = Path(__file__).parents[2]


def _found(name: str) -> Any:
    module, _, owner = name.partition(":")
    found = importlib.import_module(module)
    return getattr(found, owner) if owner else found


def test_the_libraries_are_of_the_versions_that_were_tested() -> None:
    libraries.check_libraries()


def test_given_another_version_then_the_worker_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.PINNED, "mode-streaming", "0.0.1")
    with pytest.raises(StopWorker, match=r"mode-streaming 0\.0\.1 is needed") as refused:
        libraries.check_libraries()
    assert refused.value.exit_code == 2


def _pairs(named: dict[str, tuple[str, ...]]) -> list[Any]:
    return [
        pytest.param(owner, name, id=f"{owner.rpartition('.')[2]}.{name}")
        for owner, names in named.items()
        for name in names
    ]


@pytest.mark.parametrize(("owner", "name"), _pairs(libraries.PRIVATE))
def test_a_private_name_is_there(owner: str, name: str) -> None:
    assert hasattr(_found(owner), name), f"{owner} has no {name} any more"


@pytest.mark.parametrize(("owner", "name"), _pairs(libraries.ATTRIBUTES))
def test_a_private_attribute_is_set_by_its_class(owner: str, name: str) -> None:
    source = _source(owner)
    sets = re.search(rf"\b(self\.)?{name}\b\s*(:[^=\n]+)?(,[^=\n]*)?=", source)
    assert sets or f"def {name}" in source, f"{owner} sets no {name} any more"


@functools.cache
def _source(owner: str) -> str:
    classes = [one for one in _found(owner).__mro__ if one.__module__ != "builtins"]
    return "".join(map(inspect.getsource, classes))


LIBRARIES = {"aiokafka", "faust", "mode"}
PYTHON_S_OWN = {"_asdict", "_exit", "_replace"}
"""Of named tuples and of `os`: not private."""


@pytest.mark.slow
def test_what_is_used_of_the_libraries_is_named() -> None:
    """In each module that imports one: no private name that is neither its own nor listed."""
    lists = (libraries.PRIVATE, libraries.ATTRIBUTES)
    known = {name for named in lists for names in named.values() for name in names} | PYTHON_S_OWN
    unnamed = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sorted((ROOT / "streams").rglob("*.py"))
        for line, name in _private_uses(ast.parse(path.read_text(encoding="utf-8")))
        if name not in known
    ]
    assert unnamed == []


def test_a_name_that_is_not_listed_is_found() -> None:
    text = "import faust\nclass A(faust.App):\n    def it(self):\n        self._own = self._theirs"
    assert _private_uses(ast.parse(text)) == [(4, "_theirs")]


def _private_uses(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and name of each private attribute that the module does not make itself."""
    nodes = list(ast.walk(tree))
    imported = [it.module or "" for it in nodes if isinstance(it, ast.ImportFrom)]
    imported += [one.name for it in nodes if isinstance(it, ast.Import) for one in it.names]
    if not LIBRARIES & {name.partition(".")[0] for name in imported}:
        return []
    own = {it.name for it in nodes if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {it.id for it in nodes if isinstance(it, ast.Name) and isinstance(it.ctx, ast.Store)}
    uses = [it for it in nodes if isinstance(it, ast.Attribute) and it.attr.startswith("_")]
    own |= {it.attr for it in uses if isinstance(it.ctx, ast.Store) and _is_self(it.value)}
    return [
        (it.lineno, it.attr)
        for it in uses
        if not it.attr.startswith("__") and not (_is_self(it.value) and it.attr in own)
    ]


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
