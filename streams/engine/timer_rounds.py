"""When timers may run: all inputs have been read up to their ends at the due instant.

So an answer that came in time is applied before the deadline that it answers.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping

from streams.engine.context import EngineContext
from streams.engine.high_watermarks import HighWatermarks
from streams.engine.process_exit import spawn

# How long a timer that was due and could not act waits until it is tried again.
HELD_MS = 1_000


class TimerRounds:
    """Asks for the ends of one partition's inputs, and delays timers that could not act."""

    def __init__(self, context: EngineContext, number: int, on_answer: Callable[[], None]) -> None:
        self.alarm_ms: int | None = None
        """How long until a timer is due, or is tried again; None when none is set."""
        self._context = context
        self._number = number
        self._on_answer = on_answer
        self._ends: HighWatermarks | None = None
        self._asking: asyncio.Task[None] | None = None
        self._held_until = -math.inf

    def ready(self, due: int | None, now: int, reads: Mapping[str, int]) -> HighWatermarks | None:
        """The ends up to which timers may act now; None when none is due or inputs are unread.

        `due`: the earliest timer. `reads`: how far each input has been read.
        """
        # What the task sleeps for must be decided by the same look at the clock.
        self.alarm_ms = due - now if due is not None and due > now else None
        if due is None or due > now:
            return None
        if time.monotonic() < self._held_until:
            # What was due could not act; it is tried again, but not all the time.
            self.alarm_ms = HELD_MS
            return None
        if self._ends is None or self._ends.as_of < due:
            if self._asking is None:
                self._asking = spawn(self._ask(), f"partition {self._number}: ends")
            return None
        return self._ends if self._ends.reached(reads) else None

    def forget(self) -> None:
        """The next round asks anew where the inputs end."""
        self._ends = None

    def hold(self) -> None:
        """Delay the timers that are due for a second: they could not act."""
        self._held_until = time.monotonic() + HELD_MS / 1000

    def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        self._ends = await self._context.watermarks.ask(self._number)
        self._asking = None
        self._on_answer()
