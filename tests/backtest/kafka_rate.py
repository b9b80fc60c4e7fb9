"""Measures the recording of a topic into the cache, beside a bare reading of the same topic.

    python -m tests.backtest.kafka_rate --records 1000000 --rounds 3

On a real Kafka of its own. Bare: aiokafka's `getmany` of 2,000 records and msgspec's decoding of
each. Both take turns, each in a process of its own; its start does not count. Writes
kafka_rate.json.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from schemas.inputs import InputName
from streams.operate import topics
from streams.settings import Settings

TOPIC: InputName = "follower-counts"
PARTITIONS = 4
FULL = f"byline.{TOPIC}"


def fill(bootstrap: str, records: int) -> None:
    """Makes the topics and sends readings; one account in 200 is over a line of 500,000."""
    from tests.bench.loading import load

    asyncio.run(topics.create(Settings(kafka_bootstrap_servers=bootstrap), PARTITIONS, 1))
    load(bootstrap, FULL, readings(records))


def readings(records: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values."""
    for number in range(records):
        account = f"a{number * 2_654_435_761 % (records // 60)}"
        count = 600_000 if number % 200 == 0 else number % 400_000
        value = (
            f'{{"platform":"weibo","account_id":"{account}","followers":{count}'
            f',"observed_at":"2026-01-{1 + number % 28:02}T00:00:00.{number % 1000:03}Z"}}'
        )
        yield f"weibo:{account}".encode(), value.encode()


async def bare(bootstrap: str) -> int:
    """Reads and decodes the topic."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from streams.core.inputs.decode import DECODERS

    decode, count = DECODERS[TOPIC].decode, 0
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await reader.start()
    partitions = [TopicPartition(FULL, number) for number in range(PARTITIONS)]
    reader.assign(partitions)
    await reader.seek_to_beginning(*partitions)
    ends = await reader.end_offsets(partitions)
    while count < sum(ends.values()):
        for found in (await reader.getmany(timeout_ms=300, max_records=2_000)).values():
            count += len([decode(it.value) for it in found])
    await reader.stop()
    return count


async def recorded(bootstrap: str) -> int:
    """Records the topic into a new cache."""
    from streams.backtest.cache import Cache, read_manifest
    from streams.backtest.progress import silent
    from streams.backtest.recording import record
    from streams.operate.clients import consumer
    from streams.processor import partitioner

    with tempfile.TemporaryDirectory() as name:
        async with consumer(Settings(kafka_bootstrap_servers=bootstrap)) as client:
            cache = Cache(Path(name) / "cache")
            place = await record(client, FULL, TOPIC, cache, silent, partitioner=partitioner)
        return read_manifest(place / "manifest.json").rows


def measure(what: str, bootstrap: str) -> None:
    """Prints records, seconds and CPU seconds of one reading."""
    import pyarrow.parquet  # noqa: F401 - what a recording loads is not measured

    import streams.backtest.recording
    import streams.operate.clients  # noqa: F401

    began, cpu = time.perf_counter(), time.process_time()
    count = asyncio.run({"bare": bare, "recorded": recorded}[what](bootstrap))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"records": count, "seconds": round(seconds, 2), "cpu": round(cpu, 2)}))


def run(records: int, rounds: int, out: Path) -> None:
    """Starts Kafka, fills it, and measures in turn."""
    from streams.local.kafka import KafkaCluster

    found: dict[str, list[dict[str, Any]]] = {"bare": [], "recorded": []}
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaCluster(Path(name)) as cluster,
    ):
        fill(cluster.bootstrap, records)
        for _ in range(rounds):
            for what, every in found.items():
                words = ["--do", what, "--bootstrap", cluster.bootstrap]
                command = [sys.executable, "-m", "tests.backtest.kafka_rate", *words]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                every.append(json.loads(done.stdout.splitlines()[-1]))
                print(what, every[-1], flush=True)
    ratios = {
        kind: round(
            median(it[kind] for it in found["bare"]) / median(it[kind] for it in found["recorded"]),
            2,
        )
        for kind in ("seconds", "cpu")
    }
    load = round(os.getloadavg()[0], 1)
    settings = {"records": records, "partitions": PARTITIONS, "load_at_end": load}
    text = {"settings": settings, "rate_to_bare": ratios, "rounds": found}
    out.write_text(json.dumps(text, indent=1) + "\n")
    print(ratios)


def main() -> None:
    """Arguments in the module's docstring; `--do` is one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("kafka_rate.json"))
    parser.add_argument("--do")
    parser.add_argument("--bootstrap")
    asked = parser.parse_args()
    if asked.do is None:
        run(asked.records, asked.rounds, asked.out)
    else:
        measure(asked.do, asked.bootstrap)


if __name__ == "__main__":
    main()
