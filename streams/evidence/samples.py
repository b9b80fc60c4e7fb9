"""Draws sample decisions of a period, and lets the core decide them again.

The samples are the decisions with the smallest hash over the digest of the chain's head and their
own hash. So the writer of the log cannot choose them, and a reader of the file can draw them again.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any

import msgspec

from streams.replay.recorded import Clients, RecordedPartition, Transaction
from streams.replay.records import RecordsGoneError, ReplayError
from streams.settings import Settings


@unique
class Anew(StrEnum):
    """The result of deciding a sample again: equal, different, or not possible."""

    SAME = "same"
    OTHERWISE = "otherwise"
    NOT_POSSIBLE = "not_possible"


@dataclass(slots=True)
class Sample:
    """A sample decision, its place, and whether the core decides it again, byte for byte.

    `why`: the difference, or which inputs Kafka no longer has; None if it is the same.
    """

    place: str
    partition: int
    number: int
    record: Mapping[str, Any]
    anew: Anew = Anew.NOT_POSSIBLE
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the sample as it is written to the file."""
        found: dict[str, Any] = {"place": self.place, "decided_anew": self.anew}
        if self.why is not None:
            found["why"] = self.why
        return {**found, "record": self.record}


@dataclass(slots=True)
class Draw:
    """Draws `most` of the decisions that it is offered. `head`: the digest of the chain's head."""

    head: str
    most: int
    _kept: list[tuple[int, int, int]] = field(default_factory=list)

    def offer(self, partition: int, number: int, digest: str) -> None:
        """Offers a decision, by partition, number in the chain, and hash."""
        rank = int(hashlib.sha256(f"{self.head}:{digest}".encode()).hexdigest(), 16)
        it = (-rank, partition, number)
        if len(self._kept) < self.most:
            heapq.heappush(self._kept, it)
        elif self._kept:
            heapq.heappushpop(self._kept, it)

    def drawn(self) -> set[tuple[int, int]]:
        """Returns partition and number of each drawn decision."""
        return {(partition, number) for _, partition, number in self._kept}


async def rederive(
    settings: Settings, samples: Iterable[Sample], count: int, texts: Mapping[str, bytes]
) -> None:
    """Replays the partitions of the samples from their beginning, and sets each sample's result.

    `count`: the number of partitions. `texts`: the canonical policies by digest.
    """
    by_partition: dict[int, list[Sample]] = defaultdict(list)
    for it in samples:
        by_partition[it.partition].append(it)
    async with AsyncExitStack() as stack:
        clients = Clients(settings, stack)
        for number, mine in sorted(by_partition.items()):
            await _anew(RecordedPartition(settings, clients, number, count, texts), mine)


async def _anew(recorded: RecordedPartition, mine: list[Sample]) -> None:
    seen: set[int] = set()
    failed, why = Anew.OTHERWISE, "the log that was read again ends before it"
    try:
        await recorded.run(lambda transaction: seen.update(_numbers(transaction)))
    except RecordsGoneError as error:
        failed, why = Anew.NOT_POSSIBLE, str(error)
    except ReplayError as error:
        why = str(error)
    for it in mine:
        it.anew, it.why = (Anew.SAME, None) if it.number in seen else (failed, why)


def _numbers(transaction: Transaction) -> Iterable[int]:
    for record in transaction:
        yield msgspec.json.decode(record.value or b"null")["number"]
