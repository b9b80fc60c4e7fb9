"""How far behind an input is: from the broker's ends, in records and in seconds."""

import time
from types import SimpleNamespace

from streams.engine.fetch_queues import FetchBuffer, QueuedBatch
from streams.engine.input_queue import InputQueue
from streams.engine.lag import STALE_SECONDS, LagBook, TopicLag
from streams.engine.processor import FetchedBatch


def part(number: int = 0, reads: int = 10) -> InputQueue:
    """A partition that has read `t` so far."""
    queue = InputQueue(FetchBuffer(100, 10_000), number, ("t",), None, batch_records=10)
    queue.reads = {"t": reads}
    queue.open_queues()
    return queue


def lag(book: LagBook, *parts: InputQueue, clock_now: int = 0) -> TopicLag:
    (found,) = book.by_topic(["t"], parts, clock_now)
    return found


def test_what_nobody_was_told_of_counts_from_the_broker_s_end() -> None:
    book, one, other, now = LagBook(), part(), part(1, 5), time.monotonic()
    book.note(("t", 0), 10, 10, now)
    book.note(("t", 1), 5, 25, now - 3.0)
    book.note(("t", 1), 5, 30, now)
    found = lag(book, one, other)
    assert found.records == 25
    assert 3.0 <= found.seconds < 4.0


def test_the_oldest_record_that_waits_says_how_old_it_is() -> None:
    book, one = LagBook(), part()
    record = SimpleNamespace(offset=10, timestamp=50_000, timestamp_type=1, key=b"", value=b"")
    one.receive(QueuedBatch(one.queues["t"], FetchedBatch("t", 0, 10, 11, [record], 12), 1))
    assert lag(book, one, clock_now=57_000) == TopicLag("t", 2, 7.0, position=10)


def test_what_was_read_since_the_last_look_is_behind_no_more() -> None:
    book, one, now = LagBook(), part(), time.monotonic()
    book.note(("t", 0), 10, 20, now - 1.0)
    one.reads["t"] = 20
    assert lag(book, one) == TopicLag("t", 0, 0.0, position=20)


def test_reading_on_moves_the_beginning_of_the_lag() -> None:
    book, now = LagBook(), time.monotonic()
    book.note(("t", 0), 10, 20, now - 60.0)
    book.note(("t", 0), 15, 40, now - 30.0)
    assert 60.0 <= lag(book, part(reads=15)).seconds < 61.0
    book.note(("t", 0), 25, 50, now)
    assert lag(book, part(reads=25)).seconds < 1.0


def test_without_a_look_the_time_since_the_last_one_counts() -> None:
    book, ago = LagBook(), STALE_SECONDS + 5.0
    book.note(("t", 0), 10, 10, time.monotonic() - ago)
    assert ago <= lag(book, part()).seconds < ago + 1.0


def test_a_partition_that_has_left_counts_no_more() -> None:
    book = LagBook()
    book.note(("t", 0), 10, 20, time.monotonic())
    book.keep([])
    assert book.records(("t", 0), 10) == 0
    assert lag(book) == TopicLag("t", 0, 0.0)
