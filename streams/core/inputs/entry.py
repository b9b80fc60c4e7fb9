"""The moment of entry of a record, and the time that a word counts with.

schemas/CONTRACT.md, "The moment of entry" and "Which word is the newest".

The entry is when the broker appended the record; no producer can choose it. A word (a record in
which somebody says something about an account) also states a time of its own, which is limited by
its entry. All times are milliseconds UTC.
"""

from typing import NamedTuple

from schemas.enums import ALLOWED_SKEW_SECONDS, EARLIEST_TIME_MS
from streams.core.model.ports import InputRecord

SKEW = ALLOWED_SKEW_SECONDS * 1000
"""How far a stated time may be after the entry, in milliseconds."""

LOG_APPEND_TIME = 1
"""Kafka's timestamp type of a record whose time the broker set when it appended it."""


class WordTime(NamedTuple):
    """The times of a word: `at` is used to compare it with others, `stated` is in the record.

    `replaced`: the stated time is not credible (before 2005, or more than PT5M after the entry), so
    `at` is the entry. If the stated time is up to PT5M after the entry, `at` is the entry too, but
    `replaced` is False.
    """

    at: int
    stated: int
    replaced: bool


def entry_of(record: InputRecord, now: int) -> int:
    """Returns a record's entry.

    It is the record's timestamp if the broker set it, else the earlier of the timestamp and `now`,
    the time of the transaction that reads the record.
    """
    timestamp = record.timestamp
    if record.timestamp_type == LOG_APPEND_TIME or timestamp < now:
        return timestamp
    return now


def is_credible(stated: int, entry: int) -> bool:
    """Whether a stated time is credible: not before 2005, not more than PT5M after the entry."""
    return EARLIEST_TIME_MS <= stated <= entry + SKEW


def word_time(stated: int, entry: int) -> WordTime:
    """Returns the times of a record that states `stated` and entered Kafka at `entry`."""
    if not is_credible(stated, entry):
        return WordTime(entry, stated, replaced=True)
    return WordTime(min(stated, entry), stated, replaced=False)
