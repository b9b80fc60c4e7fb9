"""Topics take turns, and `switches` comes first."""

from pathlib import Path

from streams.engine.broadcast import Broadcast
from streams.engine.config import EngineConfig
from streams.engine.fetch_queues import FetchBuffer, QueuedBatch
from streams.engine.input_queue import InputQueue
from streams.engine.lag import LagBook
from streams.engine.processor import FetchedBatch
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
    broadcast._records = list(fetched(0, 4).records) + list(fetched(6, 9).records)
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
