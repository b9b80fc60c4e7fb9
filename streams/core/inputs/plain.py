"""Checks of a record in any topic: it is JSON, not nested too deep, and has no name field.

The fast decoder (`decode.py`) skips unknown fields. They may hold bytes that are not UTF-8, numbers
out of range, deep nesting, or a person's name.
"""

import unicodedata
from typing import Any, NamedTuple

import msgspec

from schemas.enums import NAME_FIELDS, Refused

MAX_DEPTH = 64
"""The most levels of nesting in a record. Deeper JSON is refused."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""The errors that a decoder raises for bytes that are not a valid record."""

_anything = msgspec.json.Decoder()


class Refusal(NamedTuple):
    """Why a record is refused, and the field of the contract at fault, if there is one."""

    reason: Refused
    field: str | None = None


def read_plain(raw: bytes) -> tuple[Any, Refusal | None]:
    """Decodes a record as plain JSON. Returns the value, and why it is refused or None."""
    try:
        plain = _anything.decode(raw)
    except UNREADABLE:
        return None, Refusal(Refused.NOT_JSON)
    reason = _fault_in(plain)
    return plain, None if reason is None else Refusal(reason)


def folded(key: str) -> str:
    """Returns the normal form of a field name: NFKC, case folded, letters and digits only.

    So `realName`, `real-name`, `REAL NAME` and full-width letters are one name.
    """
    if not key.isascii():
        # Case folding may undo the normal form, so the text is normalised again.
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
    return "".join(filter(str.isalnum, key.casefold()))


_FOLDED_NAMES = frozenset(map(folded, NAME_FIELDS))


def has_name_field(plain: Any) -> bool:
    """Whether a JSON value has a known name field at any level."""
    return _fault_in(plain) is Refused.NAME_FIELD


def _fault_in(plain: Any) -> Refused | None:
    """Returns the fault of a JSON value: too deep, or a name field at any level; else None."""
    named, level = False, [plain]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return Refused.NAME_FIELD if named else None
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                named = named or any(folded(key) in _FOLDED_NAMES for key in value)
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        level = [value for value in inner if isinstance(value, dict | list)]
    return Refused.NOT_JSON
