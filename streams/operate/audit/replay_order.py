"""Puts one partition's records in the order in which they took effect.

The decision log gives the order: the record that ends a transaction says how far every input was
read, and its decisions list the events. Inputs and events are buffered until the log accounts for
them. A transaction has steps: in each the worker read inputs, or let timers act.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS
from schemas.topics import OUTPUTS
from streams.operate.audit.happened import Decided, Happened, bare, output_of, plain_of
from streams.operate.audit.records import Record, millis

ORDER = tuple(name for name in INPUT_MODELS if name != "switches")
"""The keyed inputs, in the order in which a worker applies them when it reads them together."""
ORDERS = {1: tuple(name for name in FIRST_EDITION_ORDER if name != "switches"), 2: ORDER}
"""The order of the inputs under each edition of the contract."""
OUTPUT_TOPICS = frozenset(topic.name for topic in OUTPUTS)


@dataclass(slots=True)
class _Planned:
    step: int
    now: int
    record: Record
    unread: int = 0


@dataclass(slots=True)
class ReplayOrder:
    """The buffers of one partition.

    `log`: records not yet handled. `group`: records of the transaction whose end has not come.
    `reached`: the offset below which everything of a topic was fed; `reads`: the offset up to which
    the worker has read it. `begun`: the first transaction has been handled. `complete`: nothing
    more will be fed. `waiting_for`: the topic without which the next transaction cannot be handled.
    `last_now`: the latest `now` (ms) handled. `cut`: Kafka has dropped the beginning of the log, so
    that nothing accounts for the first events. `listed_later`: the ids of events that the log lists
    behind what is fed of it; None: not known. `log_ended`: no more of the log will be fed, and all
    of it is handled.
    """

    partition: int
    inputs: dict[str, deque[Record]] = field(default_factory=dict)
    outputs: dict[str, deque[tuple[str, Record]]] = field(default_factory=dict)
    unreadable: dict[str, dict[int, tuple[Record, int]]] = field(default_factory=dict)
    log: deque[Decided] = field(default_factory=deque)
    group: list[Decided] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    whole: bool = True
    begun: bool = False
    complete: bool = False
    waiting_for: str = ""
    last_now: int = 0
    edition: int = 1
    cut: bool = False
    listed_later: Collection[str] | None = ()
    log_ended: bool = False
    matched: set[str] = field(default_factory=set)
    marked: dict[str, int] = field(default_factory=dict)

    def take(self, record: Record, logged: Mapping[str, Any] | None = None) -> None:
        """Buffers a record of this partition. `logged`: the parsed JSON of a record of the log."""
        self.reached[record.topic] = record.offset + 1
        if logged is not None:
            self.log.append(Decided(record, logged))
        elif record.topic in OUTPUT_TOPICS:
            event_id = str(plain_of(record).get("event_id", ""))
            self.outputs.setdefault(record.topic, deque()).append((event_id, record))
        elif record.topic in ORDER and not self.log_ended:
            self.inputs.setdefault(record.topic, deque()).append(record)

    def cannot_read(self, topic: str, offset: int, last: int, timestamp: int) -> None:
        """Buffers a batch that does not unpack: its first and last offset, and its time (ms)."""
        if offset < self.reads.get(topic, 0):
            return
        record = Record(topic, self.partition, offset, timestamp, None, None)
        self.unreadable.setdefault(topic, {})[offset] = (record, last - offset + 1)

    def buffered(self, topic: str) -> int:
        """Returns how many records of a topic are buffered."""
        if topic == "decisions":
            return len(self.log)
        return len(self.inputs.get(topic, ())) + len(self.outputs.get(topic, ()))

    def happened(self) -> Iterator[Happened]:
        """Yields the steps of every transaction whose records have all been fed, in order."""
        while self.log:
            decided = self.log[0]
            if decided.plain.get("kind") != "transaction":
                self.group.append(self.log.popleft())
                continue
            self.waiting_for = "" if self.complete else self._missing(decided)
            if self.waiting_for:
                return
            self.log.popleft()
            group, self.group = self.group, []
            yield from self._transaction(group, decided)
        if self.complete:
            yield from self._transaction(self.group, None)
            self.group = []
            yield from self._left_over()

    def _missing(self, transaction: Decided) -> str:
        """Returns a topic of which this transaction needs more records; empty if of none."""
        for topic, upto in transaction.plain["reads"].items():
            name = bare(topic)
            if name in ORDER and self.reached.get(name, 0) < upto:
                return name
        needed: dict[str, int] = {}
        for decided in self.group:
            for listed in decided.plain.get("events", ()):
                topic = output_of(listed)
                needed[topic] = needed.get(topic, 0) + 1
        for topic, count in needed.items():
            if len(self.outputs.get(topic, ())) < count:
                return topic
        return ""

    def _transaction(self, group: list[Decided], end: Decided | None) -> Iterator[Happened]:
        if end is not None:
            self.edition = end.plain.get("edition", 1)
            yield Happened("begin", end.record, end, edition=self.edition)
            if not (self.whole or self.begun) and self.edition > 1:
                yield from self._earlier(end)
            self.begun = True
        planned, timers = self._plan(end)
        waits = _out_of_turn(end)
        begun = 0
        for decided in group:
            plain = decided.plain
            self.last_now = max(self.last_now, millis(plain["now"]))
            upto = begun
            if plain["kind"] in ("decision", "refusal_guard"):
                upto = max(begun, _upto(planned, timers, begun, plain))
            yield from map(self._input, planned[begun:upto])
            begun = upto
            late = "timer" in plain.get("cause", ()) and plain["now"] in waits
            yield Happened(plain["kind"], decided.record, decided, edition=self.edition)
            for listed in plain.get("events", ()):
                for it in self._event(decided, listed):
                    yield it._replace(edition=self.edition, out_of_turn=late)
        yield from map(self._input, planned[begun:])
        if end is not None:
            self.last_now = max(self.last_now, millis(end.plain["now"]))
            yield Happened("end", end.record, end, edition=self.edition)

    def _input(self, it: _Planned) -> Happened:
        kind = "unreadable" if it.unread else "input"
        return Happened(kind, it.record, now=it.now, edition=self.edition, unread=it.unread)

    def _plan(self, end: Decided | None) -> tuple[list[_Planned], list[tuple[int, int]]]:
        """Returns a transaction's inputs in the order of its steps, and its timer steps.

        A timer step is given as its index and its `now` in ms.
        """
        planned: list[_Planned] = []
        timers: list[tuple[int, int]] = []
        if end is None:
            return planned, timers
        whole = {"now": end.plain["now"], "reads": end.plain["reads"]}
        for index, step in enumerate([*end.plain.get("steps", ()), whole]):
            now = millis(step["now"])
            reads = {bare(topic): _end(upto) for topic, upto in step.get("reads", {}).items()}
            if not reads:
                timers.append((index, now))
            for topic in ORDERS.get(self.edition, ORDER):
                for record, count in self._read(topic, reads.get(topic, 0)):
                    planned.append(_Planned(index, now, record, count))
        return planned, timers

    def _earlier(self, end: Decided) -> Iterator[Happened]:
        """Yields the inputs that were read before the first transaction that was fed.

        Its steps say from where on it read an input, and its end how far the others had been read.
        """
        first: dict[str, Any] = {bare(topic): upto for topic, upto in end.plain["reads"].items()}
        for step in reversed(end.plain.get("steps", ())):
            for topic, span in step.get("reads", {}).items():
                first[bare(topic)] = 0 if isinstance(span, int) else span[0]
        read = [it for topic in ORDER for it in self._read(topic, first.get(topic, 0))]
        for record, unread in sorted(read, key=lambda it: it[0].timestamp):
            yield self._input(_Planned(0, record.timestamp, record, unread))

    def _read(self, topic: str, upto: int) -> Iterator[tuple[Record, int]]:
        """Yields what was read of a topic up to an offset, each with a count.

        The count is 0 for a record, the number of records for a batch that does not unpack.
        """
        waiting = self.inputs.get(topic, deque())
        odd = self.unreadable.get(topic, {})
        spans = sorted(offset for offset in odd if offset < upto)
        while (waiting and waiting[0].offset < upto) or spans:
            first = waiting[0].offset if waiting else upto
            if spans and spans[0] <= first:
                yield odd.pop(spans.pop(0))
            elif first < upto:
                yield waiting.popleft(), 0

    def _event(self, decided: Decided, listed: Mapping[str, Any]) -> Iterator[Happened]:
        waiting = self.outputs.get(output_of(listed), deque())
        ids = (event_id for event_id, _ in waiting)
        # The event is nearly always the first in the buffer, so the search ends at once.
        place = next(
            (at for at, event_id in enumerate(ids) if event_id == listed["event_id"]), None
        )
        if place is None:
            yield Happened("missing", decided.record, decided, listed)
            return
        for _ in range(place):
            yield self._unlisted(output_of(listed), waiting.popleft()[1])
        self.matched.add(output_of(listed))
        yield Happened("event", waiting.popleft()[1], decided, listed)

    def _left_over(self) -> Iterator[Happened]:
        """Yields events that no decision lists. What an event says of its own time proves nothing.

        Without `listed_later` nobody knows whether the rest of the log lists them.
        """
        for topic, waiting in self.outputs.items():
            while waiting:
                event_id, record = waiting.popleft()
                if self.listed_later is None:
                    yield Happened("unjudged", record)
                elif event_id not in self.listed_later:
                    yield self._unlisted(topic, record)

    def unlisted_ids(self) -> set[str]:
        """Returns the ids of the events that the log fed so far does not list."""
        return {event_id for waiting in self.outputs.values() for event_id, _ in waiting}

    def mark(self) -> None:
        """Marks the events that are buffered now: they were committed, so the log lists them."""
        self.marked = {topic: it[-1][1].offset for topic, it in self.outputs.items() if it}

    def unlisted(self) -> Iterator[Happened]:
        """Yields marked events that no decision lists.

        To be called when all that the log held after `mark` has been fed and handled.
        """
        if self.log or self.group:
            return
        marked, self.marked = self.marked, {}
        for topic, upto in marked.items():
            waiting = self.outputs[topic]
            while waiting and waiting[0][1].offset <= upto:
                yield self._unlisted(topic, waiting.popleft()[1])

    def _unlisted(self, topic: str, record: Record) -> Happened:
        """Returns an event that no decision lists; where the log is cut, one may have done so."""
        return Happened("unjudged" if self.cut and topic not in self.matched else "event", record)

    def end_log(self) -> None:
        """Notes that no more of the log will be fed. Inputs that it does not name are let go."""
        if not self.log:
            self.log_ended = True
            self.inputs.clear()


def _out_of_turn(end: Decided | None) -> set[str]:
    """Returns the instants (text) of a transaction at which only favourable timers might act."""
    steps = end.plain.get("steps", ()) if end is not None else ()
    rounds = [it for it in steps if "as_of" in it]
    waits = {it["now"] for it in rounds if it.get("favourable_only")}
    return waits - {it["now"] for it in rounds if not it.get("favourable_only")}


def _end(read: int | list[int]) -> int:
    """Returns the offset up to which a step read: the number itself, or the last of a range."""
    return read if isinstance(read, int) else read[-1]


def _upto(
    planned: list[_Planned], timers: list[tuple[int, int]], begun: int, plain: Mapping[str, Any]
) -> int:
    """Returns how many planned inputs took effect up to this decision, its own input included.

    `begun` of them have been handled. A decision of a timer comes after the steps before its own.
    """
    cause = plain["cause"]
    if "offset" in cause:
        for index in range(begun, len(planned)):
            record = planned[index].record
            if record.topic == bare(cause["topic"]) and record.offset == cause["offset"]:
                return index + 1
        return begun
    now = millis(plain["now"])
    step = planned[begun].step if begun < len(planned) else 0
    timer = next((index for index, at in timers if at == now and index >= step), None)
    upto = begun
    for item in planned[begun:]:
        before = item.step < timer if timer is not None else item.now < now
        if not before:
            break
        upto += 1
    return upto
