"""Packed records are given back as they came, and take little memory."""

from typing import Any

from streams.engine.packed_records import PAGE_RECORDS, PackedRecords
from streams.kafka.batches import PlainRecord

LARGE = bytes(16 * 1024 * 1024)


def test_packed_records_are_given_back_as_they_came_from_any_offset() -> None:
    given = [
        PlainRecord(offset, offset + 1, 1, b"k" if offset % 3 else None, b"%d" % offset)
        for offset in range(0, 3 * PAGE_RECORDS, 2)
    ]
    large = PlainRecord(10_001, 7, 1, b"k", LARGE)
    tail = [PlainRecord(10_003, 7, 1, None, None)]
    records = PackedRecords()
    for number in range(0, len(given), 700):
        records.add(given[number : number + 700])
    records.add([large])
    records.add(tail)
    for start in (0, 1, 2 * PAGE_RECORDS, 2 * PAGE_RECORDS - 1, 10_002, 10_004):
        read: list[Any] = []
        at = start
        while True:
            piece, following = records.after(at, 1_000, 1_000_000)
            read += piece
            assert len(piece) <= 1_000
            if following is None:
                break
            assert following > at
            at = following
        assert read == [one for one in (*given, large, *tail) if one.offset >= start]
    assert sum(len(page.packed) for page in records._pages) < 100_000
