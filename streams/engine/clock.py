"""The engine's clock: milliseconds UTC that never run backwards, and a watch for jumps."""

import time


class Clock:
    """Reads the wall clock; the processor gets its instants from here and from nowhere else."""

    def __init__(self) -> None:
        self._last = 0
        self._offset = time.time() - time.monotonic()

    def now(self) -> int:
        """Milliseconds since 1970 UTC, never less than what was returned before."""
        now = int(time.time() * 1000)
        if now > self._last:
            self._last = now
        return self._last

    def drift_seconds(self) -> float:
        """How far the wall clock has moved against the monotonic one since the last call.

        A slew of NTP is far below a second a minute; a jump means that instants are not to be
        trusted.
        """
        offset = time.time() - time.monotonic()
        drift = offset - self._offset
        self._offset = offset
        return drift
