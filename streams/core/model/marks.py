"""A bounded memory of what was heard: times and digests, of the entries with the latest time.

It is one string of bytes, oldest entry first, so that it is read and written at once however full
it is.
"""

import struct
from bisect import bisect_right

NUMBER = 8
_Q = struct.Struct(">q")


def remember(memory: bytes, time: int, digests: tuple[int, ...], most: int) -> bytes:
    """The memory with one more entry; if there are more than `most`, those with the latest time."""
    width = NUMBER * (1 + len(digests))
    entry = b"".join(_Q.pack(number) for number in (time, *digests))
    count = len(memory) // width
    at = count
    if count and _Q.unpack_from(memory, (count - 1) * width)[0] > time:
        at = bisect_right(range(count), time, key=lambda n: _Q.unpack_from(memory, n * width)[0])
    grown = memory[: at * width] + entry + memory[at * width :]
    return grown[-most * width :]


def entries(memory: bytes, place: int, digest: int, width: int) -> list[int]:
    """The offsets of the entries that have a digest in `place` (from 1)."""
    wanted, found = _Q.pack(digest), []
    at = memory.find(wanted)
    while at >= 0:
        if at % width == place * NUMBER:
            found.append(at - at % width)
        at = memory.find(wanted, at + 1)
    return found


def number(memory: bytes, offset: int, place: int) -> int:
    """The number in a place of the entry at an offset."""
    return int(_Q.unpack_from(memory, offset + place * NUMBER)[0])


def count(memory: bytes, width: int) -> int:
    """How many entries there are."""
    return len(memory) // width
