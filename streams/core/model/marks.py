"""A bounded list of entries, each a time and one or more digests; those with the latest times stay.

Byline recognises repeated receipts and controls with it. The list is one byte string, oldest entry
first, so it decodes and encodes at constant cost. Every number takes `NUMBER` bytes. The `width`
of an entry is its length in bytes; the `place` of a number in it is its index, 0 for the time.
"""

import struct
from bisect import bisect_right

NUMBER = 8
_Q = struct.Struct(">q")


def remember(memory: bytes, time: int, digests: tuple[int, ...], most: int) -> bytes:
    """Returns the list with one more entry, cut to the `most` entries with the latest times."""
    width = NUMBER * (1 + len(digests))
    entry = b"".join(_Q.pack(number) for number in (time, *digests))
    count = len(memory) // width
    at = count
    if count and _Q.unpack_from(memory, (count - 1) * width)[0] > time:
        at = bisect_right(range(count), time, key=lambda n: _Q.unpack_from(memory, n * width)[0])
    grown = memory[: at * width] + entry + memory[at * width :]
    return grown[-most * width :]


def entries(memory: bytes, place: int, digest: int, width: int) -> list[int]:
    """Returns the byte offsets of the entries that have `digest` at index `place` (from 1)."""
    wanted, found = _Q.pack(digest), []
    at = memory.find(wanted)
    while at >= 0:
        if at % width == place * NUMBER:
            found.append(at - at % width)
        at = memory.find(wanted, at + 1)
    return found


def number(memory: bytes, offset: int, place: int) -> int:
    """Returns the number at index `place` of the entry at a byte offset."""
    return int(_Q.unpack_from(memory, offset + place * NUMBER)[0])


def count(memory: bytes, width: int) -> int:
    """Returns the number of entries."""
    return len(memory) // width
