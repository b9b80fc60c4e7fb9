"""Compares this machine's clock with the broker's, by the timestamps of the input records."""

import time
from collections.abc import Callable

WINDOW_SECONDS = 30.0


class EntryAges:
    """The smallest age of an input's records that were applied in the last 30 to 60 seconds.

    The age is this clock minus the broker's timestamp (LogAppendTime). If the smallest is below 0,
    this clock is behind the broker's; if it is far above 0, this clock is ahead, or the worker
    lags.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._now: int | None = None
        self._before: int | None = None

    def note(self, now: int, entered_at: int) -> None:
        """Notes a record with the timestamp `entered_at`, applied at `now`; milliseconds UTC."""
        self._turn()
        age = now - entered_at
        self._now = age if self._now is None else min(self._now, age)

    def newest_seconds(self) -> float | None:
        """Returns the smallest age in seconds; None if no record was applied lately."""
        self._turn()
        ages = [age for age in (self._now, self._before) if age is not None]
        return min(ages) / 1000 if ages else None

    def _turn(self) -> None:
        """Begins a new window of 30 seconds if the present one is over."""
        passed = self._monotonic() - self._began
        if passed < WINDOW_SECONDS:
            return
        self._before = self._now if passed < 2 * WINDOW_SECONDS else None
        self._now = None
        self._began += passed
