"""Byline with one thing broken on purpose: proof that the checks would notice.

The zygote applies one of them before it forks workers. Nothing in the product knows of it.
"""

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.engine import ends, lanes, opening, part, producer, transaction
from streams.engine.position import POSITION_KEY

Committer = transaction.Committer
CAPTURED: dict[str, Any] = {}


async def _plain(committer: Any) -> AIOKafkaProducer:
    """A producer without transactions beside the committer's own."""
    found = getattr(committer, "plain", None)
    if found is None:
        found = AIOKafkaProducer(
            bootstrap_servers=os.environ["BYLINE_KAFKA_BOOTSTRAP_SERVERS"],
            max_request_size=1_048_576,
        )
        await found.start()
        committer.plain = found
    return found


def _without_position() -> None:
    batches = Committer._changelog_batches

    def without(self: Any, overlay: Any, position: bytes, timestamp: int) -> Any:
        pack = self._batches

        def packed(topic: str, records: Any, at: int) -> Any:
            return pack(topic, [one for one in records if one[0] != POSITION_KEY], at)

        self._batches = packed
        try:
            return batches(self, overlay, position, timestamp)
        finally:
            self._batches = pack

    Committer._changelog_batches = without  # type: ignore[method-assign]


def _position_beside(when: str) -> None:
    """The position goes out by a producer of its own, before or after the transaction."""
    _without_position()
    commit = Committer.commit

    async def beside(
        self: Any, overlay: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        topic = self._changelogs[self._first_store]

        async def tell() -> None:
            plain = await _plain(self)
            await plain.send_and_wait(
                topic, position, POSITION_KEY, partition=self._partition, timestamp_ms=timestamp
            )

        if when == "before":
            await tell()
        await commit(self, overlay, position, offsets, timestamp)
        if when == "after":
            await tell()

    Committer.commit = beside  # type: ignore[method-assign]


def offsets_before() -> None:
    """The position is durable before the transaction: what a crash undoes is never read again."""
    _position_beside("before")


def offsets_after() -> None:
    """The position is durable after the transaction: a crash in between applies it twice."""
    _position_beside("after")


def futures_not_awaited() -> None:
    """Nobody looks whether the broker took the batches."""

    async def settled(self: Any, futures: Any) -> int:
        await asyncio.wait([future for future, _ in futures])
        good = [(f.result(), n) for f, n in futures if f.exception() is None]
        return max((metadata.offset + count for metadata, count in good), default=0)

    Committer._settled = settled  # type: ignore[method-assign]


def init_after_position() -> None:
    """State and position are read first, the predecessor is fenced some seconds later."""
    open_part = opening.open_part
    start = producer.TransactionalProducer.start

    async def lazily(engine: Any, number: int, on_open: Any) -> Any:
        late: list[Any] = []

        async def not_yet(self: Any) -> None:
            late.append(self)

        producer.TransactionalProducer.start = not_yet  # type: ignore[method-assign]
        try:
            opened = await open_part(engine, number, on_open)
        finally:
            producer.TransactionalProducer.start = start  # type: ignore[method-assign]
        await asyncio.sleep(6)
        for one in late:
            await start(one)
        return opened

    part.open_part = lazily  # type: ignore[attr-defined]


def _shown(self: Any, overlay: Any, position: bytes, known: dict[str, int]) -> None:
    changes = ((store, dict(own).items()) for store, own in overlay.changes.items())
    self._stores.apply(changes, position, known)


def disk_before_commit() -> None:
    """RocksDB has the transaction before Kafka does."""
    commit = Committer.commit

    async def early(
        self: Any, overlay: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        hit = self._hit

        def hooked(name: str) -> None:
            if name == "after-futures-before-offsets":
                _shown(self, overlay, position, {})
            hit(name)

        self._hit = hooked
        try:
            await commit(self, overlay, position, offsets, timestamp)
        finally:
            self._hit = hit

    Committer.commit = early  # type: ignore[method-assign]


def overlay_before_commit() -> None:
    """What is being written is seen, in memory and on disk, before the transaction begins."""
    commit = Committer.commit

    async def early(
        self: Any, overlay: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        _shown(self, overlay, position, {})
        await asyncio.sleep(0.05)
        await commit(self, overlay, position, offsets, timestamp)

    Committer.commit = early  # type: ignore[method-assign]


def _losing(share: float) -> None:
    put = lanes.Lane.put
    dice = random.Random(os.getpid())

    def lossy(self: Any, fetched: Any) -> bool:
        span = fetched.span
        if span.records and dice.random() < share and self.expected == span.start:
            return True
        return put(self, fetched)

    lanes.Lane.put = lossy  # type: ignore[method-assign]


def spans_lost() -> None:
    """No mutation but its ground: one span in 40 is lost on the way; the engine must heal it."""
    _losing(1 / 40)


def hole_ignored() -> None:
    """Spans are lost, and nobody minds."""

    def careless(self: Any, fetched: Any) -> bool:
        span = fetched.span
        if span.end <= self.expected:
            return True
        self.end = max(self.end, span.high_water)
        self.expected = span.end
        self.queue.append(fetched)
        self._count(len(span.records), fetched.size)
        return True

    lanes.Lane.put = careless  # type: ignore[method-assign]
    intake = part.Intake if hasattr(part, "Intake") else None
    if intake is not None:

        def unread(self: Any, span: Any) -> Any:
            return span

        intake._unread = unread  # type: ignore[attr-defined]
    _losing(1 / 40)


def timers_do_not_wait() -> None:
    """Timers act at once, whatever has not been read yet."""
    ends.Ends.reached = lambda self, reads: True  # type: ignore[method-assign]


def letters_outside() -> None:
    """Dead letters go out by a producer of their own, before the transaction."""
    commit = Committer.commit

    async def outside(
        self: Any, overlay: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        for place in [one for one in overlay.outputs if one[0].endswith("dead-letters")]:
            plain = await _plain(self)
            for key, value, headers in overlay.outputs.pop(place):
                await plain.send_and_wait(
                    place[0],
                    value,
                    key,
                    partition=place[1],
                    headers=list(headers),
                    timestamp_ms=timestamp,
                )
        await commit(self, overlay, position, offsets, timestamp)

    Committer.commit = outside  # type: ignore[method-assign]


def not_fenced() -> None:
    """Each process has transactional ids of its own: a zombie is not stopped by its successor."""
    from streams.engine.config import EngineConfig

    name = EngineConfig.transactional_id
    EngineConfig.transactional_id = (  # type: ignore[method-assign]
        lambda self, number: f"{name(self, number)}-{os.getpid()}"
    )


MUTATIONS: dict[str, Callable[[], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        offsets_before,
        offsets_after,
        futures_not_awaited,
        init_after_position,
        disk_before_commit,
        overlay_before_commit,
        hole_ignored,
        timers_do_not_wait,
        letters_outside,
        not_fenced,
        spans_lost,
    )
}
"""By name; the last one breaks nothing and must pass."""
