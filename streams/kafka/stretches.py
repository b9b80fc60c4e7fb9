"""Takes fetched records out of aiokafka's fetcher, as whole stretches of offsets.

This stands in for `Fetcher.fetched_records` of aiokafka 0.14, which drops empty stretches (markers,
compacted records), makes an 11-field object of every record, one by one, filters by a live set, and
ends at the first batch that it cannot read. The classes it leans on are private: `check_aiokafka`
holds the version, tests/engine hold the behaviour.
"""

import asyncio
import logging
from collections.abc import Callable, Container
from typing import Any, NamedTuple

import aiokafka
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka import codecs
from streams.kafka.batches import (
    Piece,
    Rest,
    Unreadable,
    raw_batch,
    read_compiled,
    read_rest,
    read_tolerant,
)

PINNED_AIOKAFKA = "0.14.0"
logger = logging.getLogger(__name__)


def check_aiokafka() -> None:
    """Refuse another version of aiokafka than the tested one: private parts are used here."""
    if aiokafka.__version__ != PINNED_AIOKAFKA:
        raise RuntimeError(
            f"aiokafka {PINNED_AIOKAFKA} is needed, {aiokafka.__version__} is installed"
        )


class KeptRecords:
    """aiokafka's MemoryRecords beside the bytes that they are read from.

    Whoever cannot read a batch needs its bytes, and the compiled class does not give them away.
    """

    __slots__ = ("has_next", "next_batch", "rest", "size_in_bytes", "stretch", "taken")

    def __init__(self, stretch: bytes) -> None:
        compiled = MemoryRecords(stretch)
        self.stretch = stretch
        self.has_next: Callable[[], bool] = compiled.has_next
        self.next_batch: Callable[[], Any] = compiled.next_batch
        self.size_in_bytes: Callable[[], int] = compiled.size_in_bytes
        self.rest: Rest | None = None
        self.taken = False

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self.rest is not None or self.has_next()


def install() -> None:
    """Patch aiokafka to keep raw bytes and to unpack with limits. A second call changes nothing."""
    check_aiokafka()
    codecs.install()
    aiokafka_fetcher.MemoryRecords = KeptRecords


class Stretch(NamedTuple):
    """The records of a topic partition in `[start, end)`, and its unreadable batches.

    `size` is in bytes, unpacked, without what Python adds for each record.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: list[Any]
    high_water: int
    size: int
    unreadable: tuple[Unreadable, ...]


class Taking:
    """Takes records from one fetched partition, up to a limit."""

    def __init__(self, pending: Any, max_records: int, keep_headers: bool) -> None:
        self.records: list[Any] = []
        self.unreadable: list[Unreadable] = []
        self.size = 0
        self._pending = pending
        self._max_records = max_records
        self._keep_headers = keep_headers

    def run(self) -> None:
        """Take whole batches until there are `max_records`, large ones in pieces.

        `next_fetch_offset` moves behind what was taken, also over batches without a record to give:
        markers, aborted ones, emptied by compaction, unreadable.
        """
        pending, stretch = self._pending, self._pending._records
        while len(self.records) < self._max_records and stretch.more:
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
        """Take a batch, or what is left of one."""
        pending = self._pending
        start, pending._records.rest = pending.next_fetch_offset, None
        try:
            piece = self._read(batch)
        except Exception as error:
            # Whatever it is: bytes that somebody sent must not end whoever reads them.
            self._refuse(batch, f"{type(error).__name__}: {error}")
            return
        records = piece.records
        if records and records[0].offset < start:
            records = [one for one in records if one.offset >= start]
        self.records += records
        self.size += piece.size
        rest = pending._records.rest = piece.rest
        pending.next_fetch_offset = batch.next_offset if rest is None else rest.resume_offset

    def _read(self, batch: Any) -> Piece:
        room = max(1, self._max_records - len(self.records))
        if type(batch) is Rest:
            return read_rest(batch, room)
        try:
            piece = read_compiled(batch, self._keep_headers)
            if piece is not None:
                return piece
        except Exception:
            if batch.magic < 2:
                raise
        return read_tolerant(raw_batch(self._pending._records.stretch, batch.base_offset), room)

    def _refuse_damaged(self, batch: Any) -> None:
        """Raise an error if the checksum does not match: nothing in the batch can be trusted."""
        if batch.is_control_batch:
            # Whether what a transaction wrote counts cannot be guessed.
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
        )
        self.unreadable.append(Unreadable(first, last, batch.max_timestamp))
        pending.next_fetch_offset = last + 1


def _passed_over(pending: Any, batch: Any) -> bool:
    """Whether a batch holds nothing for us: a marker, or of a transaction that was aborted."""
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
) -> list[Stretch]:
    """Take about `max_records` of each wanted partition (None: all) from the fetcher.

    Runs on the consumer's loop. The position moves with what is taken, never without it: each piece
    of the log between two positions is in exactly one stretch. Raises what the broker answered
    instead of records.
    """
    stretches: list[Stretch] = []
    buffered = fetcher._records
    for tp in list(buffered):
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
        # Its own way of unpacking is not used.
        pending._records_iterator = None
        start, size = state.position, 0
        if not kept.taken:
            kept.taken, size = True, kept.size_in_bytes()
        taking = Taking(pending, max_records, keep_headers)
        taking.run()
        end = pending.next_fetch_offset
        state.consumed_to(end)
        if not kept.more:
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
    """Return when the fetcher has something new, or after `timeout_seconds`."""
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
) -> list[Stretch]:
    """`drain`, waiting up to `timeout_seconds` when there is nothing yet.

    `wanted` is asked again after the wait: a seek may have put new queues in the place of the old
    ones, and what is then drained for an old queue would be lost.
    """
    fetcher = consumer._fetcher
    if fetcher._fetch_task.done():
        raise RuntimeError("aiokafka's _fetch_task ended: nothing would ever be read")
    with fetcher._subscriptions.fetch_context():
        stretches = drain(fetcher, wanted(), max_records, keep_headers)
        if not stretches:
            await wait_for_records(fetcher, timeout_seconds)
            stretches = drain(fetcher, wanted(), max_records, keep_headers)
    return stretches
