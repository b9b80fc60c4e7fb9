"""Reads one batch of records, whatever bytes its headers hold.

aiokafka's compiled reader is used first, because it is six times faster. But it fails for the whole
batch if a header name is not UTF-8, and it makes objects of all headers at once. Batches that it
cannot read, and very large ones, are read by the Python code here, which skips headers without
decoding them.

The format is Kafka's, version 2 (org.apache.kafka.common.record.DefaultRecordBatch).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.kafka import codecs

if TYPE_CHECKING:
    from streams.kafka._columns import Columns

LARGE_BYTES = 2 * 1024 * 1024
"""A batch with more decompressed bytes is read here in pieces, so that no queue holds all of it."""

MANY_RECORDS = 20_000
"""So is one with more records: a megabyte of zstd can be a million of them."""

RECORD_OVERHEAD_BYTES = 300
"""About the memory of a record besides its bytes: the record, its list of headers, two integers,
the headers of two bytes objects."""

HEADER_OVERHEAD_BYTES = 100
"""About the memory of a header besides its bytes: a tuple and its two objects."""

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH = struct.Struct(">qi")
_LOG_OVERHEAD = 12
_offset = attrgetter("offset")
_headers = attrgetter("headers")


class CorruptBatchError(Exception):
    """The bytes of a batch contradict its header."""


class PlainRecord(NamedTuple):
    """A record that this module read; `headers` is always empty. `timestamp`: milliseconds UTC."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Unreadable(NamedTuple):
    """A batch that cannot be read: first and last offset, and timestamp (milliseconds UTC)."""

    first: int
    last: int
    timestamp: int


class Rest(NamedTuple):
    """The unread rest of a large batch.

    `raw`: the bytes of the whole batch. `resume_offset`: the offset to read next. `cursor`: its
    place in the decompressed bytes. `left`: the number of records left.
    """

    raw: bytes
    base_offset: int
    next_offset: int
    max_timestamp: int
    resume_offset: int
    cursor: int
    left: int


class Piece(NamedTuple):
    """Some records of a batch, their decompressed size in bytes, and the unread rest.

    `cost`: bytes that were unpacked for it, whether its records hold them or not, and about the
    memory of what they hold besides.
    """

    records: Sequence[Any]
    size: int
    cost: int
    rest: Rest | None = None


def raw_batch(stretch: bytes, base_offset: int, cursor: int = 0) -> tuple[bytes, int]:
    """Returns the bytes of the batch that begins at `base_offset`, and where they begin.

    It looks for them in the fetched bytes `stretch`, from `cursor` on, where a batch begins.

    Raises:
        CorruptBatchError: there is no such batch.
        BatchTooLargeError: it exceeds the limit of decompressed bytes as it is.
    """
    while cursor + _LOG_OVERHEAD <= len(stretch):
        found, length = _LENGTH.unpack_from(stretch, cursor)
        end = cursor + _LOG_OVERHEAD + length
        if found == base_offset:
            codecs.check_size(length)
            return bytes(memoryview(stretch)[cursor:end]), cursor
        cursor = end
    raise CorruptBatchError(f"no batch begins at offset {base_offset}")


def read_compiled(batch: Any, keep_headers: bool) -> Piece | None:
    """Reads all records of a batch with aiokafka's reader; None if the batch is too large for it.

    Without `keep_headers` the headers are freed, to save memory. Raises what that reader raises.
    """
    codecs.last.payload = None
    iterator = iter(batch)
    payload, codecs.last.payload = codecs.last.payload, None
    size = len(payload) if payload is not None else 0
    if size > LARGE_BYTES:
        return None
    if batch.next_offset - batch.base_offset <= MANY_RECORDS:
        # A broker takes no batch with more records than offsets.
        records = list(iterator)
    elif len(records := list(islice(iterator, MANY_RECORDS + 1))) > MANY_RECORDS:
        return None
    if payload is None:
        # The broker checks the offsets inside compressed batches only, so check those of others.
        _check_offsets(list(map(_offset, records)), batch.base_offset, batch.next_offset)
    cost = size + RECORD_OVERHEAD_BYTES * len(records)
    if keep_headers:
        cost += HEADER_OVERHEAD_BYTES * sum(map(len, map(_headers, records)))
    elif any(map(_headers, records)):
        deque(map(list.clear, map(_headers, records)), maxlen=0)
    return Piece(records, size, cost)


def add_columns(columns: Columns, raw: bytes) -> int:
    """Adds the records of a whole batch to columns. Returns their decompressed size in bytes.

    Returns 0 if the batch is not taken: it is large, or the compiled code cannot tell what it is.
    Then the pure code reads it. Raises what its codec raises.
    """
    head = _HEADER.unpack_from(raw)
    base, attributes, last_delta, first_time, max_time, count = *head[0:1], *head[5:9], head[12]
    if count > MANY_RECORDS:
        return 0
    payload = codecs.unpack(attributes & 7, raw[_HEADER.size :])
    codecs.last.payload = None
    if len(payload) > LARGE_BYTES:
        return 0
    end, appended = base + last_delta + 1, bool(attributes & 8)
    if not columns.add(payload, base, end, count, appended, first_time, max_time):
        return 0
    return len(payload)


