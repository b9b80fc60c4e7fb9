"""The moment of entry, and the time that a word counts with.

schemas/CONTRACT.md, "The moment of entry" and "Which word is the newest".
"""

from schemas.enums import EARLIEST_TIME_MS
from streams.core.inputs.entry import SKEW, WordTime, entry_of, word_time
from tests.core.given import DAY, MINUTE, START, GivenRecord


def record(timestamp: int, timestamp_type: int) -> GivenRecord:
    """A record of an account that says nothing."""
    return GivenRecord(0, timestamp, b"weibo:a1", b"{}", timestamp_type)


def test_the_moment_of_entry_is_the_brokers_time_whatever_our_clock_says() -> None:
    for timestamp in (START - DAY, START, START + DAY):
        assert entry_of(record(timestamp, 1), START) == timestamp


def test_a_record_with_its_producers_time_entered_at_the_earlier_of_that_and_our_clock() -> None:
    assert entry_of(record(START - DAY, 0), START) == START - DAY
    assert entry_of(record(START + DAY, 0), START) == START


def test_the_time_of_a_word_is_the_stated_one_but_never_later_than_its_entry() -> None:
    assert word_time(START - DAY, START) == WordTime(START - DAY, START - DAY, replaced=False)
    assert word_time(EARLIEST_TIME_MS, START).at == EARLIEST_TIME_MS
    for ahead in (0, 1, MINUTE, SKEW):
        assert word_time(START + ahead, START) == WordTime(START, START + ahead, replaced=False)


def test_a_time_before_2005_or_too_far_ahead_is_replaced_by_the_entry() -> None:
    for stated in (EARLIEST_TIME_MS - 1, 0, -62_135_596_800_000, START + SKEW + 1, START + DAY):
        assert word_time(stated, START) == WordTime(START, stated, replaced=True)
