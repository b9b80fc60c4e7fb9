"""The engine's clock: milliseconds UTC that never run backwards, and a watch for jumps."""

import time


class ClockJumpedError(Exception):
    """The wall clock was set: timers would act too early, or stand still. A restart may help."""


class Clock:
    """Reads the wall clock; the processor gets its instants from here and from nowhere else.

    Each reading is held against the monotonic clock: a watchdog that looks twice a second would
    let timers act in between that are due in an hour, and write that hour into the state.
    """

    def __init__(self, jump_seconds: float = 10.0) -> None:
        self._last = 0
        self._jump_seconds = jump_seconds
        self._offset = time.time() - time.monotonic()
        self._checked = self._offset

    def now(self) -> int:
        """Milliseconds since 1970 UTC, never less than before. Raises ClockJumpedError."""
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
        """How far the wall clock has moved against the monotonic one since the last call.

        A slew of NTP is far below a second a minute; a jump means that instants are not to be
        trusted.
        """
        offset = time.time() - time.monotonic()
        drift = offset - self._offset
        self._offset = offset
        return drift
