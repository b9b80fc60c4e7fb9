"""Keeps many records in little memory: all but the latest are compressed, page by page.

A megabyte that a producer sends can become a million records, or gigabytes of zeros, once they are
unpacked; compressed again they are about as large as they were sent.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import cramjam
import msgspec

from streams.engine.fetch_queues import fitting
from streams.engine.processor import Record
from streams.kafka.batches import PlainRecord

PAGE_RECORDS = 2_500
PAGE_BYTES = 1024 * 1024
"""A page is full when it has so many records, or bytes; the record that fills it is its last."""

_offset = attrgetter("offset")
_last = attrgetter("last")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[PlainRecord])


class PackedPage(NamedTuple):
    """Compressed records; `first` and `last` are the offsets of two of them."""

    first: int
    last: int
    packed: bytes


class PackedRecords:
    """Records in the order of their offsets. Headers are not kept."""

    def __init__(self) -> None:
        self._pages: list[PackedPage] = []
        self._latest: list[Record] = []
        self._latest_bytes = 0
        self._opened: tuple[PackedPage | None, Sequence[Record]] = (None, ())

    def add(self, records: Iterable[Record]) -> None:
        """Adds records, all behind those that are here."""
        for record in records:
            self._latest.append(record)
            self._latest_bytes += len(record.key or b"") + len(record.value or b"")
            if len(self._latest) >= PAGE_RECORDS or self._latest_bytes >= PAGE_BYTES:
                self._close_page()

    def after(self, start: int, most: int, max_bytes: int) -> tuple[Sequence[Record], int | None]:
        """Returns records from offset `start` on, and the offset of the one that follows them.

        They are at most `most`, and about `max_bytes`. None: no record follows.
        """
        place = bisect_left(self._pages, start, key=_last)
        records = self._open(self._pages[place]) if place < len(self._pages) else self._latest
        first = bisect_left(records, start, key=_offset)
        rest = first + fitting(records, first, most, max_bytes)[0]
        if rest < len(records):
            return records[first:rest], records[rest].offset
        return records[first:], self._first_behind(place)

    def _first_behind(self, place: int) -> int | None:
        """Returns the offset of the first record behind the page at this place; None: none."""
        if place + 1 < len(self._pages):
            return self._pages[place + 1].first
        return self._latest[0].offset if place < len(self._pages) and self._latest else None

    def _close_page(self) -> None:
        rows = [
            PlainRecord(it.offset, it.timestamp, it.timestamp_type, it.key, it.value)
            for it in self._latest
        ]
        packed = bytes(cramjam.zstd.compress(_encoder.encode(rows)))
        self._pages.append(PackedPage(rows[0].offset, rows[-1].offset, packed))
        self._latest, self._latest_bytes = [], 0

    def _open(self, page: PackedPage) -> Sequence[Record]:
        """Unpacks a page, or returns the one that was unpacked last: partitions read together."""
        opened, records = self._opened
        if opened is not page:
            records = _decoder.decode(bytes(cramjam.zstd.decompress(page.packed)))
            self._opened = page, records
        return records
