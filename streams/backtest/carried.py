"""What the data of a backtest contain."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Carried:
    """What the data contain, for the first line of every report.

    `sound`: usable readings. `refused`: the other rows, by fault. `accounts`: those with a usable
    reading, counted exactly if `exact`. `kept_accounts`, `kept_rows`: those that matter, and their
    readings. `may_rest`: readings that change nothing need not be applied (resting.py). `first`,
    `last`: entry of the first and last usable reading (ms). `label_rows`, `refused_labels`: the
    rows of a file of labels, and of these the unusable ones by fault; `kept_labels`: those of
    accounts that matter. `long_labels`: readings of accounts that matter with a label that is too
    long. `without_offset`: how many times stated no offset and are read as UTC.
    """

    rows: int = 0
    sound: int = 0
    accounts: int = 0
    exact: bool = True
    kept_accounts: int = 0
    kept_rows: int = 0
    may_rest: bool = False
    label_rows: int = 0
    kept_labels: int = 0
    long_labels: int = 0
    without_offset: int = 0
    first: int | None = None
    last: int | None = None
    refused: Counter[str] = field(default_factory=Counter)
    refused_labels: Counter[str] = field(default_factory=Counter)
    days: dict[str, dict[int, int]] = field(default_factory=dict)
    """Number of usable readings, by platform and UTC day (days since 1970)."""
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    """Number of accounts that matter and once had a label, by platform and label."""
    words: Counter[str] = field(default_factory=Counter)

    def add_refused(self, readings: Mapping[str, int], labels: Mapping[str, int]) -> None:
        """Adds records that were refused before the rows were written, by reason."""
        self.rows += sum(readings.values())
        self.refused.update(readings)
        self.label_rows += sum(labels.values())
        self.refused_labels.update(labels)

    def gaps(self, platform: str) -> list[tuple[int, int]]:
        """Returns the first and last day of each gap: days without any reading of the platform."""
        known = sorted(self.days.get(platform, {}))
        return [(before + 1, after - 1) for before, after in pairwise(known) if after - before > 1]
