"""Restores a partition's stores up to the last committed transaction.

Called when the producer has been initialised: the predecessor is fenced and its open transaction is
settled, so the ends of the changelogs, read now, are final. Reading goes on until the *position*
reaches the end; the last record lies before it, for behind it is a commit marker.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from streams.engine.checkpoint import CHECKPOINT_KEY, FORMAT, Checkpoint, decode_format
from streams.engine.config import EngineConfig
from streams.engine.continuity import REBUILD, SECOND_TIME
from streams.engine.fetch_queues import FetchBuffer, FetchQueue
from streams.engine.fetching import read_batches
from streams.engine.notes import decode_note, read_notes
from streams.engine.processor import Record, StoreSpec
from streams.engine.stores import BrokenDiskError, PartitionStores
from streams.kafka.consumer import TolerantConsumer
from streams.stop_worker import ExitCode, StopWorker

logger = logging.getLogger(__name__)

CHUNK_RECORDS = 5_000


def plain_consumer(config: EngineConfig, isolation: str, client: str) -> TolerantConsumer:
    """A consumer without a group; its positions are set by hand."""
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
    """Fill the in-memory stores from the disk, and yield to the event loop now and then."""
    for spec in specs:
        if not spec.in_memory:
            continue
        table = stores.memory[spec.name]
        for count, (key, value) in enumerate(stores.items_on_disk(spec.name)):
            table[key] = value
            if count % CHUNK_RECORDS == 0:
                await asyncio.sleep(0)


async def recover(
    config: EngineConfig,
    stores: PartitionStores,
    specs: tuple[StoreSpec, ...],
    partition: int,
    ids: Mapping[str, str],
) -> int:
    """Read the changelog records that the disk lacks. Returns their number.

    `ids` are the topics' present ids. Raises `StopWorker` when a changelog ends before what the
    disk has already seen of it, or is another one that nobody has accepted.
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
        await _leave_another_changelog(consumer, stores, list(topics), partition, ids)
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


async def _leave_another_changelog(
    consumer: TolerantConsumer,
    stores: PartitionStores,
    changelogs: list[str],
    partition: int,
    ids: Mapping[str, str],
) -> None:
    """Wipe a disk whose changelogs were replaced, if the new ones have been accepted.

    Raises `StopWorker` when they have not: then the disk may be all that is left of the state.
    """
    raw = stores.meta.position
    # Of a newer version: what the changelog holds beyond it decides.
    if raw is None or decode_format(raw) > FORMAT:
        return
    known = decode_note(raw, partition).ids
    anew = [name for name in changelogs if known.get(name) and ids.get(name, "") != known[name]]
    if not any(ids.get(name) for name in anew):
        return
    note = (await read_notes(consumer, changelogs[0], [partition])).get(partition)
    if note is not None and all(note.ids.get(name) == ids[name] for name in anew):
        logger.warning(
            "partition %d: the disk is of %s before it was made anew", partition, ", ".join(anew)
        )
        stores.wipe()
        return
    raise StopWorker(
        f"{', '.join(anew)} was deleted and made anew: what this disk holds of partition "
        f"{partition} is of the one before. {REBUILD}. {SECOND_TIME}",
        ExitCode.PERSON,
    )


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
            raise StopWorker(
                f"changelog {tp.topic}[{tp.partition}] begins at offset {begins[tp]}: records were "
                f"deleted by retention, and state with them. {REBUILD}. {SECOND_TIME}",
                ExitCode.PERSON,
            )
        if known.get(store, 0) > ends[tp]:
            raise StopWorker(
                f"changelog {tp.topic}[{tp.partition}] ends at {ends[tp]}, but this disk has seen "
                f"it up to {known[store]}: the topic was recreated or lost records. {REBUILD}. "
                f"{SECOND_TIME}",
                ExitCode.PERSON,
            )
    return {tp: known.get(store, 0) for tp, store in tps.items()}


async def _read(
    consumer: TolerantConsumer,
    stores: PartitionStores,
    tps: Mapping[TopicPartition, str],
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> int:
    buffer = FetchBuffer(1, 1)
    queues = {
        (tp.topic, tp.partition): FetchQueue(buffer, tp.topic, tp.partition, starts[tp])
        for tp in tps
    }
    pending = {tp for tp in tps if starts[tp] < ends[tp]}
    count = 0
    while pending:
        for _, batch, _ in await read_batches(consumer, lambda: queues, CHUNK_RECORDS, 1.0):
            tp = TopicPartition(batch.topic, batch.partition)
            for first, last, _ in batch.unreadable:
                raise StopWorker(
                    f"changelog {batch.topic}[{batch.partition}] holds a batch that cannot be "
                    f"read, offsets {first} to {last}: state would be missing. {REBUILD}",
                    ExitCode.PERSON,
                )
            count += len(batch.records)
            _apply(stores, tps[tp], batch.records, batch.end)
            if batch.end >= ends[tp]:
                pending.discard(tp)
        await asyncio.sleep(0)
    return count


def _apply(stores: PartitionStores, store: str, records: Sequence[Record], end: int) -> None:
    checkpoint: bytes | None = None
    changes: list[tuple[bytes, bytes | None]] = []
    for record in records:
        if record.key == CHECKPOINT_KEY:
            checkpoint = record.value
        elif record.key is not None:
            changes.append((record.key, record.value))
    stores.apply([(store, changes)], checkpoint, {store: end})


def read_checkpoint(stores: PartitionStores, partition: int) -> Checkpoint | None:
    """The checkpoint of the last transaction; None for a partition that never had one.

    Raises `StopWorker` for one that a newer version wrote.
    """
    if stores.meta.position is None:
        return None
    return decode_note(stores.meta.position, partition)
