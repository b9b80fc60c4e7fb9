"""However much a fetched answer unpacks to, little of it is held at once, and all of it is read."""

from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.kafka import stretches
from streams.kafka.batches import MANY_RECORDS
from streams.kafka.codecs import MAX_BATCH_BYTES
from streams.kafka.stretches import DRAIN_BYTES, Stretch, Taking, drain
from tests.engine import batches
from tests.engine.batches import batch, plain, record
from tests.engine.fetched_bytes import Fetched

ALMOST = bytes(MAX_BATCH_BYTES - 100)
"""The value of a record whose batch just unpacks."""


def _held(found: list[Stretch]) -> int:
    return sum(len(one.value or b"") for stretch in found for one in stretch.records)


def _taken(fetcher: Fetched, most: int = 2_500) -> dict[int, list[Any]]:
    """All that is read, drain by drain; each offset comes once, and no drain is large."""
    taken: dict[int, list[Any]] = {}
    ends = {tp.partition: at.position for tp, at in fetcher.positions.items()}
    while fetcher._records:
        found = drain(fetcher, None, most)
        assert _held(found) < DRAIN_BYTES + MAX_BATCH_BYTES
        for stretch in found:
            assert stretch.start == ends[stretch.partition] < stretch.end
            ends[stretch.partition] = stretch.end
            own = taken.setdefault(stretch.partition, [])
            own += [one.offset for one in stretch.records]
            own += [(it.first, it.last) for it in stretch.unreadable]
            assert len(stretch.records) < most + MANY_RECORDS
    return taken


@pytest.mark.parametrize("codec", batches.CODECS[1:])
def test_given_an_answer_of_bombs_that_just_unpack_then_a_drain_holds_two_of_them(
    codec: str,
) -> None:
    bomb = batch([record(0, b"k", ALMOST, ())], codec)
    count = 6
    raw = b"".join(offset.to_bytes(8, "big") + bomb[8:] for offset in range(count))
    tail = batch(plain(2), base=count)
    taken = _taken(Fetched({0: raw + tail, 1: bomb, 2: bomb}))
    assert taken == {0: list(range(count + 2)), 1: [0], 2: [0]}


def test_given_bombs_in_one_partition_then_the_others_are_read_in_between() -> None:
    bomb = batch([record(0, b"k", ALMOST, ())], "zstd")
    raw = b"".join(offset.to_bytes(8, "big") + bomb[8:] for offset in range(20))
    fetcher = Fetched({0: raw, 1: batch(plain(2)), 2: batch(plain(3))})
    found = [stretch for _ in range(2) for stretch in drain(fetcher, None, 100)]
    assert [stretch.partition for stretch in found] == [0, 1, 2, 0]
    assert set(fetcher._records) == {TopicPartition("t", 0)}


def test_given_a_batch_larger_than_a_drain_then_it_is_taken_alone() -> None:
    fetcher = Fetched({0: batch([record(0, b"k", bytes(10_000), ())]), 1: batch(plain(1))})
    first, second = (drain(fetcher, None, 100, max_bytes=5_000) for _ in range(2))
    assert [(one.partition, one.end) for one in first] == [(0, 1)]
    assert [(one.partition, one.end) for one in second] == [(1, 1)]
    assert drain(fetcher, None, 100) == []


def test_given_batches_beyond_the_limit_then_one_drain_does_not_unpack_them_all() -> None:
    bomb = batch([record(0, b"k", bytes(17 * 1024 * 1024), ())], "zstd")
    raw = b"".join(offset.to_bytes(8, "big") + bomb[8:] for offset in range(5))
    fetcher = Fetched({0: raw})
    (first,) = drain(fetcher, None, 100)
    assert (first.end, len(first.unreadable)) == (1, 1)
    assert _taken(fetcher) == {0: [(offset, offset) for offset in range(1, 5)]}


@pytest.mark.parametrize("codec", ["none", "zstd"])
@pytest.mark.parametrize("start", [0, 1, 2_499, 2_500, 31_234, 49_999])
def test_given_a_batch_of_many_tiny_records_then_it_is_read_in_pieces_from_any_offset(
    codec: str, start: int
) -> None:
    many = batch([record(number, None, b"x", ()) for number in range(50_000)], codec)
    raw = many + batch(plain(2), base=50_000)
    fetcher = Fetched({0: raw}, {0: start})
    first = drain(fetcher, None, 2_500)
    assert first[0].start == start
    assert len(first[0].records) <= 2_502
    read = [one.offset for one in first[0].records] + _taken(fetcher).get(0, [])
    assert read == list(range(start, 50_002))


@pytest.mark.parametrize("start", [0, 3, 999, 1_500])
def test_given_a_position_within_a_batch_then_reading_goes_on_from_there(start: int) -> None:
    given = [record(number, b"k", bytes(4_000), ()) for number in range(1_000)]
    raw = batch(given, "lz4") + batch(given, "lz4", base=1_000)
    assert _taken(Fetched({0: raw}, {0: start}), 300) == {0: list(range(start, 2_000))}


def test_given_headers_without_end_then_they_count_where_they_are_kept() -> None:
    bomb = batch([record(0, b"k", b"v", [(b"", b"")] * 300_000)], "zstd")
    raw = b"".join(offset.to_bytes(8, "big") + bomb[8:] for offset in range(4))
    (first,) = drain(Fetched({0: raw}), None, 100, keep_headers=True)
    assert [one.offset for one in first.records] == [0]
    (all_of_them,) = drain(Fetched({0: raw}), None, 100, keep_headers=False)
    assert [one.offset for one in all_of_them.records] == [0, 1, 2, 3]
    assert all(one.headers == [] for one in all_of_them.records)


def test_given_a_batch_without_compression_then_it_has_the_same_limits() -> None:
    large = batch([record(number, b"k", bytes(100_000), ()) for number in range(100)])
    fetcher = Fetched({0: large})
    (first,) = drain(fetcher, None, 10)
    assert [one.offset for one in first.records] == list(range(10))
    assert _taken(fetcher) == {0: list(range(10, 100))}
    odd = batch(plain(3, headers=((b"\xff", b""),)), base=100)
    assert _taken(Fetched({0: large + odd})) == {0: list(range(103))}
    too_large = batch([record(0, b"k", bytes(MAX_BATCH_BYTES + 1), ()), *plain(2)[1:]])
    assert _taken(Fetched({0: too_large + batch(plain(1), base=2)})) == {0: [(0, 1), 2]}


def test_given_no_memory_then_the_batch_is_not_called_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(stretches, "read_compiled", without_memory)
    monkeypatch.setattr(stretches, "read_tolerant", without_memory)
    with pytest.raises(MemoryError):
        drain(Fetched({0: batch(plain(1))}), None, 1)


def test_the_bytes_of_each_batch_are_found_in_order_without_beginning_anew() -> None:
    """A megabyte of ten thousand odd batches took twenty seconds."""
    odd = batch(plain(1, headers=((b"\xff", b""),)))
    raw = b"".join(offset.to_bytes(8, "big") + odd[8:] for offset in range(3))
    fetcher = Fetched({0: raw})
    (result,) = fetcher._records.values()
    pending = result._partition_records
    Taking(pending, 100, keep_headers=False).run()
    assert pending._records._cursor == 2 * len(odd)
