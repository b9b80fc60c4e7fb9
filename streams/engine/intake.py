"""What a partition number has read and what waits to be applied, of all its topics."""

from streams.engine.broadcast import Broadcast
from streams.engine.lag import LagBook
from streams.engine.lanes import Desk, Fetched, Lane
from streams.engine.processor import Span


class Intake:
    """One partition number: its lanes in use, and how far each topic was applied (`reads`)."""

    def __init__(
        self,
        desk: Desk,
        number: int,
        topics: tuple[str, ...],
        broadcast: Broadcast | None,
        batch_records: int,
    ) -> None:
        self.reads: dict[str, int] = {}
        self.lanes: dict[str, Lane] = {}
        self._desk = desk
        self._number = number
        self._topics = topics
        self._broadcast = broadcast
        self._batch_records = batch_records

    def open_lanes(self) -> list[Lane]:
        """New lanes that start where the last applied spans ended; the old ones are void."""
        self.drop_lanes()
        self.lanes = {
            topic: Lane(self._desk, topic, self._number, self.reads[topic])
            for topic in self._topics
        }
        return list(self.lanes.values())

    def drop_lanes(self) -> None:
        """Take nothing more, and forget what is queued."""
        for topic, lane in self.lanes.items():
            self._desk.lanes.pop((topic, self._number), None)
            lane.close()
        self.lanes = {}

    def receive(self, fetched: Fetched) -> str | None:
        """Queue a span, or drop it if its lane is void; the trouble when it does not follow."""
        lane = fetched.lane
        if self.lanes.get(lane.topic) is not lane or lane.put(fetched):
            return None
        return f"{lane.topic}: {lane.expected} was due, {fetched.span.start} came"

    @property
    def queued(self) -> bool:
        """Whether something waits to be applied."""
        return any(lane.queue for lane in self.lanes.values())

    @property
    def queued_records(self) -> int:
        """How much of it."""
        return sum(lane.records for lane in self.lanes.values())

    def lag(self, book: LagBook) -> int:
        """Records, roughly, between what has been applied and the ends last seen by anybody."""
        behind = 0
        for topic, lane in self.lanes.items():
            reads = self.reads[topic]
            behind += max(lane.end - reads, book.records((topic, self._number), reads), 0)
        return behind

    def take(self) -> list[Span]:
        """The next batch, in the order of the topics; `reads` moves with it.

        It is bounded, but every topic that has something gets its turn: an answer does not wait for
        a backlog of another topic. Only the broadcast topic goes before all others: what it says
        holds for every account.
        """
        spans: list[Span] = []
        broadcast = self._broadcast
        if broadcast is not None:
            span = broadcast.after(self.reads[broadcast.topic], self._batch_records)
            if span is not None:
                spans.append(span)
                self.reads[broadcast.topic] = span.end
                if span.end < broadcast.end:
                    return spans
        room = self._batch_records
        for topic in self._topics:
            lane = self.lanes.get(topic)
            served = False
            while lane is not None and lane.queue and (room > 0 or not served):
                span = lane.take()
                spans.append(span)
                self.reads[topic] = span.end
                room -= len(span.records)
                served = True
        return spans
