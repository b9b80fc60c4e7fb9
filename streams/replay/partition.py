"""One partition replayed and compared: what came of it."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.core.model.ports import InputRecord
from streams.replay.following import Replay
from streams.replay.records import Difference, DifferentError, RecordsGoneError
from streams.replay.written import Written

Tell = Callable[[int], None]
"""Told how many records of the log were replayed."""


@dataclass(slots=True)
class PartitionReplay:
    """What came of one partition. `missing`: what Kafka no longer holds of what is needed.

    `sha256` is over its events, `head` the hash of the last decision. `trips`: what the refusal
    guard sends to the topic of switches.
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
        """Whether all of it came out as it stands in Kafka."""
        return self.difference is None and self.missing is None

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
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
    written: Written,
    tell: Tell = lambda _: None,
    *,
    drained_at: int | None = None,
) -> PartitionReplay:
    """Replay a partition up to the end of its log, or to the first difference.

    `drained_at` (ms): workers have read all inputs, so what the log leaves out has no effect.
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
            # What differs may come from what is not there any more: nothing is said against it.
            found.missing = f"{lost} are not there any more (compaction?); then {error}"
            found.difference = None
    found.inputs, found.openings = replay.inputs, replay.openings
    found.transactions = replay.transactions
    found.events, found.sha256 = written.events.count, written.events.text()
    found.dead_letters, found.trips = written.dead_letters, written.trips
    if written.account is not None:
        found.of_account = (written.of_account.count, written.of_account.text())
    return found
