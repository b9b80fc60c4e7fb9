"""A queue takes what follows; a full buffer still serves an empty queue."""

from streams.engine.fetch_queues import FetchBuffer, FetchQueue, QueuedBatch
from tests.engine.given import fetched


def test_a_fetch_queue_takes_what_follows_and_refuses_a_gap() -> None:
    buffer = FetchBuffer(100, 1000)
    queue = FetchQueue(buffer, "t", 0, 10)
    assert queue.put(QueuedBatch(queue, fetched(10, 20), 100))
    assert queue.put(QueuedBatch(queue, fetched(20, 20), 0))
    assert not queue.put(QueuedBatch(queue, fetched(21, 25), 10))
    # A batch that begins before what is due is of another log than the one that was read.
    assert not queue.put(QueuedBatch(queue, fetched(19, 25), 10))
    assert (queue.records, buffer.queued_records, buffer.queued_bytes) == (10, 10, 100)
    assert queue.take(100, 1000).end == 20
    queue.close()
    assert (buffer.queued_records, buffer.queued_bytes) == (0, 0)


def test_a_full_fetch_buffer_still_serves_an_empty_queue() -> None:
    buffer = FetchBuffer(20, 10_000)
    full, empty = FetchQueue(buffer, "t", 0, 0), FetchQueue(buffer, "u", 0, 0)
    buffer.queues = {("t", 0): full, ("u", 0): empty}
    assert set(buffer.wanted()) == {("t", 0), ("u", 0)}
    full.put(QueuedBatch(full, fetched(0, 25), 100))
    assert set(buffer.wanted()) == {("u", 0)}


def test_an_empty_queue_waits_where_twice_the_bytes_are_queued() -> None:
    buffer = FetchBuffer(20, 10_000)
    full, empty = FetchQueue(buffer, "t", 0, 0), FetchQueue(buffer, "u", 0, 0)
    buffer.queues = {("t", 0): full, ("u", 0): empty}
    full.put(QueuedBatch(full, fetched(0, 2), 19_999))
    assert set(buffer.wanted()) == {("u", 0)}
    full.put(QueuedBatch(full, fetched(2, 3), 1))
    assert buffer.wanted() == {}
    full.take(2, 100_000)
    assert set(buffer.wanted()) == {("t", 0), ("u", 0)}
