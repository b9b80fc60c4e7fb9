"""What is used of aiokafka, Faust and mode beyond their documents is there, as named."""

import importlib
import inspect
import re
from typing import Any

import pytest

from streams.engine import libraries
from streams.stop_worker import StopWorker


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


@pytest.mark.parametrize("owner", libraries.PRIVATE)
def test_every_private_name_is_there(owner: str) -> None:
    missing = [name for name in libraries.PRIVATE[owner] if not hasattr(_found(owner), name)]
    assert missing == []


@pytest.mark.parametrize("owner", libraries.ATTRIBUTES)
def test_every_private_attribute_is_set_by_its_class(owner: str) -> None:
    source = "".join(
        inspect.getsource(one) for one in _found(owner).__mro__ if one.__module__ != "builtins"
    )
    missing = [
        name
        for name in libraries.ATTRIBUTES[owner]
        if not re.search(rf"\b(self\.)?{name}\b\s*(:[^=\n]+)?(,[^=\n]*)?=", source)
        and f"def {name}" not in source
    ]
    assert missing == []