def _check_offsets(offsets: list[int], base: int, end: int) -> None:
    """Checks that the offsets of a batch's records lie in it, in order.

    A producer chooses them, and Kafka 4.1 accepts any numbers.

    Raises:
        CorruptBatchError: they do not.
    """
    if not offsets or (len(offsets) == end - base and offsets == list(range(base, end))):
        return
    if offsets[0] < base or offsets[-1] >= end:
        raise CorruptBatchError("a record lies outside of its batch")
    if offsets != sorted(set(offsets)):
        raise CorruptBatchError("the records of a batch are not in order")


def read_tolerant(raw: bytes, max_records: int, start: int = 0) -> Piece:
    """Reads the first records of a batch from offset `start` on.

    They are at most `max_records`, and about `LARGE_BYTES` of them. It checks the whole batch
    first, so that either all of it can be read or nothing.

    Raises:
        CorruptBatchError: the batch is damaged. Other errors come from its codec.
    """
    head = _HEADER.unpack_from(raw)
    base, attributes, last_delta, count = head[0], head[5], head[6], head[12]
    payload = codecs.unpack(attributes & 7, raw[_HEADER.size :])
    _check_walk(payload, count, last_delta + 1)
    first = max(base, start)
    rest = Rest(raw, base, base + last_delta + 1, head[8], first, 0, count)
    piece = _piece(rest, payload, max_records)
    # To check a record takes as long as to read one.
    return piece._replace(cost=piece.cost + RECORD_OVERHEAD_BYTES * count)


def read_rest(rest: Rest, max_records: int) -> Piece:
    """Reads the next records of a partly read batch, which is decompressed again."""
    attributes = _HEADER.unpack_from(rest.raw)[5]
    payload = codecs.unpack(attributes & 7, rest.raw[_HEADER.size :])
    return _piece(rest, payload, max_records)


def _check_walk(payload: bytes, count: int, end: int) -> None:
    """Checks that a payload is `count` records whose offset deltas rise and are below `end`.

    Raises:
        CorruptBatchError: it is not.
    """
    last = -1
    for _, delta, _, _, _ in _walk(payload, 0, count):
        if not last < delta < end:
            raise CorruptBatchError("the records of a batch are not in order, or outside of it")
        last = delta


def _piece(rest: Rest, payload: bytes, max_records: int) -> Piece:
    """Reads the records of `rest` from its `resume_offset` on; those before it are passed over."""
    codecs.last.payload = None
    head = _HEADER.unpack_from(rest.raw)
    appended, first_time = bool(head[5] & 8), head[7]
    records: list[PlainRecord] = []
    size, left = 0, rest.left
    for cursor, delta, time_delta, key, value in _walk(payload, rest.cursor, rest.left):
        offset = rest.base_offset + delta
        if offset < rest.resume_offset:
            left -= 1
            continue
        if len(records) >= max_records or size >= LARGE_BYTES:
            after = rest._replace(resume_offset=offset, cursor=cursor, left=left - len(records))
            break
        timestamp = rest.max_timestamp if appended else first_time + time_delta
        key_bytes, value_bytes = _bytes(payload, key), _bytes(payload, value)
        records.append(PlainRecord(offset, timestamp, int(appended), key_bytes, value_bytes))
        size += len(key_bytes or b"") + len(value_bytes or b"")
    else:
        after = None
    return Piece(records, size, len(payload) + RECORD_OVERHEAD_BYTES * len(records), after)


_Place = tuple[int, int]


def _walk(
    payload: bytes, cursor: int, count: int
) -> Iterator[tuple[int, int, int, _Place, _Place]]:
    """Yields for each record its start, offset delta, time delta, and the places of key and value.

    A place is a start and an end in `payload`; -1 means null.

    Raises:
        CorruptBatchError: the records do not fit the payload.
    """
    try:
        for _ in range(count):
            begin = cursor
            length, at = _varint(payload, cursor)
            cursor = at + length
            if length < 0 or cursor > len(payload):
                raise CorruptBatchError("a record ends behind its batch")
            time_delta, at = _varint(payload, at + 1)
            delta, at = _varint(payload, at)
            key, at = _place(payload, at)
            value, at = _place(payload, at)
            if at > cursor:
                raise CorruptBatchError("a record is longer than it says")
            yield begin, delta, time_delta, key, value
    except IndexError as error:
        raise CorruptBatchError("a batch ends within a record") from error
    if cursor != len(payload):
        raise CorruptBatchError("a batch holds more than its records")


def _place(payload: bytes, cursor: int) -> tuple[_Place, int]:
    length, at = _varint(payload, cursor)
    if length < 0:
        return (-1, -1), at
    return (at, at + length), at + length


def _bytes(payload: bytes, place: _Place) -> bytes | None:
    return payload[place[0] : place[1]] if place[0] >= 0 else None


def _varint(payload: bytes, cursor: int) -> tuple[int, int]:
    """Decodes a zigzag varint of up to 64 bits. Returns it and the position after it."""
    byte = payload[cursor]
    cursor += 1
    value, shift = byte & 0x7F, 7
    while byte & 0x80:
        if shift > 63:
            raise CorruptBatchError("a number of more than ten bytes")
        byte = payload[cursor]
        cursor += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), cursor
