"""Functions on the records of one topic that are handed over together: decode, sample, join."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from schemas.enums import MAX_VALUE_BYTES, Refused
from schemas.inputs import InputName
from streams.core.inputs.decode import DECODERS, Value, decode
from streams.core.inputs.plain import UNREADABLE, Refusal
from streams.core.model.ports import InputRecord, Records

NOT_AT_ONCE = (TypeError, *UNREADABLE)
"""The errors that `decode_batch` raises if one of the records is not a valid input."""

_offset = attrgetter("offset")
_SAMPLED_BITS = 10


class UnreadableBatch(NamedTuple):
    """A Kafka batch that cannot be unpacked, in place of its records. Offsets are inclusive.

    It is unknown who set its timestamp, so the timestamp counts as set by the producer (type 0).
    """

    offset: int
    last_offset: int
    timestamp: int
    timestamp_type: int = 0
    key: bytes | None = None
    value: bytes | None = None

    @property
    def record_count(self) -> int:
        """The number of offsets of the batch, taken as its number of records."""
        return self.last_offset - self.offset + 1


def joined(records: Records, unreadable: Iterable[tuple[int, int, int]]) -> Records:
    """Merges records and unreadable batches (first offset, last offset, timestamp) by offset."""
    batches: list[InputRecord] = [UnreadableBatch(*batch) for batch in unreadable]
    return sorted([*records, *batches], key=_offset) if batches else records


def offset_after(record: InputRecord) -> int:
    """Returns the offset to read next after a record or unreadable batch."""
    last = record.last_offset if isinstance(record, UnreadableBatch) else record.offset
    return last + 1


def sampled(records: Sequence[InputRecord]) -> list[InputRecord]:
    """Returns the sample: the readings that are checked in full even if they are below the floor.

    It holds the records whose offset mod 1,024 equals (offset div 1,024) mod 1,024. That is one of
    each 1,024 offsets, at another place in each such block, so that a producer's regular pattern
    does not escape the sample. `records` must be ordered by offset.
    """
    if not records:
        return []
    blocks = range(records[0].offset >> _SAMPLED_BITS, (records[-1].offset >> _SAMPLED_BITS) + 1)
    if len(blocks) > len(records):
        return [record for record in records if _sampled_in(record.offset >> 10) == record.offset]
    found = []
    for block in blocks:
        offset = _sampled_in(block)
        place = bisect_left(records, offset, key=_offset)
        if place < len(records) and records[place].offset == offset:
            found.append(records[place])
    return found


def _sampled_in(block: int) -> int:
    return (block << _SAMPLED_BITS) | (block & ((1 << _SAMPLED_BITS) - 1))


def decode_batch(name: InputName, records: Records) -> list[Any]:
    """Decodes a whole batch at once.

    Raises:
        One of `NOT_AT_ONCE`: one of the records is not a valid input, or is a tombstone.
    """
    values = [record.value for record in records]
    if max(map(len, values)) > MAX_VALUE_BYTES:  # type: ignore[arg-type]
        raise TypeError("a value is too large")
    return list(map(DECODERS[name].decode, values))  # type: ignore[arg-type]


def decode_all(name: InputName, records: Records) -> list[Value | Refusal | None]:
    """Returns for each record its value, its refusal, or None for a tombstone.

    Decodes the records one by one only if the whole batch fails.
    """
    try:
        return decode_batch(name, records)
    except NOT_AT_ONCE:
        return [_decoded(name, record) for record in records]


def _decoded(name: InputName, record: InputRecord) -> Value | Refusal | None:
    if isinstance(record, UnreadableBatch):
        return Refusal(Refused.UNREADABLE_BATCH)
    return None if record.value is None else decode(name, record.value)
