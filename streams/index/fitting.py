"""Says what has a place in a column of the index, in SQLite and in PostgreSQL alike.

The fields of a record have these types where it is decoded, so that what does not fit is found
there, and not by the database, which would refuse all records of the batch. tests/index fuzzes
every field of every kind of record.
"""

import json
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that fits into a BigInteger."""
Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
PartitionNumber = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Text8 = Annotated[str, Meta(max_length=8)]
Text16 = Annotated[str, Meta(max_length=16)]
Text32 = Annotated[str, Meta(max_length=32)]
Text64 = Annotated[str, Meta(max_length=64)]
Text128 = Annotated[str, Meta(max_length=128)]
MOST_KEY = 128
"""The longest key of `states`."""
MOST_BRACKETS = 500
"""SQLite reads no JSON that is nested deeper than 1,000 levels; an event has less than ten."""
_MOST_PART = 44
"""Five such parts and what stands between them are less than the 255 of a name in `sums`."""
_anything = msgspec.json.Decoder()


class UnfitError(ValueError):
    """A record holds what no column of the index has a place for."""


def plain_json(raw: bytes) -> bytes:
    """Returns JSON that both databases can keep as text and read. Raises UnfitError, ValueError.

    PostgreSQL has no NUL in a text, and neither database reads JSON with half a surrogate pair. The
    decoder of the known fields does not look at the others.
    """
    if b"\\u" in raw:
        if b"\\u0000" in raw:
            raise UnfitError("a NUL in a text")
        _anything.decode(raw)
    return raw


def flat_json(raw: bytes) -> bytes:
    """Returns JSON that a database itself reads a field of. Raises UnfitError, ValueError."""
    if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
        raise UnfitError("too many brackets")
    return plain_json(raw)


def plain_key(key: bytes) -> str:
    """Returns a record's key as text without NUL. Raises UnfitError, UnicodeDecodeError."""
    if b"\0" in key:
        raise UnfitError("a NUL in a key")
    return key.decode()


def hold_numbers(*given: int | None) -> None:
    """Raises UnfitError if one of these does not fit into a BigInteger."""
    for it in given:
        if it is not None and not -(2**63) <= it < 2**63:
            raise UnfitError("a number of more than 64 bits")


@lru_cache(maxsize=4096)
def hold_parts(*parts: str | None) -> None:
    """Raises UnfitError if these together are too long for the name of a sum, as JSON."""
    if any(len(json.dumps(it)) > _MOST_PART for it in parts):
        raise UnfitError("a word that is too long")
