"""Taking fetched records out of aiokafka's fetcher in whole spans.

This stands in for `Fetcher.fetched_records` of aiokafka 0.14, which drops empty stretches (markers,
compacted records), makes an 11-field object of every record, one by one, and filters by a live set.
The classes it leans on are private: `check_aiokafka` holds the version, tests/engine hold the
behaviour.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiokafka
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException

from streams.engine.lanes import RECORD_OVERHEAD_BYTES, Fetched, Lane
from streams.engine.processor import Record, Span

PINNED_AIOKAFKA = "0.14.0"
Lanes = Mapping[tuple[str, int], Lane]


def check_aiokafka() -> None:
    """Refuse another aiokafka than the one whose private parts are used here."""
    if aiokafka.__version__ != PINNED_AIOKAFKA:
        raise RuntimeError(
            f"aiokafka {PINNED_AIOKAFKA} is needed, {aiokafka.__version__} is installed"
        )


def unpack(pending: Any, max_records: int) -> list[Record]:
    """The next records of a fetched stretch, in whole batches until there are `max_records`.

    What a batch holds is made into a list by aiokafka's compiled iterator; only the first of a
    stretch can begin before the position. `next_fetch_offset` moves behind what was unpacked, also
    over batches without a record to give: markers, aborted ones, emptied by compaction.
    """
    records: list[Record] = []
    stretch = pending._records
    while len(records) < max_records and stretch.has_next():
        batch = stretch.next_batch()
        if pending._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(
                f"{pending._tp}: the batch at offset {batch.base_offset} has a wrong checksum"
            )
        if not _passed_over(pending, batch):
            found = list(batch)
            if found and found[0].offset < pending.next_fetch_offset:
                found = [one for one in found if one.offset >= pending.next_fetch_offset]
            records += found
        pending.next_fetch_offset = batch.next_offset
    return records


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


def drain(fetcher: Any, wanted: Lanes, max_records: int) -> list[Fetched]:
    """What the fetcher holds for the wanted partitions, about `max_records` of each.

    Runs on the consumer's loop. The position moves with what is taken, never without it: each piece
    of the log between two positions is in exactly one span. Raises what the broker answered instead
    of records.
    """
    spans: list[Fetched] = []
    buffered = fetcher._records
    for tp in list(buffered):
        lane = wanted.get(tp)
        if lane is None:
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
        size = 0
        if pending._records_iterator is not None:
            # Its own way of unpacking is not used; that it is gone says that ours has begun.
            pending._records_iterator = None
            size = pending._records.size_in_bytes()
        start = state.position
        records = unpack(pending, max_records)
        state.consumed_to(pending.next_fetch_offset)
        if not pending._records.has_next():
            result._partition_records = None
            _release(fetcher, tp)
        if pending.next_fetch_offset > start:
            span = Span(
                tp.topic, tp.partition, start, pending.next_fetch_offset, records, state.highwater
            )
            spans.append(Fetched(lane, span, size + RECORD_OVERHEAD_BYTES * len(records)))
    return spans


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


async def read_spans(
    consumer: Any, wanted: Callable[[], Lanes], max_records: int, timeout_seconds: float
) -> list[Fetched]:
    """`drain`, waiting up to `timeout_seconds` when there is nothing yet.

    `wanted` is asked again after the wait: a seek may have put new lanes in the place of the old
    ones, and what is then drained for an old lane would be lost.
    """
    fetcher = consumer._fetcher
    if fetcher._fetch_task.done():
        raise RuntimeError("aiokafka's _fetch_task ended: nothing would ever be read")
    with fetcher._subscriptions.fetch_context():
        spans = drain(fetcher, wanted(), max_records)
        if not spans:
            await wait_for_records(fetcher, timeout_seconds)
            spans = drain(fetcher, wanted(), max_records)
    return spans
