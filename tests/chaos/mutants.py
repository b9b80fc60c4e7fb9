"""Byline with one thing broken on purpose: proof that the checks would notice.

A forked worker applies one of them before it begins. Nothing in the product knows of it.
"""

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.engine import (
    fetch_queues,
    high_watermarks,
    opening,
    producer,
    restore,
    transaction,
)
from streams.engine.checkpoint import CHECKPOINT_KEY

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

    def without(self: Any, pending: Any, position: bytes, timestamp: int) -> Any:
        pack = self._batches

        def packed(topic: str, records: Any, at: int) -> Any:
            return pack(topic, [one for one in records if one[0] != CHECKPOINT_KEY], at)

        self._batches = packed
        try:
            return batches(self, pending, position, timestamp)
        finally:
            self._batches = pack

    Committer._changelog_batches = without  # type: ignore[method-assign]


def _position_beside(when: str) -> None:
    """The position goes out by a producer of its own, before or after the transaction."""
    _without_position()
    commit = Committer.commit

    async def beside(
        self: Any, pending: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        topic = self._changelogs[self._first_store]

        async def tell() -> None:
            plain = await _plain(self)
            await plain.send_and_wait(
                topic, position, CHECKPOINT_KEY, partition=self._partition, timestamp_ms=timestamp
            )

        if when == "before":
            await tell()
        await commit(self, pending, position, offsets, timestamp)
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
    restore_partition = restore.restore_partition

    async def not_yet(engine: Any, number: int, on_open: Any) -> Any:
        made = producer.TransactionalProducer(engine.config, number)
        on_open(made.stop)
        return made

    async def lazily(engine: Any, number: int, made: Any, on_open: Any) -> Any:
        opened = await restore_partition(engine, number, made, on_open)
        await asyncio.sleep(6)
        await made.start()
        return opened

    opening.start_producer = not_yet  # type: ignore[attr-defined, assignment]
    opening.restore_partition = lazily  # type: ignore[attr-defined]


def _shown(self: Any, pending: Any, position: bytes, known: dict[str, int]) -> None:
    changes = ((store, dict(own).items()) for store, own in pending.changes.items())
    self._stores.apply(changes, position, known)


def disk_before_commit() -> None:
    """RocksDB has the transaction before Kafka does."""
    commit = Committer.commit

    async def early(
        self: Any, pending: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        hit = self._hit

        def hooked(name: str) -> None:
            if name == "after-futures-before-offsets":
                _shown(self, pending, position, {})
            hit(name)

        self._hit = hooked
        try:
            await commit(self, pending, position, offsets, timestamp)
        finally:
            self._hit = hit

    Committer.commit = early  # type: ignore[method-assign]


def overlay_before_commit() -> None:
    """What is being written is seen, in memory and on disk, before the transaction begins."""
    commit = Committer.commit

    async def early(
        self: Any, pending: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        _shown(self, pending, position, {})
        await asyncio.sleep(0.05)
        await commit(self, pending, position, offsets, timestamp)

    Committer.commit = early  # type: ignore[method-assign]


def _losing(share: float) -> None:
    put = fetch_queues.FetchQueue.put
    dice = random.Random(os.getpid())

    def lossy(self: Any, fetched: Any) -> bool:
        batch = fetched.batch
        if batch.records and dice.random() < share and self.expected == batch.start:
            return True
        return put(self, fetched)

    fetch_queues.FetchQueue.put = lossy  # type: ignore[method-assign]


def spans_lost() -> None:
    """No mutation but its ground: one batch in 40 is lost on the way; the engine must heal it."""
    _losing(1 / 40)


def hole_ignored() -> None:
    """Batches are lost, and nobody minds."""

    def careless(self: Any, fetched: Any) -> bool:
        batch = fetched.batch
        if batch.end <= self.expected:
            return True
        self.end = max(self.end, batch.high_water)
        self.expected = batch.end
        self.batches.append(fetched)
        self._count(len(batch.records), fetched.size)
        return True

    fetch_queues.FetchQueue.put = careless  # type: ignore[method-assign]
    _losing(1 / 40)


def timers_do_not_wait() -> None:
    """Timers act at once, whatever has not been read yet."""
    high_watermarks.HighWatermarks.reached = lambda self, reads: True  # type: ignore[method-assign]


def letters_outside() -> None:
    """Dead letters go out by a producer of their own, before the transaction."""
    commit = Committer.commit

    async def outside(
        self: Any, pending: Any, position: bytes, offsets: Mapping[str, int], timestamp: int
    ) -> None:
        for place in [one for one in pending.outputs if one[0].endswith("dead-letters")]:
            plain = await _plain(self)
            for key, value, headers in pending.outputs.pop(place):
                await plain.send_and_wait(
                    place[0],
                    value,
                    key,
                    partition=place[1],
                    headers=list(headers),
                    timestamp_ms=timestamp,
                )
        await commit(self, pending, position, offsets, timestamp)

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
