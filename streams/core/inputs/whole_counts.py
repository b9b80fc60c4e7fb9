"""Decodes counts that are written with a fraction or an exponent, like `1000000.0` or `1e6`.

JSON has one kind of number, and some clients write every number as a float. The fast decoder
(`decode.py`) takes integers only; this slower one is used for records that it refuses.
"""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.enums import MAX_FOLLOWERS
from schemas.inputs import whole_number


class _Whole(int):
    """A count as this decoder returns it."""


def _whole(_: type, value: Any) -> _Whole:
    count = whole_number(value)
    if type(count) is not int or not 0 <= count <= MAX_FOLLOWERS:
        raise ValueError("no count")
    return _Whole(count)


def whole_counts(struct: type[Struct]) -> msgspec.json.Decoder[Any]:
    """Makes a decoder of a struct with the field `followers`; it takes every whole number there.

    A hook is called for each value of the field, so a field that stands twice has two good ones.
    """
    fields: list[Any] = []
    for info in msgspec.structs.fields(struct):
        kind = _Whole if info.name == "followers" else info.type
        fields.append((info.name, kind) if info.required else (info.name, kind, info.default))
    return msgspec.json.Decoder(msgspec.defstruct("WholeCount", fields), dec_hook=_whole)
