"""Bringing a partition's stores up to the last committed transaction.

Called when the producer has been initialised: the predecessor is fenced and its open transaction is
settled, so the ends of the changelogs, read now, are final. Reading goes on until the *position*
reaches the end; the last record lies before it, for behind it is a commit marker.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from streams.engine.config import EngineConfig
from streams.engine.continuity import SECOND_TIME, check_format
from streams.engine.fetching import read_spans
from streams.engine.lanes import Desk, Lane
from streams.engine.position import POSITION_KEY, Position, decode_format, decode_position
from streams.engine.processor import Record, Refusal, StoreSpec
from streams.engine.stores import BrokenDiskError, PartitionStores
from streams.kafka.consumer import TolerantConsumer

logger = logging.getLogger(__name__)

CHUNK_RECORDS = 5_000


def plain_consumer(config: EngineConfig, isolation: str, client: str) -> TolerantConsumer:
    """A consumer outside of the group that goes where it is told."""
    return TolerantConsumer(
        **config.client_arguments(),
        client_id=f"{config.application_id}-{client}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=isolation,
        fetch_max_wait_ms=config.fetch_max_wait_ms,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )


async def load_memory(stores: PartitionStores, specs: tuple[StoreSpec, ...]) -> None:
    """Fill the dictionaries of the in-memory stores from the disk, letting the loop breathe."""
    for spec in specs:
        if not spec.in_memory:
            continue
        table = stores.memory[spec.name]
        for count, (key, value) in enumerate(stores.items_on_disk(spec.name)):
            table[key] = value
            if count % CHUNK_RECORDS == 0:
                await asyncio.sleep(0)


async def recover(
    config: EngineConfig, stores: PartitionStores, specs: tuple[StoreSpec, ...], partition: int
) -> int:
    """Read what the changelogs hold beyond the disk; the number of records read.

    Raises `Refusal` when a changelog ends before what the disk has already seen of it.
    """
    if stores.load_meta(config.state_max_age_seconds):
        try:
            await load_memory(stores, specs)
        except BrokenDiskError as error:
            logger.warning("partition %d: %s; it is read from the changelog", partition, error)
            stores.wipe()
    topics = {config.changelog(spec.name): spec.name for spec in specs}
    consumer = plain_consumer(config, "read_committed", f"recovery-{partition}")
    await consumer.start()
    try:
        tps = {TopicPartition(topic, partition): store for topic, store in topics.items()}
        consumer.assign(list(tps))
        begins = await consumer.beginning_offsets(list(tps))
        ends = await consumer.end_offsets(list(tps))
        starts = _starts(stores, tps, begins, ends)
        for tp, start in starts.items():
            consumer.seek(tp, start)
        return await _read(consumer, stores, tps, starts, ends)
    finally:
        await consumer.stop()


def _starts(
    stores: PartitionStores,
    tps: Mapping[TopicPartition, str],
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    known = stores.meta.changelog_next
    for tp, store in tps.items():
        if begins[tp] > 0:
            # Compaction leaves the beginning where it is, and Kafka deletes nothing by request.
            raise Refusal(
                f"changelog {tp.topic}[{tp.partition}] begins at offset {begins[tp]}: records were "
                "deleted by retention, and state with them. Set its cleanup.policy to compact and "
                f"restore it. {SECOND_TIME}",
                2,
            )
        if known.get(store, 0) > ends[tp]:
            raise Refusal(
                f"changelog {tp.topic}[{tp.partition}] ends at {ends[tp]}, but this disk has seen "
                f"it up to {known[store]}: the topic was recreated or lost records. Restore it, or "
                "remove the data directory if the loss is intended",
                2,
            )
    return {tp: known.get(store, 0) for tp, store in tps.items()}


async def _read(
    consumer: TolerantConsumer,
    stores: PartitionStores,
    tps: Mapping[TopicPartition, str],
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> int:
    desk = Desk(1, 1)
    lanes = {(tp.topic, tp.partition): Lane(desk, tp.topic, tp.partition, starts[tp]) for tp in tps}
    pending = {tp for tp in tps if starts[tp] < ends[tp]}
    count = 0
    while pending:
        for _, span, _ in await read_spans(consumer, lambda: lanes, CHUNK_RECORDS, 1.0):
            tp = TopicPartition(span.topic, span.partition)
            for first, last, _ in span.unreadable:
                raise Refusal(
                    f"changelog {span.topic}[{span.partition}] holds a batch that cannot be read, "
                    f"offsets {first} to {last}: state would be missing. Restore the topic from "
                    "another replica or a backup",
                    2,
                )
            count += len(span.records)
            _apply(stores, tps[tp], span.records, span.end)
            if span.end >= ends[tp]:
                pending.discard(tp)
        await asyncio.sleep(0)
    return count


def _apply(stores: PartitionStores, store: str, records: Sequence[Record], end: int) -> None:
    position: bytes | None = None
    changes: list[tuple[bytes, bytes | None]] = []
    for record in records:
        if record.key == POSITION_KEY:
            position = record.value
        elif record.key is not None:
            changes.append((record.key, record.value))
    stores.apply([(store, changes)], position, {store: end})


def read_position(stores: PartitionStores, partition: int) -> Position | None:
    """The position of the last transaction; None for a partition that never had one.

    Raises `Refusal` for one that a newer version wrote.
    """
    if stores.meta.position is None:
        return None
    check_format(decode_format(stores.meta.position), partition)
    return decode_position(stores.meta.position)
