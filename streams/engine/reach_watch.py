"""Whether each input can be read to its end, and still holds what is to be read next.

A producer that hangs inside a transaction hides everything behind it from a `read_committed`
reader: nothing fails, nothing lags by what the reader knows, and timers wait for ever. And a topic
from which unread records were deleted makes aiokafka start over somewhere else in silence.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from streams.engine.cluster_watch import Away
from streams.engine.continuity import check_bounds
from streams.engine.processor import Refusal

if TYPE_CHECKING:
    from streams.engine.part import Part
    from streams.engine.worker import Engine

EVERY_SECONDS = 2.0
LOOK_SECONDS = 5.0
OUTSIDE_LOOKS = 2

logger = logging.getLogger(__name__)
Key = tuple[str, int]


class ReachWatch:
    """Compares how far the parts have read with what the broker has, every two seconds."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._stuck: dict[Key, tuple[int, float]] = {}
        self._outside: dict[Key, int] = {}
        self.blocked: dict[Key, tuple[int, int]] = {}
        """Topic and partition that cannot be read on: where, and to where it reaches."""

    async def run(self) -> None:
        """Look for as long as the worker lives. Raises `Refusal` for a position outside."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            parts = [p for p in self._engine.assignment.parts.values() if p.state == "running"]
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look(parts)
            except Away as error:
                logger.debug("no look at the ends: %r", error)

    async def _look(self, parts: "list[Part]") -> None:
        ends, broadcast = self._engine.ends, self._engine.broadcast
        before = {part.number: dict(part.intake.reads) for part in parts}
        bounds = await ends.bounds(list(before))
        if broadcast is not None:
            bound = (broadcast.begin, await ends.broadcast_end())
            for number in bounds:
                bounds[number][broadcast.topic] = bound
        now = time.monotonic()
        seen: set[Key] = set()
        for part in parts:
            if part.state != "running" or part.number not in bounds:
                continue
            for topic, (begin, end) in bounds[part.number].items():
                seen.add((topic, part.number))
                lane = part.intake.lanes.get(topic)
                reads = part.intake.reads[topic]
                fetched = max(reads, lane.expected) if lane is not None else reads
                # What had been read must lie before the end; what is next, not before the begin.
                inside = begin <= fetched and before[part.number][topic] <= end
                self._judge_position((topic, part.number), inside, fetched, (begin, end))
                waits = end > reads and not (lane is not None and lane.queue)
                self._judge_reach((topic, part.number), waits, reads, end, now)
        for known in (self._stuck, self._outside, self.blocked):
            for key in [key for key in known if key not in seen]:
                del known[key]

    def _judge_position(
        self, key: Key, inside: bool, position: int, bounds: tuple[int, int]
    ) -> None:
        if inside:
            self._outside.pop(key, None)
            return
        self._outside[key] = self._outside.get(key, 0) + 1
        if self._outside[key] >= OUTSIDE_LOOKS:
            topics = self._engine.cluster.topics
            check_bounds(key[1], {key[0]: position}, {key[0]: bounds}, topics)
            raise Refusal(f"{key[0]}[{key[1]}] was cut to {bounds} while it was read", 2)

    def _judge_reach(self, key: Key, waits: bool, reads: int, end: int, now: float) -> None:
        topic, number = key
        position, since = self._stuck.get(key, (-1, now))
        if not waits or position != reads:
            self._stuck[key] = (reads, now)
            if self.blocked.pop(key, None) is not None:
                logger.warning("%s[%d] is read on, from offset %d", topic, number, reads)
            return
        patience = self._engine.config.unreachable_end_seconds
        if now - since >= patience and key not in self.blocked:
            logger.error(
                "%s[%d] cannot be read beyond offset %d, though it reaches to %d, for %.0f s: a "
                "producer has left a transaction open there. Its timers wait",
                topic,
                number,
                reads,
                end,
                patience,
            )
        if now - since >= patience:
            self.blocked[key] = (reads, end)
