"""Which records of a topic a recording leaves out: those that a worker refuses, by its own checks.

Two things are left to the backtest, because they depend on its policies: whether a platform is
known, and what the core does with a time that is too far ahead or before 2005.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.enums import Refused
from schemas.inputs import InputName
from streams.core.inputs.batches import decode_all
from streams.core.inputs.checker import Checker, Partitioner
from streams.core.inputs.checks import Horizon, valid_key
from streams.core.inputs.decode import STRUCTS
from streams.core.inputs.plain import Refusal
from streams.core.model.instants import EPOCH

_TIMES = frozenset({Refused.TIME_AHEAD, Refused.TIME_BEFORE_2005})
_EVER = 1 << 62
"""The time of a reader that is after every entry (ms)."""
_MOST_PLATFORMS = 1_000


class Removed(NamedTuple):
    """A label's tombstone. It states no time; that of its append counts."""

    platform: str
    account_id: str
    observed_at: datetime
    category: None = None
    source: None = None
    valid_until: None = None


class Refusing:
    """Refuses the records of one partition for the reasons for which a worker does."""

    def __init__(self, name: InputName, partition: int, partition_of: Partitioner) -> None:
        self._name, self._partition, self._partition_of = name, partition, partition_of
        self._platforms: dict[str, int] = {}
        self._checker = Checker(partition, partition_of, self._platforms, require_approvals=False)
        self._horizon = Horizon(_EVER)

    def accepted(
        self, records: Sequence[Any], refused: Counter[str]
    ) -> tuple[Sequence[Any], list[Any]]:
        """Returns the accepted records and their values; counts the others by reason in `refused`.

        Tombstones of readings are in neither: a worker passes over them.
        """
        values = decode_all(self._name, records)
        if self._all_good(records, values):
            return records, values
        kept: list[Any] = []
        theirs: list[Any] = []
        for record, value in zip(records, values, strict=True):
            found = self._checked(record, value)
            if isinstance(found, Refusal):
                refused[str(found.reason)] += 1
            elif found is not None:
                kept.append(record)
                theirs.append(found)
        return kept, theirs

    def _all_good(self, records: Sequence[Any], values: list[Any]) -> bool:
        """Whether all records certainly have no fault, at a fraction of the cost of each alone."""
        if set(map(type, values)) != {STRUCTS[self._name]}:
            return False
        for platform in {it.platform for it in values}:
            self._know(platform)
        # That passes over the partition.
        here, home = self._partition, self._partition_of
        return self._checker.all_good(_EVER, records, values, True) and all(
            home(key) == here for key in {record.key for record in records}
        )

    def _checked(self, record: Any, value: Any) -> Any:
        """Returns the value of a record, why it is refused, or None: a worker passes over it."""
        if isinstance(value, Refusal):
            return value
        if value is None:
            return self._removed(record)
        self._know(value.platform)
        if self._checker.good(record, value, False, self._horizon):
            return value
        refusal = self._checker.why_not(_EVER, record, value)
        # The times are checked last, so that such a record has no other fault.
        return value if refusal is None or refusal.reason in _TIMES else refusal

    def _removed(self, record: Any) -> Removed | Refusal | None:
        if self._name != "category-changes":
            return None
        if valid_key(self._name, record.key):
            platform, _, account = record.key.decode().partition(":")
            self._know(platform)
        refusal = self._checker.tombstone(self._name, record)
        if refusal is not None:
            return refusal
        return Removed(platform, account, EPOCH + timedelta(milliseconds=record.timestamp))

    def _know(self, platform: str) -> None:
        """Adds a platform to those that the checks know, if its name is well formed."""
        if platform in self._platforms or not valid_key(self._name, f"{platform}:a".encode()):
            return
        if len(self._platforms) >= _MOST_PLATFORMS:
            self._platforms.clear()
        self._platforms[platform] = 0
