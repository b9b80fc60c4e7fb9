"""Decides when timers may run: after all inputs were read up to the ends of the due instant.

So an answer that came in time is applied before its deadline acts.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping

from streams.engine.context import EngineContext
from streams.engine.high_watermarks import HighWatermarks
from streams.engine.process_exit import spawn

# How long to wait before a timer that was due but could not act is tried again.
HELD_MS = 1_000


class TimerRounds:
    """Asks for the ends of one partition's inputs, and delays timers that could not act.

    `on_answer` is called when the ends have arrived.
    """

    def __init__(self, context: EngineContext, number: int, on_answer: Callable[[], None]) -> None:
        self.alarm_ms: int | None = None
        """The time until a timer is due or is tried again, in milliseconds; None without one."""
        self._context = context
        self._number = number
        self._on_answer = on_answer
        self._ends: HighWatermarks | None = None
        self._asking: asyncio.Task[None] | None = None
        self._held_until = -math.inf

    def ready(self, due: int | None, now: int, reads: Mapping[str, int]) -> HighWatermarks | None:
        """Returns the ends that allow timers to act now; None if none is due or inputs are unread.

        `due`: the instant of the earliest timer. `reads`: by topic, the next offset to apply. If
        the ends are not known yet, it asks for them.
        """
        # The task's sleep must be computed from the same `now` as this decision.
        self.alarm_ms = due - now if due is not None and due > now else None
        if due is None or due > now:
            return None
        if time.monotonic() < self._held_until:
            # The due timers could not act; they are tried again, but not continuously.
            self.alarm_ms = HELD_MS
            return None
        if self._ends is None or self._ends.as_of < due:
            if self._asking is None:
                self._asking = spawn(self._ask(), f"partition {self._number}: ends")
            return None
        return self._ends if self._ends.reached(reads) else None

    def forget(self) -> None:
        """Discards the ends, so that the next round asks for them again."""
        self._ends = None

    def hold(self) -> None:
        """Delays the due timers, which could not act, for a second."""
        self._held_until = time.monotonic() + HELD_MS / 1000

    def close(self) -> None:
        """Cancels a running request."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        self._ends = await self._context.watermarks.ask(self._number)
        self._asking = None
        self._on_answer()
