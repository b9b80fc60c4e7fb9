"""The engine's clock: milliseconds UTC that never decrease, with detection of jumps."""

import time
from datetime import UTC, datetime

FAR_SECONDS = 300.0
"""A clock that is wrong by more must be set by a person before its times get into the state."""


class ClockJumpedError(Exception):
    """The wall clock was set, so timers would act too early or not at all. A restart may help."""


def utc(instant: int) -> str:
    """Returns milliseconds since 1970 as a time in UTC, for a message."""
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """Reads the wall clock. All instants that a processor gets come from here.

    Each reading is compared with the monotonic clock. Without that, timers could act in the half
    second between a jump of the wall clock and the watchdog's next check.
    """

    def __init__(self, jump_seconds: float = 10.0) -> None:
        self._last = 0
        self._jump_seconds = jump_seconds
        self._offset = time.time() - time.monotonic()
        self._checked = self._offset

    def now(self) -> int:
        """Returns milliseconds since 1970 UTC, never less than before.

        Raises:
            ClockJumpedError: the wall clock jumped by more than `jump_seconds`.
        """
        seconds = time.time()
        offset = seconds - time.monotonic()
        if abs(offset - self._checked) > self._jump_seconds:
            raise ClockJumpedError(f"the machine's clock jumped by {offset - self._checked:.1f} s")
        self._checked = offset
        now = int(seconds * 1000)
        if now > self._last:
            self._last = now
        return self._last

    def drift_seconds(self) -> float:
        """Returns how far the wall clock moved against the monotonic one since the last call.

        NTP slews a clock by far less than a second per minute, so a larger drift is a jump.
        """
        offset = time.time() - time.monotonic()
        drift = offset - self._offset
        self._offset = offset
        return drift
