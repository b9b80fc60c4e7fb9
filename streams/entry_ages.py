"""How this machine's clock stands against the broker's, told by the records that come in."""

import time
from collections.abc import Callable

WINDOW_SECONDS = 30.0


class EntryAges:
    """The age of an input's newest record that was applied in the last half minute or minute.

    A record's timestamp is the broker's (LogAppendTime). The record that waited least tells most:
    below 0, this clock is behind the broker's; far above, it is ahead, or the worker lags.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._now: int | None = None
        self._before: int | None = None

    def note(self, now: int, entered_at: int) -> None:
        """A record that entered at `entered_at` is applied at `now` (both milliseconds UTC)."""
        self._turn()
        age = now - entered_at
        self._now = age if self._now is None else min(self._now, age)

    def newest_seconds(self) -> float | None:
        """The least age; None where nothing was applied lately."""
        self._turn()
        ages = [age for age in (self._now, self._before) if age is not None]
        return min(ages) / 1000 if ages else None

    def _turn(self) -> None:
        """Begin a new window where the present one is over."""
        passed = self._monotonic() - self._began
        if passed < WINDOW_SECONDS:
            return
        self._before = self._now if passed < 2 * WINDOW_SECONDS else None
        self._now = None
        self._began += passed
