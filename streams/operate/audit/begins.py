"""Reads stretches of partitions, and finds out where those begin that Kafka has cut."""

from collections.abc import Iterable
from functools import partial

from aiokafka import TopicPartition

from streams.operate.audit.reading import Reader
from streams.operate.audit.records import Record
from streams.operate.audit.switch_log import NEVER
from streams.operate.ends import Ends

LOOKED_AT = 64
"""Within so many offsets of its begin the first record of a partition is looked for."""


async def cut_of(
    reader: Reader, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, tuple[int, int | None]]:
    """Returns the partitions whose beginning Kafka has dropped; moves the consumer.

    Of each the first offset that is left, and the time (ms) of its first record; None: none is
    left.
    """
    begins = {it: at for it, at in (await reader.beginnings(list(partitions))).items() if at}
    ends = await reader.offsets_at(dict.fromkeys(begins, NEVER))
    first = {it: min(end, begins[it] + LOOKED_AT) for it, end in ends.items() if end > begins[it]}
    times: dict[TopicPartition, int] = {}
    for record in await between(reader, {it: begins[it] for it in first}, first):
        times.setdefault(reader.place(record), record.timestamp)
    return {it: (begin, times.get(it)) for it, begin in begins.items()}


async def between(
    reader: Reader, starts: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> list[Record]:
    """Returns the committed records of partitions from one offset of each up to another.

    Moves the consumer.
    """
    if not starts:
        return []
    found, wanted = list[Record](), Ends(ends)
    reader.assign(starts)
    while not wanted.reached(at := await reader.positions()):
        done = {(reader.name(it), it.partition) for it in at if at[it] >= ends[it]}
        reader.pace(partial(_is_one, done))
        records = await reader.poll()
        found += [it for it in records if it.offset < ends[reader.place(it)]]
    reader.unreadable.clear()
    return found


def _is_one(done: set[tuple[str, int]], topic: str, partition: int) -> bool:
    return (topic, partition) in done
