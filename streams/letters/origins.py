"""Fetches the refused records of dead letters from their topics.

A record that Kafka no longer has, or in whose place is another one, is returned as gone.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

from aiokafka import TopicPartition

from streams.core.inputs.letters import UNKNOWN
from streams.core.model.ids import key_name, keyed_digest
from streams.kafka.consumer import TolerantConsumer
from streams.letters.reading import UNREADABLE_BATCH, Letter
from streams.settings import Settings
from streams.settings_checks import id_key

STALL_SECONDS = 10.0
BEHIND = "it lies behind an open transaction (`byline topics blocked` says whose)"
OTHER_KEY = "whether it is still the same record is known under another ID_KEY alone, named"
NEAR = 20_000
"""If the next record is at most this many offsets away, the reader reads on and does not seek."""


class Found(NamedTuple):
    """A dead letter with its refused record. `gone`: why there is no record, None if there is."""

    letter: Letter
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    gone: str | None = None


async def fetch(
    client: TolerantConsumer, settings: Settings, letters: Iterable[Letter]
) -> AsyncIterator[Found]:
    """Yields the refused record of each letter, partition by partition, in order of offset."""
    by_place: dict[TopicPartition, list[Letter]] = defaultdict(list)
    for letter in letters:
        if letter.reason == UNREADABLE_BATCH:
            yield _gone(letter, "its batch cannot be unpacked")
        elif letter.origin.topic == UNKNOWN:
            yield _gone(letter, "it names no input of Byline's")
        else:
            topic = settings.topic_prefix + letter.origin.topic
            by_place[TopicPartition(topic, letter.origin.partition)].append(letter)
    for place, wanted in sorted(by_place.items()):
        known = (await client._client.fetch_all_metadata()).partitions_for_topic(place.topic)
        if place.partition not in (known or ()):
            for letter in wanted:
                yield _gone(letter, "its topic is gone")
            continue
        wanted.sort()
        begin = (await client.beginning_offsets([place]))[place]
        end = (await client.end_offsets([place]))[place]
        key = id_key(settings)
        async for found in _of(client, place, wanted, begin, end, key):
            yield found


async def _of(
    client: TolerantConsumer,
    place: TopicPartition,
    wanted: list[Letter],
    begin: int,
    end: int,
    key: bytes | None,
) -> AsyncIterator[Found]:
    client.assign([place])
    position: int | None = None
    index, loop = 0, asyncio.get_running_loop()
    last = loop.time()
    while index < len(wanted):
        offset = wanted[index].origin.offset
        if offset < begin or offset >= end:
            what = "Kafka has dropped it" if offset < begin else "its topic was made anew"
            yield _gone(wanted[index], what)
            index += 1
            continue
        if position is None or not position <= offset <= position + NEAR:
            client.seek(place, offset)
            position = offset
        stretches = await client.take(0.5)
        if not stretches and loop.time() - last > STALL_SECONDS:
            yield _gone(wanted[index], BEHIND)
            index += 1
            continue
        for stretch in stretches:
            last = loop.time()
            at = {record.offset: record for record in stretch.records}
            while index < len(wanted) and wanted[index].origin.offset < stretch.end:
                yield _found(wanted[index], at.get(wanted[index].origin.offset), key)
                index += 1
            position = stretch.end


def _found(letter: Letter, record: object, id_key: bytes | None) -> Found:
    if record is None:
        return _gone(letter, "Kafka has dropped it (compaction, or an aborted transaction)")
    key, value = getattr(record, "key", None), getattr(record, "value", None)
    if letter.digest_key is None:
        id_key = None
    elif id_key is None or key_name(id_key) != letter.digest_key:
        return _gone(letter, f"{OTHER_KEY} {letter.digest_key}: give that one, or dismiss it")
    digest = None if value is None else keyed_digest(value, id_key)
    if digest != letter.digest:
        return _gone(letter, "another record lies there: the topic was made anew")
    return Found(letter, key, value, tuple(getattr(record, "headers", ())))


def _gone(letter: Letter, why: str) -> Found:
    return Found(letter, None, None, (), why)
