"""Reads the last checkpoint (here: note) of each partition from a changelog (checkpoint.py).

It reads near the end first, because every transaction writes a note.
"""

import asyncio
from collections.abc import Iterable
from contextlib import nullcontext, suppress

import msgspec
from aiokafka import TopicPartition

from streams.engine.checkpoint import CHECKPOINT_KEY, Checkpoint, decode_checkpoint, decode_format
from streams.engine.continuity import check_format
from streams.kafka.consumer import TolerantConsumer
from streams.stop_worker import UnreadableStateStop, unreadable_state

FIRST_STRETCH = 2_000
"""How many offsets from the end are read first; each further attempt reads eight times as many."""
STALL_SECONDS = 30.0


def decode_note(value: bytes, partition: int) -> Checkpoint:
    """Decodes a note.

    Raises:
        StopWorker: a newer version wrote it, or no worker did.
    """
    try:
        check_format(decode_format(value), partition)
        return decode_checkpoint(value)
    except msgspec.MsgspecError as error:
        raise unreadable_state(partition, "its position", error) from error


async def read_notes(
    consumer: TolerantConsumer,
    changelog: str,
    partitions: Iterable[int],
    *,
    leave_unreadable: bool = False,
) -> dict[int, Checkpoint]:
    """Reads the last note of each partition that has one. It changes the consumer's assignment.

    `leave_unreadable`: notes that no worker wrote are left out.

    Raises:
        StopWorker: a newer version wrote a note, or no worker did.
        TimeoutError: a partition could not be read to its end.
    """
    wanted = {TopicPartition(changelog, number) for number in partitions}
    consumer.assign(list(wanted))
    begins = await consumer.beginning_offsets(list(wanted))
    # A read to the lower end of a `read_committed` consumer may return an older note.
    ends = await consumer.high_watermarks(wanted)
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
    notes: dict[int, Checkpoint] = {}
    for number, value in found.items():
        with suppress(UnreadableStateStop) if leave_unreadable else nullcontext():
            notes[number] = decode_note(value, number)
    return notes


async def _read(
    consumer: TolerantConsumer, ends: dict[TopicPartition, int], found: dict[int, bytes]
) -> None:
    """Reads partitions up to `ends`, and stores the last note of each in `found`."""
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
