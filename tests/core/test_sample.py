"""Below the floor a sample is checked whole, and the rest leaves nothing.

schemas/CONTRACT.md, "What is refused".
"""

import hashlib
from typing import Any

import msgspec
import pytest

from streams.core.inputs.batches import sampled
from streams.core.model.instants import rfc3339
from streams.core.model.ports import ACCOUNTS
from tests.core.given import DAY, PLATFORM, START, Day, GivenRecord

LOW = {"platform": PLATFORM, "account_id": "a1", "followers": 3, "observed_at": rfc3339(START)}
FAULTS: dict[str, tuple[str | None, dict[str, Any], str]] = {
    "bad id": ("weibo:é", {"account_id": "é"}, "bad_id"),
    "key": ("weibo:a2", {}, "key_mismatch"),
    "no key": (None, {}, "key_mismatch"),
    "partition": ("weibo:elsewhere", {"account_id": "elsewhere"}, "wrong_partition"),
    "before 2005": ("weibo:a1", {"observed_at": "1970-01-01T00:00:00Z"}, "time_before_2005"),
    "ahead": ("weibo:a1", {"observed_at": rfc3339(START + DAY)}, "time_ahead"),
    "name": ("weibo:a1", {"real_name": "x"}, "name_field"),
}


def reading(offset: int, key: str | None, changes: dict[str, Any]) -> GivenRecord:
    """A reading below the floor."""
    raw = msgspec.json.encode({**LOW, **changes})
    return GivenRecord(offset, START, None if key is None else key.encode(), raw)


def read(*records: GivenRecord) -> Day:
    """A day on which these were one batch."""
    day = Day(partition_of=lambda key: int(b"elsewhere" in key), partition_count=2)
    day.partition.step(day.tables, START, [("follower-counts", records)])
    return day


@pytest.mark.parametrize("offset", [0, 1025, 2050, 1023 * 1025, 1024 * 1024, 1024 * 1024 + 1025])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_of_1024_is_checked_whole_and_another_place_in_each_stretch(
    fault: str, offset: int
) -> None:
    key, changes, reason = FAULTS[fault]
    for bad in (False, True):
        # A batch with a record that is no reading is looked at one by one.
        more = [GivenRecord(offset + 1, START, b"weibo:x", b"{")] if bad else []
        day = read(reading(offset, key, changes), *more)
        letters = [(one["offset"], one["reason"]) for one in day.dead_letters]
        assert letters[0] == (offset, reason)
        assert len(letters) == 1 + bad


@pytest.mark.parametrize("fault", FAULTS)
def test_the_rest_is_dropped_whatever_else_is_wrong_with_it(fault: str) -> None:
    key, changes, _ = FAULTS[fault]
    for bad in (False, True):
        more = [GivenRecord(1026, START, b"weibo:x", b"{")] if bad else []
        day = read(*(reading(offset, key, changes) for offset in range(1, 1025)), *more)
        assert len(day.dead_letters) == int(bad)
        assert [key for key in day.tables.state[ACCOUNTS] if key[:1] != b"#"] == []


def test_a_dead_letter_below_the_floor_is_under_the_keys_digest() -> None:
    day = read(reading(0, "weibo:elsewhere", {"account_id": "elsewhere"}))
    (key,) = [key for topic, key, _, _ in day.tables.raw if topic == "dead-letters"]
    assert key == hashlib.sha256(b"weibo:elsewhere").hexdigest().encode()


def test_json_types_range_and_platform_are_always_checked() -> None:
    faults: list[tuple[dict[str, Any], str]] = [
        ({"followers": "3"}, "wrong_type"),
        ({"followers": -1}, "out_of_range"),
        ({"platform": "zhihu"}, "unknown_platform"),
    ]
    for changes, reason in faults:
        platform = changes.get("platform", PLATFORM)
        day = read(reading(5, f"{platform}:a1", changes))
        assert [letter["reason"] for letter in day.dead_letters] == [reason]
    assert read(GivenRecord(5, START, b"weibo:a1", b"{")).dead_letters[0]["reason"] == "not_json"


def test_a_good_one_of_the_sample_is_kept_no_more_than_the_rest() -> None:
    day = read(reading(0, "weibo:a1", {}), reading(1, "weibo:a1", {}))
    assert day.dead_letters == []
    assert [key for key in day.tables.state[ACCOUNTS] if key[:1] != b"#"] == []


def test_a_producer_with_another_partitioner_shows_up() -> None:
    records = [
        reading(offset, f"weibo:elsewhere{offset}", {"account_id": f"elsewhere{offset}"})
        for offset in range(5000, 9096)
    ]
    letters = read(*records).dead_letters
    assert len(letters) == 4
    assert {letter["reason"] for letter in letters} == {"wrong_partition"}


def test_the_sample_is_the_same_however_the_records_are_cut_and_whatever_is_missing() -> None:
    offsets = [*range(0, 5000, 1), *range(10_000, 5_000_000, 997), 2**40, 2**40 + 1]
    wanted = [offset for offset in offsets if offset % 1024 == offset // 1024 % 1024]
    records = [GivenRecord(offset, START, None, None) for offset in offsets]
    assert [record.offset for record in sampled(records)] == wanted
    for size in (1, 7, 1000):
        cuts = [records[at : at + size] for at in range(0, len(records), size)]
        assert [record.offset for cut in cuts for record in sampled(cut)] == wanted
