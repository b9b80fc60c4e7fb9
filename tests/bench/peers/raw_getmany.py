"""The ceiling: aiokafka's getmany and a JSON decoder on every record, and nothing else.

usage: raw_getmany msgspec|json. Reads what is there when it starts, says how many and ends.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.peers.common import BOOTSTRAP, CATEGORIES, FOLLOWERS, PARTITIONS, first

POLL_RECORDS = 5_000


class RawReading(msgspec.Struct):
    """As Byline's decoder has it."""

    platform: str
    account_id: str
    followers: int
    observed_at: str


class RawLabel(msgspec.Struct):
    """As Byline's decoder has it."""

    platform: str
    account_id: str
    category: str
    observed_at: str


def decoders(kind: str) -> dict[str, Callable[[bytes], Any]]:
    """By topic."""
    if kind == "json":
        return {FOLLOWERS: json.loads, CATEGORIES: json.loads}
    return {
        FOLLOWERS: msgspec.json.Decoder(RawReading).decode,
        CATEGORIES: msgspec.json.Decoder(RawLabel).decode,
    }


async def main(kind: str) -> None:
    """Read to the ends."""
    decode = decoders(kind)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BOOTSTRAP, enable_auto_commit=False, fetch_max_wait_ms=50
    )
    await consumer.start()
    places = [
        TopicPartition(topic, number)
        for topic in (CATEGORIES, FOLLOWERS)
        for number in range(PARTITIONS)
    ]
    consumer.assign(places)
    await consumer.seek_to_beginning()
    ends = await consumer.end_offsets(places)
    wanted, count = sum(ends.values()), 0
    while count < wanted:
        found = await consumer.getmany(timeout_ms=1000, max_records=POLL_RECORDS)
        if found:
            first()
        for place, messages in found.items():
            decoded = list(map(decode[place.topic], [message.value for message in messages]))
            count += len(decoded)
    print(f"LAST {time.time():.3f} {count}", flush=True)
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
