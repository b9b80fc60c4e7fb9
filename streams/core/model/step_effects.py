"""What a partition has done since it was last asked: counts, state to write, need to commit."""

from collections import Counter
from typing import Any

from streams.core.model.account import encode
from streams.core.model.ports import ACCOUNTS, Transaction


class StepEffects:
    """Shared by the parts of a partition.

    `counts` gathers what the metrics show: a name and its labels to a number. `commit_soon`: an
    output waits to be seen. `state_changed`: state has changed. `pending`: changed state beside the
    accounts, by its reserved key.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.pending: dict[bytes, Any] = {}
        self.commit_soon = False
        self.state_changed = False

    def begin(self) -> None:
        """Begins a step: nothing waits to be seen, and no state has changed yet."""
        self.commit_soon = self.state_changed = False

    def flush(self, transaction: Transaction) -> None:
        """Writes changed state beside the accounts under its reserved keys."""
        for key, value in self.pending.items():
            transaction.put(ACCOUNTS, key, encode(value))
        self.pending.clear()
