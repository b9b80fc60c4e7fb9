"""Topics take turns, and `switches` comes first."""

from itertools import pairwise
from pathlib import Path

from streams.engine.broadcast import Broadcast
from streams.engine.config import EngineConfig
from streams.engine.fetch_queues import FetchBuffer, QueuedBatch
from streams.engine.input_queue import STEP_BYTES, InputQueue
from streams.engine.lag import LagBook
from streams.engine.processor import FetchedBatch
from tests.core.given import GivenRecord
from tests.engine.given import fetched


def test_the_input_queue_gives_every_topic_its_turn_in_order() -> None:
    buffer = FetchBuffer(100, 100_000)
    inputs = InputQueue(buffer, 0, ("u", "t"), None, batch_records=5)
    inputs.reads = {"u": 0, "t": 3}
    first, second = inputs.open_queues()
    for start in (0, 10):
        batch = FetchedBatch("u", 0, start, start + 10, fetched(start, start + 10).records, 20)
        assert inputs.receive(QueuedBatch(first, batch, 1)) is None
    assert inputs.receive(QueuedBatch(second, fetched(3, 8, 9), 1)) is None
    taken = inputs.take()
    assert [(batch.topic, batch.start, batch.end) for batch in taken] == [("u", 0, 10), ("t", 3, 8)]
    assert [record.offset for record in taken[1].records] == [3, 4, 5, 6, 7]
    book = LagBook()
    assert inputs.lag(book) == 10 + 1
    book.note(("t", 0), 8, 108, 0.0)
    assert inputs.lag(book) == 10 + 100
    inputs.open_queues()
    assert not inputs.queued
    assert inputs.receive(QueuedBatch(first, batch, 1)) is None
    assert not inputs.queued


def test_a_flood_of_the_broadcast_topic_is_read_in_batches_and_before_all_else(
    tmp_path: Path,
) -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="b", data_dir=tmp_path)
    broadcast = Broadcast(config, "s", lambda: None)
    broadcast._records.add([*fetched(0, 4).records, *fetched(6, 9).records])
    broadcast._unreadable = [(4, 5, 0)]
    broadcast.end = 10
    inputs = InputQueue(FetchBuffer(100, 100_000), 0, ("t",), broadcast, batch_records=3)
    inputs.reads = {"s": 0, "t": 3}
    (queue,) = inputs.open_queues()
    assert inputs.receive(QueuedBatch(queue, fetched(3, 8), 1)) is None
    taken = [inputs.take() for _ in range(4)]
    assert [[(batch.topic, batch.start, batch.end) for batch in batches] for batches in taken] == [
        [("s", 0, 3)],
        [("s", 3, 8)],
        [("s", 8, 10), ("t", 3, 8)],
        [],
    ]
    assert [len(batches[0].records) for batches in taken[:3]] == [3, 3, 1]
    assert [batches[0].unreadable for batches in taken[:3]] == [(), ((4, 5, 0),), ()]


def test_a_step_is_bounded_however_much_a_batch_holds_and_no_offset_is_lost_between() -> None:
    small = [GivenRecord(offset, 0, b"k", b"v") for offset in range(0, 10_000, 2)]
    third = bytes(STEP_BYTES // 3)
    large = [GivenRecord(offset, 0, b"k", third) for offset in range(10_000, 10_010)]
    huge = [GivenRecord(10_012, 0, b"k", 9 * third), GivenRecord(10_013, 0, b"k", b"v")]
    unreadable = ((5_001, 5_001, 0), (9_999, 9_999, 0), (10_014, 10_019, 0))
    records = [*small, *large, *huge]
    buffer = FetchBuffer(100, 100_000)
    inputs = InputQueue(buffer, 0, ("t",), None, batch_records=500)
    inputs.reads = {"t": 0}
    (queue,) = inputs.open_queues()
    whole = FetchedBatch("t", 0, 0, 10_020, records, 10_020, unreadable)
    size = sum(len(record.value or b"") + 300 for record in records)
    assert inputs.receive(QueuedBatch(queue, whole, size)) is None
    pieces: list[FetchedBatch] = []
    while inputs.queued:
        step = inputs.take()
        pieces += step
        assert inputs.reads == {"t": step[-1].end}
        sizes = [len(record.value or b"") for piece in step for record in piece.records]
        assert len(sizes) < 1_500
        assert sum(sizes[:-1]) <= STEP_BYTES
        assert inputs.queued_records == len(records) - sum(len(one.records) for one in pieces)
        for piece in step:
            inside = [first for first, _, _ in piece.unreadable]
            inside += [record.offset for record in piece.records]
            assert all(piece.start <= offset < piece.end for offset in inside)
    assert [record for piece in pieces for record in piece.records] == records
    assert tuple(it for piece in pieces for it in piece.unreadable) == unreadable
    assert all(one.end == other.start for one, other in pairwise(pieces))
    assert (pieces[0].start, pieces[-1].end) == (0, 10_020)
    assert (buffer.queued_records, buffer.queued_bytes) == (0, 0)
