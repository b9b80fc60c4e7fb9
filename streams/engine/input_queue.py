"""The inputs of one partition number: how far each topic was applied, and what is queued."""

from streams.engine.broadcast import Broadcast
from streams.engine.fetch_queues import FetchBuffer, FetchQueue, QueuedBatch
from streams.engine.lag import LagBook
from streams.engine.processor import FetchedBatch

STEP_BYTES = 4 * 1024 * 1024
"""About the most bytes of one topic in a step, which keeps the event loop from everything else."""


class InputQueue:
    """The queues of one partition number. `reads`: by topic, the next offset to apply."""

    def __init__(
        self,
        buffer: FetchBuffer,
        number: int,
        topics: tuple[str, ...],
        broadcast: Broadcast | None,
        batch_records: int,
    ) -> None:
        self.reads: dict[str, int] = {}
        self.queues: dict[str, FetchQueue] = {}
        self._buffer = buffer
        self.number = number
        self._topics = topics
        self._broadcast = broadcast
        self._batch_records = batch_records

    def open_queues(self) -> list[FetchQueue]:
        """Replaces the queues by new ones that start at `reads`, and returns these."""
        self.drop_queues()
        self.queues = {
            topic: FetchQueue(self._buffer, topic, self.number, self.reads[topic])
            for topic in self._topics
        }
        return list(self.queues.values())

    def drop_queues(self) -> None:
        """Drops the queues with their batches, so that later batches for them are refused."""
        for topic, queue in self.queues.items():
            self._buffer.queues.pop((topic, self.number), None)
            queue.close()
        self.queues = {}

    def receive(self, fetched: QueuedBatch) -> str | None:
        """Queues a batch, or drops it if its queue is no longer in use.

        Returns a description if the batch does not follow the one before, else None.
        """
        queue = fetched.queue
        if self.queues.get(queue.topic) is not queue or queue.put(fetched):
            return None
        return f"{queue.topic}: {queue.expected} was due, {fetched.batch.start} came"

    @property
    def queued(self) -> bool:
        """Whether a batch waits to be applied."""
        return any(queue.batches for queue in self.queues.values())

    @property
    def queued_records(self) -> int:
        """The number of records that wait to be applied."""
        return sum(queue.records for queue in self.queues.values())

    def lag(self, book: LagBook) -> int:
        """Returns the consumer lag: offsets between `reads` and the latest known ends."""
        behind = 0
        for topic, queue in self.queues.items():
            reads = self.reads[topic]
            behind += max(queue.end - reads, book.records((topic, self.number), reads), 0)
        return behind

    def take(self) -> list[FetchedBatch]:
        """Removes and returns the next batches, in the order of the topics, and advances `reads`.

        It stops after about `batch_records` records, or STEP_BYTES, but takes something of every
        topic, so that no topic waits for the backlog of another. Of a batch of over twice as many
        records it takes the first ones, so that a commit may come before the others: a producer can
        put a million records into one Kafka batch, and each may lead to an output. The broadcast
        topic comes first, and the others wait until it is read to its end, because it concerns
        every account.
        """
        batches: list[FetchedBatch] = []
        broadcast = self._broadcast
        if broadcast is not None:
            batch = broadcast.after(self.reads[broadcast.topic], self._batch_records, STEP_BYTES)
            if batch is not None:
                batches.append(batch)
                self.reads[broadcast.topic] = batch.end
                if batch.end < broadcast.end:
                    return batches
        room, room_bytes = self._batch_records, STEP_BYTES
        for topic in self._topics:
            queue, served = self.queues.get(topic), False
            while queue is not None and queue.batches:
                if served and (room <= 0 or room_bytes <= 0):
                    break
                size = queue.size
                most_bytes = room_bytes if served else STEP_BYTES
                batch = queue.take(2 * self._batch_records, most_bytes)
                batches.append(batch)
                self.reads[topic] = batch.end
                room -= len(batch.records)
                room_bytes -= size - queue.size
                served = True
        return batches
