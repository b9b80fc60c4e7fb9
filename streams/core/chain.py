"""The decision log of a partition: each record names the one before it by hash, so that none can be
changed, removed or moved unseen.

The form is canonical JSON in the sense of RFC 8785 for the values that occur here: ASCII keys
sorted, strings, integers, booleans and null, no white space.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

_canonical = msgspec.json.Encoder(order="sorted").encode
GENESIS = "0" * 64


class Chain(Struct, array_like=True):
    """The end of a partition's chain: how many records it has, and the last one's hash."""

    number: int = 0
    previous: str = GENESIS

    def seal(self, record: dict[str, Any]) -> bytes:
        """Add a record: number, previous and hash are set, the canonical bytes returned."""
        record["number"] = self.number + 1
        record["previous"] = self.previous
        record["hash"] = self.previous = hashlib.sha256(_canonical(record)).hexdigest()
        self.number += 1
        return _canonical(record)
