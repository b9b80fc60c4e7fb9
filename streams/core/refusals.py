"""A partition's refusal guard: what a trip does here at once and in the other partitions, and what
ends it (contract 3.2).
"""

from collections.abc import Callable, Iterable

from streams.core.brakes import BRAKES, Brakes
from streams.core.clock import milliseconds
from streams.core.decode import SwitchChange
from streams.core.entry import entry_of
from streams.core.heard import word_of
from streams.core.journal import Journal
from streams.core.ledger import InputRecord, Ledger
from streams.core.progress import Progress
from streams.core.refusal_guard import Counted, RefusalGuard, Trip
from streams.core.settling import BYLINE, settling_record

REFUSALS = b"#refusals"


class PartitionRefusals:
    """What is refused in one partition, and what waits because of it.

    `hasten` has what is at stake on a platform, or on all (`*`), looked at again.
    """

    def __init__(
        self,
        platforms: Iterable[str],
        counted: Counted,
        brakes: Brakes,
        journal: Journal,
        progress: Progress,
        hasten: Callable[[str, int], None],
    ) -> None:
        self._settling = brakes.settling
        self._settling.forget(frozenset(platforms))
        self._brakes = brakes
        self._journal = journal
        self._progress = progress
        self._hasten = hasten
        self.guard = RefusalGuard(
            platforms, counted, self._settling.is_open, self._trip, self._changed
        )

    def settling(self, ledger: Ledger, now: int, record: InputRecord, value: SwitchChange) -> None:
        """A guard tripped in some partition, or a person has settled what was refused.

        The record's place in the log alone counts. A pause runs from the earlier of the time and
        the entry of the record that begins it to the later of both of the one that ends it.
        """
        word = word_of(milliseconds(value.issued_at), entry_of(record, now))
        if word.replaced:
            self._progress.counts["time_replaced", "switches"] += 1
        if value.on:
            moved = self._settling.settle(value.scope, word.until)
        else:
            own = word.stated if value.actor == BYLINE else None
            moved = self._settling.unsettle(value.scope, word.at, own)
        self._turned()
        cause = {"topic": "switches", "offset": record.offset}
        self._journal.switch(ledger, now, value, word.until if value.on else word.at, cause)
        for platform in moved:
            self._hasten(platform, now)
        if value.on:
            self.guard.settled(ledger, now, moved, word.at)

    def _trip(self, ledger: Ledger, now: int, trip: Trip) -> None:
        """Stop a platform's adverse events here at once, and everywhere by a record of switches."""
        self._settling.trip(trip.platform, now)
        self._turned()
        self._progress.urgent = True
        self._progress.counts["refusals_tripped", trip.platform, trip.topic, trip.reason] += 1
        cause = {"topic": trip.topic, "offset": trip.offset}
        self._journal.refusal_guard(ledger, now, trip, cause)
        ledger.send("switches", *settling_record(trip.platform, now))
        self._hasten(trip.platform, now)

    def _turned(self) -> None:
        self._brakes.forget_reckoned()
        self._progress.dirty[BRAKES] = self._brakes
        self._progress.moved = True

    def _changed(self) -> None:
        self._progress.dirty[REFUSALS] = self.guard.state
        self._progress.moved = True
