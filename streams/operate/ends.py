"""Reads topics up to their present ends, and finds what keeps a reader from reaching them.

For a reader of committed records a topic seems to end at the first record of an open transaction.
That is not its end. So whoever reads to the end calls `nothing_hidden` afterwards.
"""

import asyncio
from collections.abc import Mapping

from streams.kafka.consumer import TolerantConsumer
from streams.operate.errors import EndHiddenError, KafkaAbsentError

STALL_SECONDS = 30.0
"""How long Kafka may return nothing although the end is not reached."""
PATIENCE_SECONDS = 20.0
"""How long an open transaction is waited for. That of a worker, even a dead one, ends sooner."""
_LOOK_SECONDS = 0.3
_NAMED = 5
"""How many partitions a message names; of the others it gives the number."""

Place = tuple[str, int]
"""A topic's full name and a partition; aiokafka's TopicPartition is one."""


class Ends:
    """The end offsets to read to, and a check that reading moves on. Needs a running event loop."""

    def __init__(self, ends: Mapping[Place, int]) -> None:
        self.ends = ends
        """By partition, the offset after the last record to read. A caller may raise it later."""
        self._seen: dict[Place, int] = {}
        self._moved = asyncio.get_running_loop().time()

    def reached(self, positions: Mapping[Place, int]) -> bool:
        """Returns whether the positions have reached all ends. Other partitions are ignored.

        Raises KafkaAbsentError when no position has moved for `STALL_SECONDS`.
        """
        behind = {it: at for it, at in positions.items() if at < self.ends.get(it, 0)}
        if not behind:
            return True
        now = asyncio.get_running_loop().time()
        if behind != self._seen:
            self._seen, self._moved = behind, now
        elif now - self._moved >= STALL_SECONDS:
            spans = {it: (at, self.ends[it]) for it, at in behind.items()}
            raise KafkaAbsentError(
                f"Kafka gives nothing more of what it says is there: {_named(spans)}. Is the"
                " leader of the partition up?"
            )
        return False


async def nothing_hidden(client: TolerantConsumer, high: Mapping[Place, int]) -> None:
    """Waits until no open transaction hides records below these high watermarks.

    `client` reads committed records only. Raises EndHiddenError when one still does after
    `PATIENCE_SECONDS`.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_SECONDS
    while True:
        stable = await client.end_offsets(list(high))
        left = {it: (stable[it], at) for it, at in high.items() if stable[it] < at}
        if not left:
            return
        if loop.time() >= until:
            raise EndHiddenError(
                f"not read to the end, an open transaction hides what follows: {_named(left)}."
                " `byline topics blocked` says whose it is, of an input; a worker's ends by"
                " itself. Then run this again"
            )
        await asyncio.sleep(_LOOK_SECONDS)


def _named(spans: Mapping[Place, tuple[int, int]]) -> str:
    named = [
        f"{topic}[{number}] at offset {at} of {end}"
        for (topic, number), (at, end) in sorted(spans.items())[:_NAMED]
    ]
    if len(spans) > _NAMED:
        named.append(f"{len(spans) - _NAMED} more")
    return ", ".join(named)
