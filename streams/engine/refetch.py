"""Handles a gap between two fetched batches: one seek back; if it is repeated, the process ends."""

import asyncio
import math
import time
from contextlib import suppress

from aiokafka.errors import KafkaError

from streams.engine.context import EngineContext
from streams.engine.continuity import check_bounds
from streams.engine.input_queue import InputQueue
from streams.engine.process_exit import end_process, spawn
from streams.log_events import event


class Refetch:
    """Seeks the consumer to the offsets that one partition number has to apply next."""

    def __init__(self, context: EngineContext, inputs: InputQueue) -> None:
        self._context = context
        self._inputs = inputs
        self._number = inputs.number
        self._last_at = -math.inf

    async def seek(self) -> None:
        """Makes the consumer fetch from the next offset to apply of each topic."""
        await self._context.member.seek(self._inputs.open_queues())

    def start(self, reason: str, detail: str) -> None:
        """Seeks back after a missing batch; if that was just tried, ends the process.

        `reason`: `gap` or `tail`, for the metrics. `detail`: for the log.
        """
        context, number, now = self._context, self._number, time.monotonic()
        if now - self._last_at < context.config.gap_budget_seconds:
            spawn(self._give_up(detail), f"partition {number}: a span is missing")
            return
        self._last_at = now
        context.observer.refetched(number, reason)
        context.log.warning(
            "partition %d: %s (%s), seeking back", number, reason, detail, extra=event("refetch")
        )
        self._inputs.drop_queues()
        spawn(self.seek(), f"partition {number}: seek")

    async def _give_up(self, detail: str) -> None:
        """Ends the process, with a specific message if the records to read were deleted."""
        context, number = self._context, self._number
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(context.config.gap_budget_seconds / 2):
                bounds = (await context.watermarks.bounds([number]))[number]
                check_bounds(number, self._inputs.reads, bounds, context.cluster.topics)
        end_process(f"partition {number}: a span is missing again after a seek ({detail})")
