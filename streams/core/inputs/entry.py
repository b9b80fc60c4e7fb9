"""When a record came in, and the time that a word counts with.

schemas/CONTRACT.md, "The moment of entry" and "Which word is the newest".

Nobody outside can set the moment of entry: it is the broker's own time. The time that a producer
states is limited by it.
"""

from typing import NamedTuple

from schemas.enums import ALLOWED_SKEW_SECONDS, EARLIEST_TIME_MS
from streams.core.model.ports import InputRecord

SKEW = ALLOWED_SKEW_SECONDS * 1000
"""How far a stated time may lie ahead of the moment of entry, in milliseconds."""

LOG_APPEND_TIME = 1
"""Kafka's timestamp type of a record whose time the broker set when it appended it."""


class WordTime(NamedTuple):
    """The time of a word, in milliseconds UTC. The word counts with `at`.

    `stated` is what the record says. `replaced`: the stated time is not credible (before 2005, or
    more than PT5M after the entry), so `at` is the entry. A time up to PT5M ahead is cut to the
    entry and is not replaced.
    """

    at: int
    stated: int
    replaced: bool


def entry_of(record: InputRecord, now: int) -> int:
    """A record's moment of entry, in milliseconds UTC; `now` is that of its transaction.

    It is the broker's time where the broker set it, else the earlier of the record's time and our
    clock.
    """
    timestamp = record.timestamp
    if record.timestamp_type == LOG_APPEND_TIME or timestamp < now:
        return timestamp
    return now


def is_credible(stated: int, entry: int) -> bool:
    """Whether a stated time is credible: not before 2005, not more than PT5M ahead of the entry."""
    return EARLIEST_TIME_MS <= stated <= entry + SKEW


def word_time(stated: int, entry: int) -> WordTime:
    """The time of a word: as stated, never later than its entry; the entry if not credible."""
    if not is_credible(stated, entry):
        return WordTime(entry, stated, replaced=True)
    return WordTime(min(stated, entry), stated, replaced=False)
