"""Takes fetched records out of aiokafka's fetcher, as ranges of offsets without gaps (stretches).

This replaces `Fetcher.fetched_records` of aiokafka 0.14, which drops offsets without records
(markers, compacted records), makes an object of 11 fields of every record, and fails at the first
batch that it cannot read. It uses private classes: `check_aiokafka` checks the version, and
tests/engine the behaviour.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import aiokafka
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka import codecs
from streams.kafka.batches import (
    LARGE_BYTES,
    Piece,
    Rest,
    Unreadable,
    add_columns,
    raw_batch,
    read_compiled,
    read_rest,
    read_tolerant,
)
from streams.kafka.columns import BYTES_A_RECORD, new_columns
from streams.log_events import event

if TYPE_CHECKING:
    from streams.kafka._columns import Columns

PINNED_AIOKAFKA = "0.14.0"

DRAIN_BYTES = 16 * 1024 * 1024
"""About the most memory of what one drain takes; the batch with which it gets there is whole.

A fetched megabyte can be a thousand batches that unpack to 16 MiB each.
"""

logger = logging.getLogger(__name__)


def check_aiokafka() -> None:
    """Checks that aiokafka has the tested version, because private parts are used here.

    Raises:
        RuntimeError: it has another version.
    """
    if aiokafka.__version__ != PINNED_AIOKAFKA:
        raise RuntimeError(
            f"aiokafka {PINNED_AIOKAFKA} is needed, {aiokafka.__version__} is installed"
        )


class KeptRecords:
    """aiokafka's MemoryRecords together with the fetched bytes.

    The bytes are needed to read a batch that aiokafka cannot, and the compiled class hides them.
    """

    __slots__ = (
        "_cursor",
        "has_next",
        "large",
        "next_batch",
        "rest",
        "size_in_bytes",
        "stretch",
        "taken",
    )

    def __init__(self, stretch: bytes) -> None:
        compiled = MemoryRecords(stretch)
        self.stretch = stretch
        self.has_next: Callable[[], bool] = compiled.has_next
        self.next_batch: Callable[[], Any] = compiled.next_batch
        self.size_in_bytes: Callable[[], int] = compiled.size_in_bytes
        # There may be a batch that is large without compression.
        self.large = len(stretch) > LARGE_BYTES
        self.rest: Rest | None = None
        self.taken = False
        self._cursor = 0

    @property
    def more(self) -> bool:
        """Whether a batch, or a rest of one, is left."""
        return self.rest is not None or self.has_next()

    def raw(self, batch: Any) -> bytes:
        """Returns the bytes of a batch, which must not lie before one that was asked for."""
        found, self._cursor = raw_batch(self.stretch, batch.base_offset, self._cursor)
        return found


def install() -> None:
    """Patches aiokafka to keep raw bytes and to limit decompression. A second call does nothing."""
    check_aiokafka()
    codecs.install()
    aiokafka_fetcher.MemoryRecords = KeptRecords


class Stretch(NamedTuple):
    """The records of a topic partition with offsets in `[start, end)`, and its unreadable batches.

    `high_water`: the high watermark. `size`: decompressed bytes, without Python's overhead.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: Sequence[Any]
    high_water: int
    size: int
    unreadable: tuple[Unreadable, ...]


