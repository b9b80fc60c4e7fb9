"""A run without Kafka: traffic, late workers and restarts in one process and simulated time.

The core's partitions read what the traffic sends, now and then late, in pieces or not at all, are
opened anew, and see a cluster change; what they write is kept as Kafka would. What the judges make
of it is then a matter of seconds, so that rare meetings (a guard that trips in one partition while
another one sleeps) come by the hundred.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from schemas.inputs import INPUT_MODELS
from schemas.topics import CHANGELOGS, DEAD_LETTERS, DECISIONS, INPUTS, OUTPUTS, STORES
from streams.core.partition import Partition, PartitionEnvironment
from streams.policies import load_policies
from streams.replay.tables import ReplayTables
from tests.chaos import lives, sending, traffic
from tests.chaos.book import Book, bare
from tests.chaos.grounds import POLICIES, PREFIX
from tests.chaos.sending import Sender
from tests.chaos.traffic import Traffic, TrafficRates
from tests.core.given import GivenRecord as InputRecord
from tests.oracle.records import OracleRecord, partition_of

START = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
TICK = 0.1
EVENTS = frozenset(topic.name for topic in OUTPUTS)


class SimulatedClock:
    """Stands where the traffic's modules look for `time`."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now

    monotonic = time


@contextmanager
def simulated_time() -> Iterator[SimulatedClock]:
    """Time is what we say, for the traffic alone."""
    clock: Any = SimulatedClock()
    modules: tuple[Any, ...] = (lives, sending, traffic)
    for module in modules:
        module.time = clock
    try:
        yield clock
    finally:
        for module in modules:
            module.time = time


class Kept:
    """Takes the sender's records into the book, as a broker would."""

    def __init__(self, book: Book, clock: SimulatedClock) -> None:
        self._book, self._clock = book, clock

    def produce(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int = -1, **_: Any
    ) -> None:
        """Append it to its partition."""
        name = bare(topic)
        if name == "switches":
            partition = 0
        elif partition < 0:
            partition = partition_of(key or b"", self._book.partitions)
        append(self._book, name, partition, key, value, self._clock.now)

    def poll(self, seconds: float) -> None:
        """Nothing is under way."""

    def flush(self, seconds: float) -> int:
        """Nothing is left."""
        return 0


def append(
    book: Book,
    name: str,
    partition: int,
    key: bytes | None,
    value: bytes | None,
    at: float,
    headers: dict[str, bytes] | None = None,
) -> None:
    """Let the log of a partition grow by a record that enters at `at`."""
    own = book.topics[name].setdefault(partition, [])
    stamp = round(at * 1000)
    own.append(OracleRecord(PREFIX + name, partition, len(own), key, value, headers or {}, stamp))


def empty_book(partitions: int) -> Book:
    """All topics, without a record."""
    book = Book(partitions)
    for topic in (*INPUTS, *OUTPUTS, DECISIONS, DEAD_LETTERS, *CHANGELOGS):
        book.topics[topic.name] = {}
    return book


@dataclass(frozen=True)
class Laziness:
    """How often, of the ticks, a worker acts, falls asleep, is opened anew, loses a transaction,
    looks at the topics, or sees the cluster change.
    """

    acts: float = 0.5
    sleeps: float = 0.004
    opens: float = 0.003
    aborts: float = 0.01
    looks: float = 0.8
    changes: float = 0.0005


