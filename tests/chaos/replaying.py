"""Oracle 1: the product's replay (`streams/replay`) over the recording of a run, byte for byte.

What comes out must be what was committed: events and dead letters of every topic partition, and the
decision log with its chain. Of a run that has been drained the rest is held to it as well: what the
log leaves out has no effect, and the fold of both changelogs is the state that replay comes to.
"""

import asyncio
from typing import NamedTuple

import msgspec

from schemas.inputs import INPUT_MODELS
from schemas.topics import DECISIONS, STORES
from streams.core.model.ports import Headers
from streams.core.partition import PartitionEnvironment
from streams.policies import load_policies
from streams.processor import partitioner
from streams.replay.elsewhere import Elsewhere
from streams.replay.following import Replay as Following
from streams.replay.partition import PartitionReplay, replayed
from streams.replay.recorded import transactions
from streams.replay.records import RecordsInMemory
from streams.replay.written import COMPARED, ReplayWritten
from tests.chaos.book import Book
from tests.chaos.grounds import POLICIES, PREFIX
from tests.oracle.records import OracleRecord

DRAINED_AT = 1 << 42


class _KeptRecord(NamedTuple):
    """A record of the book as a source hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_type: int = 1


def _source(records: list[OracleRecord]) -> RecordsInMemory:
    return RecordsInMemory(
        [
            _KeptRecord(
                one.offset, one.timestamp_ms, one.key, one.value, tuple(one.headers.items())
            )
            for one in records
        ]
    )


class ChaosReplay:
    """One partition number of a book; with `other_count` on so many partitions beside."""

    def __init__(self, book: Book, partition: int, other_count: int | None = None) -> None:
        self.book, self.partition = book, partition
        environment = PartitionEnvironment(
            policies={},
            partition_count=book.partitions,
            partition_of=partitioner(book.partitions),
            require_approvals=False,
            full_name=lambda name: PREFIX + name,
        )
        self.elsewhere: Elsewhere | None = None
        if other_count is not None:
            of = partitioner(other_count)
            self.elsewhere = Elsewhere(environment, partition, other_count, of)
        policies = load_policies(POLICIES, require_approvals=False)
        self._following = Following(
            environment,
            partition,
            {name: _source(self._of(name)) for name in INPUT_MODELS},
            {policy.digest: policy.canonical for policy in policies.values()},
            self.elsewhere,
        )
        outputs = {topic.name: _source(self._of(topic.name)) for topic in COMPARED}
        self._written = ReplayWritten(partition, outputs, environment.full_name)
        self.found = PartitionReplay(partition)

    def _of(self, name: str) -> list[OracleRecord]:
        return self.book.of(name, 0 if name == "switches" else self.partition)

    @property
    def trips(self) -> list[bytes]:
        """What the refusal guard has written to the topic of switches."""
        return list(self.found.trips.elements())

    @property
    def transactions(self) -> int:
        """How many there were."""
        return self.found.transactions

    @property
    def openings(self) -> int:
        """How often a worker opened the partition."""
        return self.found.openings

    def run(self) -> list[str]:
        """Everything that was not as replay has it; empty if all is well."""
        log = transactions(_source(self._of(DECISIONS.name)))
        self.found = asyncio.run(
            replayed(self.partition, self._following, log, self._written, drained_at=DRAINED_AT)
        )
        difference, breaches = self.found.difference, []
        if difference is not None:
            breaches.append(f"{difference.place}: {difference.why}: {difference}"[:3_000])
        if self.found.missing is not None:
            breaches.append(f"partition {self.partition}: {self.found.missing}")
        return breaches or self._states()

    def _states(self) -> list[str]:
        breaches = []
        for store in STORES:
            table, made = self.book.fold(store, self.partition), self._following.state[store]
            table.pop(b"#next", None)
            keys = table.keys() | made.keys()
            wrong = [key for key in keys if not _same(key, table.get(key), made.get(key))]
            if wrong:
                breaches.append(
                    f"partition {self.partition}: {store}: {len(wrong)} keys differ from replay,"
                    f" as {wrong[0]!r}: {table.get(wrong[0])!r:.300}"
                    f" for {made.get(wrong[0])!r:.300}"
                )
        return breaches


def _same(key: bytes, one: bytes | None, other: bytes | None) -> bool:
    """Accounts byte for byte; of the partition's own records a map's order does not matter."""
    if one == other or one is None or other is None or key[:1] != b"#":
        return one == other
    return bool(msgspec.msgpack.decode(one) == msgspec.msgpack.decode(other))
