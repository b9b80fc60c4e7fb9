"""Divides a long list of values among queries, each of which names a part of them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Value = TypeVar("_Value")
CHUNK = 500
"""How many values a query names at most; SQLite and PostgreSQL limit its parameters."""


def chunks(values: Sequence[_Value], size: int = CHUNK) -> Iterator[Sequence[_Value]]:
    """Yields the values in their order, at most `size` at a time; nothing if there are none."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
