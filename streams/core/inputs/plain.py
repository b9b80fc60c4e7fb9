"""What every record must be before it can be an input: JSON, not too deep, without a name field.

The fast decoder (`decode.py`) skips unknown fields and does not see what they hold: bytes that are
not UTF-8, numbers out of any range, endless nesting, a person's name.
"""

import unicodedata
from typing import Any, NamedTuple

import msgspec

from schemas.enums import NAME_FIELDS, Refused

MAX_DEPTH = 64
"""Levels of nesting that an unknown field may have. Deeper JSON is refused."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that are not a valid record: the record's fault, never ours."""

_anything = msgspec.json.Decoder()


class Refusal(NamedTuple):
    """Why a record is refused, and the field of the contract at fault, if there is one."""

    reason: Refused
    field: str | None = None


def read_plain(raw: bytes) -> tuple[Any, Refusal | None]:
    """Reads a record as plain JSON, and finds what is wrong with it in any topic."""
    try:
        plain = _anything.decode(raw)
    except UNREADABLE:
        return None, Refusal(Refused.NOT_JSON)
    reason = _fault_in(plain)
    return plain, None if reason is None else Refusal(reason)


def folded(key: str) -> str:
    """The name of a field as it is compared: NFKC, case folded, letters and digits only.

    So `realName`, `real-name`, `REAL NAME` and full-width letters are one name.
    """
    if not key.isascii():
        # Case folding may undo the normal form, so the text is normalised again.
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
    return "".join(filter(str.isalnum, key.casefold()))


_FOLDED_NAMES = frozenset(map(folded, NAME_FIELDS))


def has_name_field(plain: Any) -> bool:
    """Whether a known name field stands anywhere in a JSON value."""
    return _fault_in(plain) is Refused.NAME_FIELD


def _fault_in(plain: Any) -> Refused | None:
    """Whether a JSON value is nested too deep, or has a known name field anywhere."""
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