class SimulatedWorker:
    """What has one partition in hand, one process after the other."""

    def __init__(self, book: Book, partition: int, traffic: Traffic, dice: Random) -> None:
        self._book, self._number, self._traffic, self._dice = book, partition, traffic, dice
        self._ledger = ReplayTables()
        self._core: Partition | None = None
        self._next = dict.fromkeys(INPUT_MODELS, 0)
        self._sealed = dict(self._next)
        self._asleep_until = 0.0
        self._environment = PartitionEnvironment(
            policies=load_policies(POLICIES, require_approvals=False),
            partition_count=book.partitions,
            partition_of=lambda key: partition_of(key, book.partitions),
            require_approvals=False,
            full_name=lambda name: PREFIX + name,
        )

    def tick(self, at: float, lazy: Laziness) -> None:
        """What it does at this instant, if anything."""
        dice = self._dice
        if dice.random() < lazy.sleeps:
            self._asleep_until = at + dice.choice([1, 5, 20, 40])
        if at < self._asleep_until or dice.random() >= lazy.acts:
            return
        now = round(at * 1000)
        doomed = dice.random() < lazy.aborts
        kept = {name: dict(own) for name, own in self._ledger.state.items()} if doomed else {}
        if self._core is None or dice.random() < lazy.opens:
            self._open(now)
        assert self._core is not None
        if dice.random() < lazy.changes:
            self._core.cluster_changed(now)
        self._work(now, dice.random() < lazy.looks)
        if doomed:
            self._ledger.state, self._ledger.sent, self._ledger.touched = kept, [], False
            self._core, self._next = None, dict(self._sealed)
        elif self._ledger.touched:
            self._seal(now)

    def _open(self, now: int) -> None:
        self._next = dict(self._sealed)
        self._core = Partition(self._environment, self._number, self._ledger, now)
        self._core.take_up(self._ledger, now)

    def _work(self, now: int, looks: bool) -> None:
        core = self._core
        assert core is not None
        batches = [(name, self._fetch(name)) for name in INPUT_MODELS]
        full: Any = [batch for batch in batches if batch[1]]
        if full:
            core.step(self._ledger, now, full)
        due = core.due()
        if due is None or due > now or not self._all_read():
            return
        limit = self._dice.choice([1000, 1000, 3])
        core.run_timers(self._ledger, now, now - self._dice.choice([0, 0, 30]), limit, not looks)
        core.counts.clear()

    def _log(self, name: str) -> list[OracleRecord]:
        return self._book.of(name, 0 if name == "switches" else self._number)

    def _fetch(self, name: str) -> list[InputRecord]:
        log, first = self._log(name), self._next[name]
        left = len(log) - first
        count = left if self._dice.random() < 0.8 else self._dice.randint(0, left)
        self._next[name] += count
        return [
            InputRecord(one.offset, one.timestamp_ms, one.key, one.value)
            for one in log[first : first + count]
        ]

    def _all_read(self) -> bool:
        return all(len(self._log(name)) == read for name, read in self._next.items())

    def _seal(self, now: int) -> None:
        assert self._core is not None
        reads = {PREFIX + name: after for name, after in self._next.items()}
        self._core.before_commit(self._ledger, now, reads)
        sent, self._ledger.sent, self._ledger.touched = self._ledger.sent, [], False
        self._ledger.asked.clear()
        for name, key, value, headers in sent:
            home = 0 if name == "switches" else self._number
            append(self._book, name, home, key, value, now / 1000, dict(headers))
            if name in EVENTS and key is not None:
                self._traffic.hear(key.decode(), msgspec.json.decode(value or b""))
        self._sealed = dict(self._next)

    def changelog(self) -> None:
        """Write the state down as the changelogs would have it."""
        for store in STORES:
            for key, value in self._ledger.state[store].items():
                append(self._book, f"{store}-changelog", self._number, key, value, START)


def simulate(
    seed: int,
    seconds: float,
    partitions: int = 3,
    rates: TrafficRates | None = None,
    lazy: Laziness | None = None,
    settle_seconds: float = 60.0,
) -> tuple[Book, float]:
    """A run: what Kafka would have kept, and the instant at which its workers stopped."""
    book = empty_book(partitions)
    with simulated_time() as clock:
        given = rates or TrafficRates(readings=20.0, lives=4.0, crowd=300, brakes_every=20.0)
        sender = Sender("", partitions, seed, Kept(book, clock))
        sent = Traffic(sender, seed, given)
        workers = [
            SimulatedWorker(book, number, sent, Random(f"worker-{seed}-{number}"))
            for number in range(partitions)
        ]
        sent.begin()
        while clock.now < START + seconds:
            clock.now += TICK
            sent.tick()
            for worker in workers:
                worker.tick(clock.now, lazy or Laziness())
        sent.release()
        end = clock.now + settle_seconds
        while clock.now < end:
            clock.now += TICK
            sender.tick()
            for worker in workers:
                worker.tick(clock.now, Laziness(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
        for worker in workers:
            worker.changelog()
        return book, clock.now