class Taking:
    """Takes records from one fetched partition, up to a number and about a size.

    `size`: decompressed bytes of what was taken. `cost`: bytes that were unpacked for it, and about
    the memory that it takes. `columns`: records may be taken as columns (columns.py); after the
    first batch that cannot, none are.
    """

    def __init__(
        self,
        pending: Any,
        max_records: int,
        keep_headers: bool,
        max_cost: int = DRAIN_BYTES,
        *,
        columns: bool = False,
    ) -> None:
        self._columns = new_columns() if columns else None
        self._list: list[Any] = []
        self.unreadable: list[Unreadable] = []
        self.size = 0
        self.cost = 0
        self._pending = pending
        self._max_records = max_records
        self._max_cost = max_cost
        self._keep_headers = keep_headers

    @property
    def records(self) -> Sequence[Any]:
        """The records that were taken."""
        return self._list if self._columns is None else self._columns

    def run(self) -> None:
        """Takes batches until a limit is reached; large batches in pieces.

        `next_fetch_offset` advances past all of them, also past batches without a usable record:
        markers, aborted, compacted or unreadable ones.
        """
        pending, stretch = self._pending, self._pending._records
        while len(self.records) < self._max_records and self.cost < self._max_cost and stretch.more:
            if stretch.rest is not None:
                self._take(stretch.rest)
                continue
            batch = stretch.next_batch()
            if pending._check_crcs and not batch.validate_crc():
                self._refuse_damaged(batch)
            elif _passed_over(pending, batch):
                pending.next_fetch_offset = batch.next_offset
            else:
                self._take(batch)

    def _take(self, batch: Any) -> None:
        """Takes a batch or the rest of one; if it cannot be read, notes it as unreadable."""
        pending = self._pending
        start, pending._records.rest = pending.next_fetch_offset, None
        try:
            if self._columns is not None:
                if self._take_columns(self._columns, batch, start):
                    return
                self._list, self._columns = list(self._columns), None
            piece = self._read(batch)
        except MemoryError:
            # That is this machine's trouble: elsewhere the same batch is read.
            raise
        except Exception as error:
            # Any error counts: bytes from a producer must not stop a consumer. It may have been
            # unpacked up to the limit before that.
            self.cost += codecs.MAX_BATCH_BYTES
            self._refuse(batch, f"{type(error).__name__}: {error}")
            return
        records = piece.records
        if records and records[0].offset < start:
            records = [one for one in records if one.offset >= start]
        self._list += records
        self.size += piece.size
        self.cost += piece.cost
        rest = pending._records.rest = piece.rest
        end = batch.next_offset if rest is None else rest.resume_offset
        if end > start:
            pending.next_fetch_offset = end

    def _take_columns(self, columns: Columns, batch: Any, start: int) -> bool:
        """Takes a batch as columns, if it can be, and all of its records are wanted."""
        if type(batch) is Rest or batch.magic < 2 or batch.base_offset < start:
            return False
        before, size = len(columns), add_columns(columns, self._pending._records.raw(batch))
        if not size:
            return False
        self.size += size
        self.cost += size + BYTES_A_RECORD * (len(columns) - before)
        self._pending.next_fetch_offset = batch.next_offset
        return True

    def _read(self, batch: Any) -> Piece:
        """Reads a batch, or its first records if it is large.

        A position can lie within a batch, because a checkpoint can; Kafka then gives all of it.
        """
        room = max(1, self._max_records - len(self.records))
        if type(batch) is Rest:
            return read_rest(batch, room)
        stretch: KeptRecords = self._pending._records
        start = self._pending.next_fetch_offset
        if stretch.large and batch.magic >= 2 and not batch.compression_type:
            raw = stretch.raw(batch)
            if len(raw) > LARGE_BYTES:
                return read_tolerant(raw, room, start)
        try:
            piece = read_compiled(batch, self._keep_headers)
            if piece is not None:
                return piece
        except Exception:
            if batch.magic < 2:
                raise
        return read_tolerant(stretch.raw(batch), room, start)

    def _refuse_damaged(self, batch: Any) -> None:
        """Notes a batch with a wrong checksum as unreadable.

        Raises:
            CorruptRecordException: the batch is a transaction marker.
        """
        if batch.is_control_batch:
            # Without the marker it is unknown whether the transaction was committed.
            raise CorruptRecordException(
                f"{self._pending._tp}: the marker at offset {batch.base_offset} has a wrong "
                "checksum"
            )
        self._refuse(batch, "its checksum is wrong")

    def _refuse(self, batch: Any, why: str) -> None:
        pending = self._pending
        first = max(batch.base_offset, pending.next_fetch_offset)
        last = max(batch.next_offset - 1, first)
        logger.warning(
            "%s[%d]: the batch at offsets %d to %d cannot be read (%s); reading goes on behind it",
            pending._tp.topic,
            pending._tp.partition,
            first,
            last,
            why,
            extra=event("batch_unreadable"),
        )
        self.unreadable.append(Unreadable(first, last, batch.max_timestamp))
        pending.next_fetch_offset = last + 1


