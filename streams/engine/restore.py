"""Opens a partition: starts the producer, recovers the state, checks the checkpoint, in this order.

The order makes a take-over safe. The producer's start fences the predecessor and ends its open
transaction, so what is read afterwards cannot change any more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.engine.broker_clock import PartitionClock
from streams.engine.checkpoint import FORMAT, Checkpoint
from streams.engine.clock import FAR_SECONDS, utc
from streams.engine.context import EngineContext
from streams.engine.continuity import (
    MEANWHILE,
    check_bounds,
    check_checkpoint,
    check_stateless,
    within_bounds,
)
from streams.engine.processor import PartitionProcessor
from streams.engine.producer import TransactionalProducer
from streams.engine.recovery import read_checkpoint, recover
from streams.engine.stores import PartitionStores
from streams.engine.transaction import Committer, PendingWrites
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker


@dataclass(frozen=True, slots=True)
class RestoredPartition:
    """A partition that is ready to be processed.

    `reads`: by topic, the offset to read next. `ids`, `served`, `anew`: as in `Checkpoint`.
    """

    clock: PartitionClock
    processor: PartitionProcessor
    pending: PendingWrites
    committer: Committer
    reads: dict[str, int]
    ids: dict[str, str]
    served: dict[str, str]
    anew: dict[str, int]
    recovered_records: int

    def checkpoint(self, partitions: int, now: int, reads: dict[str, int]) -> Checkpoint:
        """Makes the checkpoint of a transaction; the arguments are as in `Checkpoint`."""
        return Checkpoint(FORMAT, partitions, now, reads, self.ids, self.served, self.anew)


OnOpen = Callable[[Callable[[], Awaitable[None]]], None]
"""Called with a function that closes an opened resource, as soon as it is opened."""


async def start_producer(
    context: EngineContext, number: int, on_open: OnOpen
) -> TransactionalProducer:
    """Starts the producer of partition `number`, which fences all others of this number."""
    producer = TransactionalProducer(context.config, number)
    on_open(producer.stop)
    async with asyncio.timeout(context.config.broker_wait_seconds):
        await producer.start()
    context.failpoints.hit("after-init")
    return producer


async def restore_partition(
    context: EngineContext, number: int, producer: TransactionalProducer, on_open: OnOpen
) -> RestoredPartition:
    """Opens partition `number`, whose producer has started.

    Raises:
        StopWorker: state and topics do not fit together, or the clock is far behind the state.
        HiddenEndError: an open transaction hides the end of a changelog.
    """
    config, spec, began = context.config, context.processor.spec, time.monotonic()

    stores = context.open_stores(number)

    async def close_stores() -> None:
        stores.close()

    on_open(close_stores)
    records = await recover(config, stores, spec.stores, number, context.cluster.ids())
    context.failpoints.hit("after-recovery")

    cluster, checkpoint = context.cluster, _checkpoint(context, stores, number)
    bounds = await _bounds(context, number)
    reads = _reads(context, number, checkpoint, bounds)
    context.failpoints.hit("after-position")
    now_floor = checkpoint.now if checkpoint is not None else 0
    _check_clock(context, number, now_floor)
    names = tuple(store.name for store in spec.stores)
    pending = PendingWrites(stores, names, number, spec.filtered)
    changelogs = {name: config.changelog(name) for name in names}
    committer = Committer(
        producer,
        stores,
        number,
        config.application_id,
        changelogs,
        context.failpoints,
        config.max_batch_bytes,
        spec.traced,
    )
    processor = context.processor.open(
        number, cluster.partition_count, stores, pending, max(context.clock.now(), now_floor)
    )
    anew = checkpoint.anew if checkpoint is not None else {}
    processor.made_anew(anew)
    for topic in processor.rewind(pending, reads):
        reads[topic] = bounds[topic][0]
    seconds = time.monotonic() - began
    context.observer.recovered(number, records, seconds)
    context.log.info(
        "partition %d: ready, %d changelog records, %.2f s",
        number,
        records,
        seconds,
        extra=event("partition_ready"),
    )
    served = checkpoint.served if checkpoint is not None else {}
    place = TopicPartition(changelogs[names[0]], number)
    # A topic that is read without being accepted keeps its old id in the checkpoint.
    old = {topic: checkpoint.ids[topic] for topic in served} if checkpoint is not None else {}
    return RestoredPartition(
        PartitionClock(context.clock, context.broker_clock, producer, place, now_floor),
        processor,
        pending,
        committer,
        reads,
        cluster.ids() | old,
        served,
        anew,
        records,
    )


def _check_clock(context: EngineContext, number: int, now_floor: int) -> None:
    """Compares the clock with the time of the partition's last transaction.

    If the clock is behind, time stands still until it gets there, and adverse timers wait.

    Raises:
        StopWorker: it is far behind.
    """
    config, now = context.config, context.clock.now()
    behind_seconds = (now_floor - now) / 1000
    if behind_seconds <= config.clock_jump_seconds:
        return
    said = (
        f"this machine's clock says {utc(now)}, but the last transaction of partition {number} is "
        f"of {utc(now_floor)}: this clock is {behind_seconds:.0f} s behind, or that of the worker "
        "before was ahead"
    )
    if behind_seconds > FAR_SECONDS and not config.favourable_only:
        raise StopWorker(
            f"{said}. If it is wrong, set it, and start again. If it is right, start again at "
            f"{utc(now_floor)}; {MEANWHILE}",
            ExitCode.PERSON,
        )
    context.log.error(
        "%s. Adverse events of the partition wait until then", said, extra=event("clock_behind")
    )


def _checkpoint(context: EngineContext, stores: PartitionStores, number: int) -> Checkpoint | None:
    """Returns the checked checkpoint of the last transaction; None if the partition has no state.

    Raises:
        StopWorker: it does not belong to these topics, or the state was lost.
    """
    config, spec, cluster = context.config, context.processor.spec, context.cluster
    checkpoint = read_checkpoint(stores, number)
    if checkpoint is None:
        check_stateless(number, config.application_id, cluster.group_offsets(number))
        return None
    return check_checkpoint(
        checkpoint,
        number,
        cluster.partition_count,
        config.application_id,
        [*spec.topics, *filter(None, [spec.broadcast])],
        cluster.topics,
        [config.changelog(store.name) for store in spec.stores],
        config.favourable_only,
    )


async def _bounds(context: EngineContext, number: int) -> dict[str, tuple[int, int]]:
    """Returns the present first and end offset of each input of the partition."""
    bounds = (await context.watermarks.bounds([number]))[number]
    if context.broadcast is not None:
        await context.broadcast.caught_up.wait()
        # The predecessor may have read further than this worker's copy, so the broker is asked.
        end = await context.watermarks.broadcast_end()
        bounds[context.broadcast.topic] = (context.broadcast.begin, end)
    return bounds


def _reads(
    context: EngineContext,
    number: int,
    checkpoint: Checkpoint | None,
    bounds: Mapping[str, tuple[int, int]],
) -> dict[str, int]:
    """Returns, by topic, the offset to read next.

    Raises:
        StopWorker: it lies outside of the topic, so unread records were deleted.
    """
    known = checkpoint.next if checkpoint is not None else {}
    if context.config.favourable_only:
        return within_bounds(number, known, bounds)
    reads = {topic: known.get(topic, begin) for topic, (begin, _) in bounds.items()}
    check_bounds(number, reads, bounds, context.cluster.topics)
    return reads
