"""What a partition has done since it was last asked: counts, state to write, haste."""

from collections import Counter
from typing import Any

from streams.core.account import encode
from streams.core.ledger import ACCOUNTS, Ledger


class Progress:
    """Shared by the parts of a partition.

    `counts` gathers what the metrics show: a name and its labels to a number. `urgent`: an output
    waits to be seen. `moved`: state has changed. `dirty`: what is kept beside the accounts, by its
    reserved key, and has changed.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.dirty: dict[bytes, Any] = {}
        self.urgent = False
        self.moved = False

    def begin(self) -> None:
        """A step begins.

        Nothing is urgent and nothing has moved yet.
        """
        self.urgent = self.moved = False

    def flush(self, ledger: Ledger) -> None:
        """Put what changed beside the accounts under its reserved key."""
        for key, value in self.dirty.items():
            ledger.put(ACCOUNTS, key, encode(value))
        self.dirty.clear()
