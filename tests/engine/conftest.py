"""Toys: topics and workers that are gone with the test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Toys


@pytest.fixture
def make_toys(kafka: Any, fresh_app: str, tmp_path: Path) -> Iterator[Callable[..., Toys]]:
    made: list[Toys] = []

    def make(partitions: int = 4) -> Toys:
        toys = Toys(kafka.bootstrap, fresh_app, tmp_path, partitions)
        made.append(toys)
        return toys

    yield make
    for toys in made:
        toys.close()


@pytest.fixture
def toys(make_toys: Callable[..., Toys]) -> Toys:
    """Four partitions, topics made."""
    return make_toys().make_topics()
