"""Collects the side effects of a step: counts for metrics, state to write, need to commit."""

from collections import Counter
from typing import Any

from streams.core.model.account import encode
from streams.core.model.change import RowChange
from streams.core.model.ports import ACCOUNTS, Transaction


class StepEffects:
    """The effects of the present step, shared by the parts of a partition.

    `counts`: for the metrics, by a name and its labels. `commit_soon`: an event or dead letter was
    written, and its readers should not have to wait for it. `state_changed`: state has changed.
    `pending`: changed state other than accounts, by its reserved key.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.pending: dict[bytes, Any] = {}
        self.commit_soon = False
        self.state_changed = False

    def begin(self) -> None:
        """Begins a step: resets `commit_soon` and `state_changed`."""
        self.commit_soon = self.state_changed = False

    def took(self, platform: str, change: RowChange) -> None:
        """Counts a change of eligibility: an account that flaps has nothing else to show."""
        if change.machine == "eligibility":
            self.counts["eligibility", platform, change.after.name] += 1

    def flush(self, transaction: Transaction) -> None:
        """Writes `pending` to the transaction, and clears it."""
        for key, value in self.pending.items():
            transaction.put(ACCOUNTS, key, encode(value))
        self.pending.clear()
