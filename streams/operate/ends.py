"""Reading topics up to the ends that they have, and what can keep a reader from it.

A reader of committed records sees a topic end at the first record of an open transaction. Nobody
may take that for the end: whoever reads to the end asks afterwards whether anything was hidden.
"""

import asyncio
from collections.abc import Mapping

from streams.kafka.consumer import TolerantConsumer
from streams.operate.errors import EndHiddenError, KafkaAbsentError

STALL_SECONDS = 30.0
"""For so long Kafka may give nothing, though it says that there is more."""
PATIENCE_SECONDS = 20.0
"""For so long a transaction may be on its way; a worker's ends before that, also a dead one's."""
_LOOK_SECONDS = 0.3
_NAMED = 5
"""So many partitions are named; of the others only the number."""

Place = tuple[str, int]
"""A topic's full name and a partition; aiokafka's TopicPartition is one."""


class Ends:
    """The ends to be reached, and how long nothing has moved. Needs a running event loop."""

    def __init__(self, ends: Mapping[Place, int]) -> None:
        self.ends = ends
        """By place, the offset after the last record that is wanted; may be moved on."""
        self._seen: dict[Place, int] = {}
        self._moved = asyncio.get_running_loop().time()

    def reached(self, positions: Mapping[Place, int]) -> bool:
        """Whether all ends are reached. A place without an end is not read.

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
    """Returns once all below these high watermarks can be read, or has been aborted.

    `client` reads committed records only. Raises EndHiddenError when an open transaction still
    hides something after `PATIENCE_SECONDS`.
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
