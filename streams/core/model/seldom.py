"""Fields that are rarely set, kept together so that most records need no room for them.

A record by position has room for every field. Fields that nearly no record needs are in a struct of
their own, `aside`, which exists only if one of them was ever set.
"""

from typing import Any, Generic, TypeVar

from msgspec import Struct

_T = TypeVar("_T")


class Seldom(Generic[_T]):
    """A field that is kept in the record's `aside`, but is read and written as if it were its own.

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
