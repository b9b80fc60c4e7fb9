"""Replays one partition, compares its output with the topics, and returns the result."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.core.model.ports import InputRecord
from streams.replay.following import Replay
from streams.replay.records import Difference, DifferentError, RecordsGoneError
from streams.replay.written import ReplayWritten

Tell = Callable[[int], None]
"""Called with the number of the log's records that were replayed since the last call."""


@dataclass(slots=True)
class PartitionReplay:
    """The result of replaying one partition.

    `openings`: how often a worker opened the partition. `sha256`: of all its events. `head`: the
    hash of the last record of the log that was replayed. `difference`: the first one; None: there
    is none. `missing`: what Kafka no longer has, in words; None: nothing. `of_account`: number and
    SHA-256 of the events of one account. `trips`: records that the refusal guard sends to the topic
    of switches.
    """

    partition: int
    inputs: int = 0
    transactions: int = 0
    openings: int = 0
    decisions: int = 0
    events: int = 0
    dead_letters: int = 0
    sha256: str = ""
    head: str | None = None
    difference: Difference | None = None
    missing: str | None = None
    of_account: tuple[int, str] | None = None
    trips: Counter[bytes] = field(default_factory=Counter)

    @property
    def identical(self) -> bool:
        """Whether the whole log was replayed and everything equals what is in Kafka."""
        return self.difference is None and self.missing is None

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON of `byline replay --json`."""
        plain: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                *("partition", "inputs", "transactions", "openings", "decisions", "events"),
                *("dead_letters", "sha256", "head", "missing"),
            )
        }
        plain["difference"] = None if self.difference is None else self.difference.as_dict()
        if self.of_account is not None:
            plain["account"] = dict(zip(("events", "sha256"), self.of_account, strict=True))
        return plain | {"identical": self.identical}


async def replayed(
    number: int,
    replay: Replay,
    log: AsyncIterator[list[InputRecord]],
    written: ReplayWritten,
    tell: Tell = lambda _: None,
    *,
    drained_at: int | None = None,
) -> PartitionReplay:
    """Replays a partition up to the end of its log, or to the first difference.

    `log`: the log's records by transaction. `written`: the topics to compare with. `drained_at`
    (ms): the workers had read all inputs by then, so inputs after the log's end must have no
    effect; None: these are not checked.
    """
    found = PartitionReplay(number)
    try:
        async for transaction in log:
            await written.compare(await replay.transaction(transaction))
            found.decisions += len(transaction)
            found.head = msgspec.json.decode(transaction[-1].value or b"null")["hash"]
            tell(len(transaction))
        await written.finish()
        if drained_at is not None:
            await replay.rest(drained_at)
    except RecordsGoneError as error:
        found.missing = str(error)
    except DifferentError as error:
        found.difference = error.difference
        lost = replay.lost
        if lost is not None:
            # The difference may come from inputs that compaction removed, so it is no difference.
            found.missing = f"{lost} are not there any more (compaction?); then {error}"
            found.difference = None
    found.inputs, found.openings = replay.inputs, replay.openings
    found.transactions = replay.transactions
    found.events, found.sha256 = written.events.count, written.events.text()
    found.dead_letters, found.trips = written.dead_letters, written.trips
    if written.account is not None:
        found.of_account = (written.of_account.count, written.of_account.text())
    return found