def _passed_over(pending: Any, batch: Any) -> bool:
    """Whether to skip a batch: it is a marker, or belongs to an aborted transaction."""
    if pending._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        pending._consume_aborted_up_to(batch.base_offset)
        aborted = pending._aborted_producers
        if batch.is_control_batch and pending._contains_abort_marker(batch):
            aborted.discard(batch.producer_id)
        if batch.is_transactional and batch.producer_id in aborted:
            return True
    return bool(batch.is_control_batch)


def drain(
    fetcher: Any,
    wanted: Container[TopicPartition] | None,
    max_records: int,
    keep_headers: bool = False,
    max_bytes: int = DRAIN_BYTES,
    columns: Container[str] = (),
) -> list[Stretch]:
    """Takes about `max_records` of each wanted partition (None: all) from the fetcher.

    All of them together are about `max_bytes`; what is left waits for the next call, in which the
    other partitions come first. It must run on the consumer's loop. The position advances only
    with what is taken, so each offset is in exactly one stretch. Raises the error that the broker
    returned instead of records.
    """
    stretches: list[Stretch] = []
    buffered, room = fetcher._records, max_bytes
    for tp in list(buffered):
        if room <= 0:
            break
        if wanted is not None and tp not in wanted:
            continue
        result = buffered[tp]
        if type(result) is not FetchResult:
            _release(fetcher, tp)
            result.check_raise()
            continue
        if not result.check_assignment(tp) or not result.has_more():
            _release(fetcher, tp)
            continue
        state = result._assignment.state_value(tp)
        pending = result._partition_records
        kept: KeptRecords = pending._records
        # aiokafka's own iterator is not used.
        pending._records_iterator = None
        start, size = state.position, 0
        if not kept.taken:
            kept.taken, size = True, kept.size_in_bytes()
        taking = Taking(pending, max_records, keep_headers, room, columns=tp.topic in columns)
        taking.run()
        room -= size + taking.cost
        end = pending.next_fetch_offset
        state.consumed_to(end)
        if kept.more:
            buffered.move_to_end(tp)
        else:
            result._partition_records = None
            _release(fetcher, tp)
        if end > start:
            stretches.append(
                Stretch(
                    tp.topic,
                    tp.partition,
                    start,
                    end,
                    taking.records,
                    state.highwater,
                    size + taking.size,
                    tuple(taking.unreadable),
                )
            )
    return stretches


def _release(fetcher: Any, tp: Any) -> None:
    del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)


async def wait_for_records(fetcher: Any, timeout_seconds: float) -> None:
    """Waits until the fetcher has new records, at most `timeout_seconds`."""
    waiter = fetcher._create_fetch_waiter()
    done, _ = await asyncio.wait([waiter], timeout=timeout_seconds)
    if not done:
        waiter.cancel()
    else:
        waiter.result()


async def read_stretches(
    consumer: Any,
    wanted: Callable[[], Container[TopicPartition] | None],
    max_records: int,
    timeout_seconds: float,
    keep_headers: bool = False,
    columns: Container[str] = (),
) -> list[Stretch]:
    """Takes fetched records like `drain`, and waits up to `timeout_seconds` if there are none yet.

    It calls `wanted` again after the wait, because a seek may have replaced the caller's queues
    meanwhile, and records for an old queue would be lost.

    Raises:
        RuntimeError: aiokafka's fetch task has ended. Other errors come from the broker.
    """
    fetcher = consumer._fetcher
    if fetcher._fetch_task.done():
        raise RuntimeError("aiokafka's _fetch_task ended: nothing would ever be read")
    with fetcher._subscriptions.fetch_context():
        stretches = drain(fetcher, wanted(), max_records, keep_headers, columns=columns)
        if not stretches:
            await wait_for_records(fetcher, timeout_seconds)
            stretches = drain(fetcher, wanted(), max_records, keep_headers, columns=columns)
    return stretches
