"""Connects a partition's refusal guard with the switches: begins and ends its deferrals.

schemas/CONTRACT.md, "The refusal guard".
"""

from collections.abc import Callable, Iterable

from streams.core.inputs.decode import DecodedSwitchChange
from streams.core.inputs.entry import entry_of
from streams.core.inputs.heard import word_of
from streams.core.inputs.refusal_guard import RefusalCounts, RefusalGuard, Trip
from streams.core.limits.settling import BYLINE, settling_record
from streams.core.limits.switches import BRAKES, Switches
from streams.core.log.decisions import DecisionLog
from streams.core.model.instants import milliseconds
from streams.core.model.ports import InputRecord, Transaction
from streams.core.model.step_effects import StepEffects

REFUSALS = b"#refusals"


class PartitionRefusals:
    """The refusal guard of one partition, with the deferrals that it causes.

    `hasten` schedules every account of a platform, or of all (`*`), for evaluation.
    """

    def __init__(
        self,
        platforms: Iterable[str],
        counted: RefusalCounts,
        switches: Switches,
        decisions: DecisionLog,
        effects: StepEffects,
        hasten: Callable[[str, int], None],
    ) -> None:
        self._settling = switches.settling
        self._settling.forget(frozenset(platforms))
        self._switches = switches
        self._decisions = decisions
        self._effects = effects
        self._hasten = hasten
        self.guard = RefusalGuard(
            platforms, counted, self._settling.is_open, self._trip, self._changed
        )

    def settling(
        self, transaction: Transaction, now: int, record: InputRecord, value: DecodedSwitchChange
    ) -> None:
        """Applies a switch record `refusals_settled`.

        With `on: false` the guard tripped in some partition; with `on: true` a person has settled
        the refusals. Records count in the order of their offsets. A deferral begins at the earlier
        of `issued_at` and entry of the record that begins it, and ends at the later of both of the
        record that ends it.
        """
        word = word_of(milliseconds(value.issued_at), entry_of(record, now))
        if word.replaced:
            self._effects.counts["time_replaced", "switches"] += 1
        if value.on:
            state_changed = self._settling.settle(value.scope, word.until)
        else:
            own = word.stated if value.actor == BYLINE else None
            state_changed = self._settling.unsettle(value.scope, word.at, own, word.entry)
        self._turned()
        cause = {"topic": "switches", "offset": record.offset}
        self._decisions.switch(transaction, now, value, word.until if value.on else word.at, cause)
        for platform in state_changed:
            self._hasten(platform, now)
        if value.on:
            self.guard.settled(transaction, now, state_changed, word.at)

    def _trip(self, transaction: Transaction, now: int, trip: Trip) -> None:
        """Defers a platform's adverse events: here at once, elsewhere by a switch record."""
        self._settling.trip(trip.platform, now)
        self._turned()
        self._effects.commit_soon = True
        self._effects.counts["refusals_tripped", trip.platform, trip.topic, trip.reason] += 1
        cause = {"topic": trip.topic, "offset": trip.offset}
        self._decisions.refusal_guard(transaction, now, trip, cause)
        transaction.send("switches", *settling_record(trip.platform, now))
        self._hasten(trip.platform, now)

    def _turned(self) -> None:
        self._switches.forget_reckoned()
        self._effects.pending[BRAKES] = self._switches
        self._effects.state_changed = True

    def _changed(self) -> None:
        self._effects.pending[REFUSALS] = self.guard.state
        self._effects.state_changed = True
