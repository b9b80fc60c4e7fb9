"""The compiled columns and the pure code give the same records, and keep the same readings."""

import random

import pytest

from streams.kafka.columns import new_key_filter
from tests.engine import batches
from tests.engine.drawn_batches import (
    FLOORS,
    compare,
    drawn_batch,
    drawn_plain,
    left_in,
    read,
    taken,
)

pytestmark = pytest.mark.part("columns")


@pytest.mark.parametrize("seed", range(8))
def test_columns_are_what_the_pure_code_reads_and_leave_out_what_it_drops(seed: int) -> None:
    random_ = random.Random(seed)
    assert sum(compare(random_) for _ in range(300)) > 2_000


@pytest.mark.parametrize("seed", range(4))
def test_fetched_batches_are_taken_as_columns_with_the_same_end(seed: int) -> None:
    random_, as_columns = random.Random(seed), 0
    for _ in range(100):
        raw, base = b"", 0
        for _ in range(random_.choice((1, 4))):
            batch, base = drawn_batch(random_, base)
            raw += batch
        start = random_.choice((0, 0, base // 2))
        most = random_.choice((5, 1_000))
        *compiled, whole = taken(raw, start, most, columns=True)
        *pure, none = taken(raw, start, most, columns=False)
        assert compiled == pure
        assert none == 0
        as_columns += whole
    assert as_columns > 50


LARGE = batches.record(0, b"k", bytes(17 * 1024 * 1024), ())


@pytest.mark.parametrize("codec", [*batches.CODECS, "broken"])
def test_a_batch_that_cannot_be_unpacked_is_unreadable_and_stops_nothing(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [batches.record(0, b"weibo:a1", drawn_plain(random.Random(1)), ())]
    first, last = (batches.batch(small, base=at) for at in (0, 2))
    if codec == "broken":
        codec = "lz4"
        monkeypatch.setattr(batches, "compress", lambda *_: b"no lz4")
    raw = first + batches.batch([LARGE], codec, base=1) + last
    compiled = taken(raw, 0, 1_000, columns=True)
    assert compiled[:3] == taken(raw, 0, 1_000, columns=False)[:3]
    assert [it[0] for it in compiled[0]] == [0, 2]
    assert [it[:2] for it in compiled[1]] == [(1, 1)]


def test_plain_readings_below_the_floor_are_left_out() -> None:
    random_ = random.Random(1)
    values = [drawn_plain(random_) for _ in range(5_000)]
    raw = batches.batch(
        [batches.record(at, b"weibo:a%d" % at, it, ()) for at, it in enumerate(values)]
    )
    columns, pure = read(raw)
    keys = new_key_filter(1)
    wanted = [it.offset for it in left_in(pure, FLOORS, set())]
    assert [it.offset for it in columns.sift(FLOORS, keys)] == wanted
    assert 100 < len(wanted) < 4_000
    part = columns[1_000:2_000]
    assert (len(part), part[0].offset, part[-1].offset) == (1_000, 1_000, 1_999)
    assert [it.offset for it in part.sift(FLOORS, keys)] == [
        it.offset for it in left_in(pure[1_000:2_000], FLOORS, set())
    ]
    assert len(columns.sift({}, keys)) == 5_000


def test_a_filter_has_all_its_keys_and_few_others() -> None:
    keys = new_key_filter(10_000)
    for number in range(10_000):
        keys.add(b"weibo:%d" % number)
    assert all(b"weibo:%d" % number in keys for number in range(10_000))
    assert sum(b"douyin:%d" % number in keys for number in range(10_000)) < 1_000
    assert not keys.full
    for number in range(40_000):
        keys.add(b"x%d" % number)
    assert keys.full
