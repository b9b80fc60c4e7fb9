"""How far each topic of a partition number has been applied, and what is queued."""

from streams.engine.broadcast import Broadcast
from streams.engine.fetch_queues import FetchBuffer, FetchQueue, QueuedBatch
from streams.engine.lag import LagBook
from streams.engine.processor import FetchedBatch


class InputQueue:
    """One partition number: its queues in use, and how far each topic was applied (`reads`)."""

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
        """New queues that start where the last applied batches ended; the old ones are void."""
        self.drop_queues()
        self.queues = {
            topic: FetchQueue(self._buffer, topic, self.number, self.reads[topic])
            for topic in self._topics
        }
        return list(self.queues.values())

    def drop_queues(self) -> None:
        """Accept no more batches, and drop the queued ones."""
        for topic, queue in self.queues.items():
            self._buffer.queues.pop((topic, self.number), None)
            queue.close()
        self.queues = {}

    def receive(self, fetched: QueuedBatch) -> str | None:
        """Queue a batch, or drop it if its queue is void. Returns a message if there is a gap."""
        queue = fetched.queue
        if self.queues.get(queue.topic) is not queue or queue.put(fetched):
            return None
        return f"{queue.topic}: {queue.expected} was due, {fetched.batch.start} came"

    @property
    def queued(self) -> bool:
        """Whether something waits to be applied."""
        return any(queue.batches for queue in self.queues.values())

    @property
    def queued_records(self) -> int:
        """How many records wait to be applied."""
        return sum(queue.records for queue in self.queues.values())

    def lag(self, book: LagBook) -> int:
        """About how many records lie between the applied offsets and the latest known ends."""
        behind = 0
        for topic, queue in self.queues.items():
            reads = self.reads[topic]
            behind += max(queue.end - reads, book.records((topic, self.number), reads), 0)
        return behind

    def take(self) -> list[FetchedBatch]:
        """Take the next batches in the order of the topics, and move `reads`.

        It is bounded, but every topic that has something gets its turn: an answer does not wait for
        a backlog of another topic. Only the broadcast topic goes before all others: what it says
        holds for every account.
        """
        batches: list[FetchedBatch] = []
        broadcast = self._broadcast
        if broadcast is not None:
            batch = broadcast.after(self.reads[broadcast.topic], self._batch_records)
            if batch is not None:
                batches.append(batch)
                self.reads[broadcast.topic] = batch.end
                if batch.end < broadcast.end:
                    return batches
        room = self._batch_records
        for topic in self._topics:
            queue = self.queues.get(topic)
            served = False
            while queue is not None and queue.batches and (room > 0 or not served):
                batch = queue.take()
                batches.append(batch)
                self.reads[topic] = batch.end
                room -= len(batch.records)
                served = True
        return batches
