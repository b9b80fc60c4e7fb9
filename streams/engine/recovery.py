"""Restores a partition's stores from the changelogs, up to the last committed transaction.

It must run after the producer's start, which fences the predecessor and ends its transaction; then
the ends of the changelogs are final. It reads until the consumer's position reaches the end, not
until the last record, because commit markers follow that. The end is the high watermark: for a
reader of committed records a changelog seems to end where a transaction of any producer is open,
and to stop there would restore an older state, which counts inputs twice.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.engine.checkpoint import CHECKPOINT_KEY, Checkpoint
from streams.engine.config import EngineConfig
from streams.engine.continuity import REBUILD, SECOND_TIME
from streams.engine.fetch_queues import FetchBuffer, FetchQueue
from streams.engine.fetching import read_batches
from streams.engine.notes import decode_note, read_notes
from streams.engine.processor import Record, StoreSpec
from streams.engine.stores import BrokenDiskError, PartitionStores
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.open_transactions import open_transactions
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker, UnreadableStateStop

logger = logging.getLogger(__name__)

HIDDEN_SECONDS = 3.0
"""How long an open transaction may hide the end of a changelog before it is named."""
HIDDEN_LOOK_SECONDS = 0.2
CHUNK_RECORDS = 1_000
# Of each changelog in one answer. Several partitions are restored at once, and the allocators keep
# some of what the peak has opened: with 4 MiB three partitions took 55 MiB, with this 34.
FETCH_BYTES = 1024 * 1024
_KEY, _VALUE = attrgetter("key"), attrgetter("value")


class HiddenEndError(Exception):
    """An open transaction of another producer hides the end of a changelog.

    `place`: the changelog with its partition, and the first offset that cannot be read.
    """

    def __init__(self, message: str, place: tuple[str, int]) -> None:
        super().__init__(message)
        self.place = place


def plain_consumer(config: EngineConfig, isolation: str, client: str) -> TolerantConsumer:
    """Makes a consumer without a group, which the caller must assign and seek.

    `isolation`: `read_committed` or `read_uncommitted`. `client` is part of its client id.
    """
    return TolerantConsumer(
        **config.client_arguments(),
        client_id=f"{config.application_id}-{client}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=isolation,
        fetch_max_wait_ms=config.fetch_max_wait_ms,
        max_partition_fetch_bytes=FETCH_BYTES,
    )


async def load_memory(stores: PartitionStores, specs: tuple[StoreSpec, ...]) -> None:
    """Fills the in-memory stores from the disk, and yields to the event loop in between."""
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
    """Reads the changelog records that the disk does not have yet. Returns their number.

    `ids`: the present topic ids, by name.

    Raises:
        StopWorker: a changelog has lost records, has an unreadable batch, or was deleted and
            created again without being accepted.
        HiddenEndError: an open transaction hides the end of a changelog.
    """
    if stores.load_meta(config.state_max_age_seconds):
        try:
            await load_memory(stores, specs)
        except BrokenDiskError as error:
            logger.warning(
                "partition %d: %s; it is read from the changelog",
                partition,
                error,
                extra=event("disk_not_used"),
            )
            stores.wipe()
    topics = {config.changelog(spec.name): spec.name for spec in specs}
    consumer = plain_consumer(config, "read_committed", f"recovery-{partition}")
    await consumer.start()
    try:
        tps = {TopicPartition(topic, partition): store for topic, store in topics.items()}
        consumer.assign(list(tps))
        ends = await _whole_ends(consumer, list(tps))
        await _leave_another_changelog(consumer, stores, list(topics), partition, ids)
        if consumer.assignment() != set(tps):
            consumer.assign(list(tps))
        begins = await consumer.beginning_offsets(list(tps))
        starts = _starts(stores, tps, begins, ends)
        for tp, start in starts.items():
            consumer.seek(tp, start)
        return await _read(consumer, stores, tps, starts, ends)
    finally:
        await consumer.stop()


async def _whole_ends(
    consumer: TolerantConsumer, places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Returns the high watermarks, once all records below them can be read.

    Raises:
        HiddenEndError: an open transaction hides some.
    """
    ends = await consumer.high_watermarks(places)
    until = time.monotonic() + HIDDEN_SECONDS
    while True:
        stable = await consumer.end_offsets(places)
        hidden = next((tp for tp in places if stable[tp] < ends[tp]), None)
        if hidden is None:
            return ends
        if time.monotonic() >= until:
            raise await _hidden_end(consumer, hidden, stable[hidden], ends[hidden])
        await asyncio.sleep(HIDDEN_LOOK_SECONDS)


async def _hidden_end(
    consumer: TolerantConsumer, tp: TopicPartition, offset: int, end: int
) -> HiddenEndError:
    """Makes the error, which names the transaction if the broker says whose it is."""
    owner = "a producer"
    with suppress(KafkaError, OSError, TimeoutError):
        for it in await open_transactions(consumer._client, [tp]):
            own = "" if it.transactional_id is None else f" ({it.transactional_id})"
            seconds = it.open_seconds(int(time.time() * 1000))
            owner = f"for {seconds:.0f} s producer {it.producer_id}{own}"
    return HiddenEndError(
        f"changelog {tp.topic}[{tp.partition}] cannot be read beyond offset {offset}, though it "
        f"reaches to {end}: {owner} has had a transaction open there. `byline doctor` says how to "
        "end it, `byline topics acl` who needs to write there",
        (f"{tp.topic}[{tp.partition}]", offset),
    )


async def _leave_another_changelog(
    consumer: TolerantConsumer,
    stores: PartitionStores,
    changelogs: list[str],
    partition: int,
    ids: Mapping[str, str],
) -> None:
    """Deletes the disk's content if its changelogs were replaced and the new ones accepted.

    Also if nobody can say of which changelogs it is, and these are accepted.

    Raises:
        StopWorker: they were not accepted; the disk may then be the only copy of the state.
    """
    raw = stores.meta.position
    if raw is None:
        return
    known: Mapping[str, str] | None = None
    try:
        known = decode_note(raw, partition).ids
    except UnreadableStateStop:
        anew = changelogs
    except StopWorker:
        return  # A newer version's is refused later, from the changelog's own checkpoint.
    else:
        anew = [it for it in changelogs if known.get(it) and ids.get(it, "") != known[it]]
    if not any(ids.get(name) for name in anew):
        return
    note = (await read_notes(consumer, changelogs[0], [partition])).get(partition)
    if note is not None and all(note.ids.get(name) == ids[name] for name in anew):
        logger.warning(
            "partition %d: the disk is not of %s as it is now",
            partition,
            ", ".join(anew),
            extra=event("disk_of_old_topics"),
        )
        stores.wipe()
        return
    if known is None:
        return  # It is refused later.
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
            # Compaction does not move the first offset; only retention does.
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
    # Of several records of one key the last one holds.
    changes = dict(zip(map(_KEY, records), map(_VALUE, records), strict=True))
    checkpoint = changes.pop(CHECKPOINT_KEY, None)
    changes.pop(None, None)
    stores.apply([(store, changes.items())], checkpoint, {store: end})


def read_checkpoint(stores: PartitionStores, partition: int) -> Checkpoint | None:
    """Returns the checkpoint of the last transaction; None if the partition never had one.

    Raises:
        StopWorker: a newer version wrote it.
    """
    if stores.meta.position is None:
        return None
    return decode_note(stores.meta.position, partition)
