"""Stores rarely set fields apart, so that most records need no space for them.

A record with fields by position has space for every field. Fields that few records need are in a
second struct, `aside`, which exists only if one of them was ever set.
"""

from typing import Any, Generic, TypeVar

from msgspec import Struct

_T = TypeVar("_T")


class Seldom(Generic[_T]):
    """A descriptor that reads and writes a field of the record's `aside` like one of the record.

    `kind` is the struct of `aside`; each of its fields has a default.
    """

    __slots__ = ("_kind", "_name", "_unsaid")

    def __init__(self, kind: type[Struct]) -> None:
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._unsaid = getattr(self._kind(), name)

    def __get__(self, record: Any, owner: type) -> _T:
        aside = record.aside
        return self._unsaid if aside is None else getattr(aside, self._name)  # type: ignore[no-any-return]

    def __set__(self, record: Any, said: _T) -> None:
        if record.aside is None:
            if said == self._unsaid:
                return
            record.aside = self._kind()
        setattr(record.aside, self._name, said)
