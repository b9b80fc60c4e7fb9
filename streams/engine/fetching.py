"""Taking fetched records out of aiokafka's fetcher in whole spans, as slim records.

This stands in for `Fetcher.fetched_records` of aiokafka 0.14, which drops empty stretches (markers,
compacted records), makes an 11-field object of every record, and filters by a live set. The classes
it leans on are private: `check_aiokafka` holds the version, tests/engine hold the behaviour.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import aiokafka
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords

from streams.engine.lanes import RECORD_OVERHEAD_BYTES, Fetched, Lane
from streams.engine.processor import Record, Span

PINNED_AIOKAFKA = "0.14.0"
Lanes = Mapping[tuple[str, int], Lane]
_new = tuple.__new__


def check_aiokafka() -> None:
    """Refuse another aiokafka than the one whose private parts are used here."""
    if aiokafka.__version__ != PINNED_AIOKAFKA:
        raise RuntimeError(
            f"aiokafka {PINNED_AIOKAFKA} is needed, {aiokafka.__version__} is installed"
        )


class SlimRecords(PartitionRecords):  # type: ignore[misc]
    """aiokafka's unpacking with our five-field record."""

    def _consumer_record(self, tp: Any, record: Any) -> Record:
        return _new(
            Record,
            (record.offset, record.timestamp, record.key, record.value, tuple(record.headers)),
        )


def drain(fetcher: Any, wanted: Lanes, max_records: int) -> list[Fetched]:
    """What the fetcher holds for the wanted partitions, at most `max_records` of each.

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
        if type(pending) is PartitionRecords:
            # Not yet started: the class may still be changed under the unpacking generator.
            pending.__class__ = SlimRecords
            size = pending._records.size_in_bytes()
        start = state.position
        records = list(islice(pending._records_iterator, max_records))
        state.consumed_to(pending.next_fetch_offset)
        if len(records) < max_records:
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
