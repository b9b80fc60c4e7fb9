"""Reads the last checkpoint of each partition from a changelog (see checkpoint.py).

Read from the end backwards, because it is part of every transaction: however long a changelog is,
the last note lies near its end.
"""

import asyncio
from collections.abc import Iterable

from aiokafka import TopicPartition

from streams.engine.checkpoint import CHECKPOINT_KEY, Checkpoint, decode_checkpoint, decode_format
from streams.engine.continuity import check_format
from streams.kafka.consumer import TolerantConsumer

FIRST_STRETCH = 2_000
"""Offsets; each further look goes back eight times as far."""
STALL_SECONDS = 30.0


def decode_note(value: bytes, partition: int) -> Checkpoint:
    """A note read back. Raises `StopWorker` for one that a newer version wrote."""
    check_format(decode_format(value), partition)
    return decode_checkpoint(value)


async def read_notes(
    consumer: TolerantConsumer, changelog: str, partitions: Iterable[int]
) -> dict[int, Checkpoint]:
    """The last note of each partition that has one. The consumer's assignment is changed.

    Raises `StopWorker` for the note of a newer version, TimeoutError when a partition cannot be
    read to its end.
    """
    wanted = {TopicPartition(changelog, number) for number in partitions}
    consumer.assign(list(wanted))
    begins = await consumer.beginning_offsets(list(wanted))
    ends = await consumer.end_offsets(list(wanted))
    found: dict[int, bytes] = {}
    length = FIRST_STRETCH
    while wanted:
        consumer.assign(list(wanted))
        for tp in wanted:
            consumer.seek(tp, max(begins[tp], ends[tp] - length))
        await _read(consumer, {tp: ends[tp] for tp in wanted}, found)
        wanted = {
            tp for tp in wanted if tp.partition not in found and ends[tp] - length > begins[tp]
        }
        length *= 8
    return {number: decode_note(value, number) for number, value in found.items()}


async def _read(
    consumer: TolerantConsumer, ends: dict[TopicPartition, int], found: dict[int, bytes]
) -> None:
    """Read these to their ends; later notes take the place of earlier ones."""
    pending = {tp for tp, end in ends.items() if await consumer.position(tp) < end}
    async with asyncio.timeout(STALL_SECONDS):
        while pending:
            for stretch in await consumer.take(0.5):
                for record in stretch.records:
                    if record.key == CHECKPOINT_KEY and record.value is not None:
                        found[stretch.partition] = record.value
            for tp in list(pending):
                if await consumer.position(tp) >= ends[tp]:
                    pending.discard(tp)
