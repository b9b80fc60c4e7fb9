"""Opening a partition: init, recover, position, in this order, and then the processor.

The order is what makes a take-over safe: initialising the producer fences the predecessor and waits
out its transaction, so what is read afterwards cannot change any more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.engine.continuity import (
    check_bounds,
    check_position,
    check_stateless,
    within_bounds,
)
from streams.engine.position import Position
from streams.engine.processor import PartitionProcessor, Refusal
from streams.engine.producer import TransactionalProducer
from streams.engine.recovery import read_position, recover
from streams.engine.transaction import Committer, Overlay

if TYPE_CHECKING:
    from streams.engine.worker import Engine


@dataclass(frozen=True, slots=True)
class Opened:
    """A partition ready to be processed from `reads` on."""

    processor: PartitionProcessor
    overlay: Overlay
    committer: Committer
    reads: dict[str, int]
    ids: dict[str, str]
    served: dict[str, str]
    anew: dict[str, int]
    now_floor: int
    recovered_records: int


async def open_part(
    engine: "Engine", number: int, on_open: Callable[[Callable[[], Awaitable[None]]], None]
) -> Opened:
    """Open partition `number`; `on_open` is told how to let go of each thing that was opened.

    Raises `Refusal` when the state and the topics do not fit together.
    """
    config, spec, began = engine.config, engine.processor.spec, time.monotonic()
    producer = TransactionalProducer(config, number)
    on_open(producer.stop)
    async with asyncio.timeout(config.broker_wait_seconds):
        await producer.start()
    engine.failpoints.hit("after-init")

    stores = engine.open_stores(number)

    async def close_stores() -> None:
        stores.close()

    on_open(close_stores)
    records = await recover(config, stores, spec.stores, number, engine.cluster.ids())
    engine.failpoints.hit("after-recovery")

    position = read_position(stores, number)
    cluster = engine.cluster
    if position is not None:
        position = check_position(
            position,
            number,
            cluster.partition_count,
            config.application_id,
            [*spec.topics, *filter(None, [spec.broadcast])],
            cluster.topics,
            [config.changelog(store.name) for store in spec.stores],
            config.favourable_only,
        )
    else:
        check_stateless(number, config.application_id, cluster.group_offsets(number))
    bounds = await _bounds(engine, number)
    reads = _reads(engine, number, position, bounds)
    engine.failpoints.hit("after-position")
    now_floor = position.now if position is not None else 0
    ahead_seconds = (now_floor - engine.clock.now()) / 1000
    if ahead_seconds > config.clock_jump_seconds:
        raise Refusal(
            f"the clock is {ahead_seconds:.0f} s behind the last transaction of partition {number}",
            70,
        )
    names = tuple(store.name for store in spec.stores)
    overlay = Overlay(stores, names, number)
    changelogs = {name: config.changelog(name) for name in names}
    committer = Committer(
        producer,
        stores,
        number,
        config.application_id,
        changelogs,
        engine.failpoints,
        config.max_batch_bytes,
    )
    processor = engine.processor.open(
        number, engine.cluster.partition_count, stores, overlay, max(engine.clock.now(), now_floor)
    )
    anew = position.anew if position is not None else {}
    processor.made_anew(anew)
    for topic in processor.rewind(overlay, reads):
        reads[topic] = bounds[topic][0]
    seconds = time.monotonic() - began
    engine.observer.recovered(number, records, seconds)
    engine.log.info("partition %d: ready, %d changelog records, %.2f s", number, records, seconds)
    served = position.served if position is not None else {}
    # What is read without being accepted keeps the id that is.
    old = {topic: position.ids[topic] for topic in served} if position is not None else {}
    return Opened(
        processor, overlay, committer, reads, cluster.ids() | old, served, anew, now_floor, records
    )


async def _bounds(engine: "Engine", number: int) -> dict[str, tuple[int, int]]:
    """From where to where each input of the partition reaches now."""
    bounds = (await engine.ends.bounds([number]))[number]
    if engine.broadcast is not None:
        await engine.broadcast.caught_up.wait()
        # The predecessor may have read further than we have: what counts is what the broker has.
        end = await engine.ends.broadcast_end()
        bounds[engine.broadcast.topic] = (engine.broadcast.begin, end)
    return bounds


def _reads(
    engine: "Engine",
    number: int,
    position: Position | None,
    bounds: Mapping[str, tuple[int, int]],
) -> dict[str, int]:
    """Where to read on. Raises `Refusal` when what comes next is not there any more."""
    known = position.next if position is not None else {}
    if engine.config.favourable_only:
        return within_bounds(number, known, bounds)
    reads = {topic: known.get(topic, begin) for topic, (begin, _) in bounds.items()}
    check_bounds(number, reads, bounds, engine.cluster.topics)
    return reads
