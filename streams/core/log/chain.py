"""The hash chain of a partition's decision log: each record names the one before it.

So a record that is changed, removed or moved is detected. The format is canonical JSON in the sense
of RFC 8785 for the values that occur here: sorted ASCII keys, strings, integers, booleans and null,
no white space.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

_canonical = msgspec.json.Encoder(order="sorted").encode
GENESIS = "0" * 64
_UNSEALED = b'"hash":"",'
"""The field before the hash is known. In a string the quotation marks would be escaped."""


class Chain(Struct, array_like=True):
    """The end of a partition's chain: how many records it has, and the hash of the last one."""

    number: int = 0
    previous: str = GENESIS

    def seal(self, record: dict[str, Any]) -> bytes:
        """Adds a record to the chain.

        Returns its canonical bytes, with the fields `number`, `previous` (the hash of the record
        before) and `hash` added.
        """
        number = self.number + 1
        text = _canonical({**record, "hash": "", "number": number, "previous": self.previous})
        # The hash covers the record without the field `hash`: what sorts before it, and after it.
        before, _, after = text.partition(_UNSEALED)
        self.number, self.previous = number, hashlib.sha256(before + after).hexdigest()
        return before + f'"hash":"{self.previous}",'.encode() + after
