"""How fast the index takes what lies in the topics: `python -m tests.index.pace --records 1000000`.

One recorded life (invited, told, restricted, agreed, freed) is played by as many accounts as make
up the records, all of them step by step, so that no account's rows lie beside each other. Kafka
runs on the same cores. Beside it the bare insert of the same rows, from memory, as the limit.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from confluent_kafka import Producer
from sqlalchemy import Engine, func, select

from schemas.topics import CHANGELOGS, TOPICS, TopicNames
from streams.index import tables
from streams.index.database import open_engine, reading, url_of
from streams.index.projection import project
from streams.index.rows import Rows
from streams.index.writer import Position, Writer
from streams.local.kafka import KafkaCluster
from streams.operate.audit.records import Record
from streams.operate.send import partition_of
from streams.operate.topics import names_of
from streams.settings import SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.core.given import DAY, HOUR
from tests.index.filled import all_of, empty
from tests.operate.recording import Tape, invited

PARTITIONS = 8
BATCH = 20_000
TOPIC = {topic.name: topic for topic in TOPICS} | {it.name: it for it in CHANGELOGS}
PRODUCING = {
    "compression.type": "lz4",
    "linger.ms": 50,
    "queue.buffering.max.messages": 500_000,
    "log_level": 0,
}


def life() -> list[Record]:
    """The records of one account, in their order; of its state the record after each decision."""
    tape = Tape()
    invited(tape, "p1").receipt(account="p1")
    tape.wait(4 * DAY).answer("granted", "p1").wait(HOUR)
    records = [it for it in all_of(tape) if it.key == b"weibo:p1"]
    (state,) = [it for it in records if it.topic == CHANGELOGS[0].name]
    steps: list[Record] = []
    for it in records:
        if it.topic == CHANGELOGS[0].name:
            continue
        steps.append(it)
        if it.topic == "decisions":
            steps.append(state)
    return steps


def played(records: int) -> Iterator[Record]:
    """The life, by so many accounts that it makes about so many records."""
    steps = life()
    accounts = [
        hashlib.sha256(str(number).encode()).hexdigest()[:12]
        for number in range(records // len(steps))
    ]
    numbers = [partition_of(f"weibo:u{it}".encode(), PARTITIONS) for it in accounts]
    for step in steps:
        for account, number in zip(accounts, numbers, strict=True):
            value = (step.value or b"").replace(b'"p1"', b'"u' + account.encode() + b'"')
            key = f"weibo:u{account}".encode()
            yield step._replace(key=key, partition=number, value=value)


def producer_of(settings: SettingsWithoutPolicies) -> Producer:
    """One that is quick, and sends each record to the partition that is named."""
    return Producer(PRODUCING | {"bootstrap.servers": settings.kafka_bootstrap_servers})


def put(producer: Producer, names: TopicNames, it: Record) -> None:
    """Produce it as soon as there is room."""
    while True:
        try:
            name = names.of(TOPIC[it.topic])
            producer.produce(name, it.value, it.key, it.partition, timestamp=it.timestamp)
            return
        except BufferError:
            producer.poll(0.5)


def produce(settings: SettingsWithoutPolicies, records: Iterable[Record]) -> int:
    """Put them into the topics; returns how many."""
    names, producer, count = names_of(settings), producer_of(settings), 0
    for count, it in enumerate(records, start=1):
        put(producer, names, it)
        if count % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(300) == 0
    return count


def bare(folder: Path, records: int) -> tuple[float, float]:
    """Seconds and processor seconds of the same rows from memory."""
    engine = empty(folder, "bare.sqlite")
    writer = Writer(engine)
    offsets: dict[tuple[str, int], int] = {}
    batches: list[tuple[Rows, dict[tuple[str, int], Position]]] = []
    rows, moved = Rows(), dict[tuple[str, int], Position]()
    for count, it in enumerate(played(records), start=1):
        place = (it.topic, it.partition)
        offset = offsets[place] = offsets.get(place, -1) + 1
        project(it._replace(offset=offset), rows, "byline.")
        moved[place] = Position(offset + 1, offset, it.timestamp)
        if count % BATCH == 0:
            batches.append((rows, moved))
            rows, moved = Rows(), {}
    batches.append((rows, moved))
    writer.begin(dict.fromkeys(offsets, 0))
    began, used = time.monotonic(), time.process_time()
    for rows, moved in batches:
        writer.write(rows, moved, {"as_of": None, "behind": 0, "written_at": 0})
    took = time.monotonic() - began, time.process_time() - used
    engine.dispose()
    return took


def indexed(settings: SettingsWithoutPolicies, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and processor seconds of `byline index` over all of it, its start among them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "streams", "index"], env=environment, check=True, cwd=Path.cwd()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, used


def rows_in(engine: Engine) -> int:
    """How many rows there are."""
    with reading(engine) as connection:
        counts = [connection.scalar(select(func.count()).select_from(it)) for it in tables.APPENDED]
    return sum(it or 0 for it in counts)


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--database", help="default: SQLite in a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, KafkaCluster(Path(name) / "kafka") as cluster:
        folder = Path(name)
        environment = {
            **os.environ,
            variable("kafka_bootstrap_servers"): cluster.bootstrap,
            variable("data_dir"): str(folder / "data"),
        }
        if options.database:
            environment[variable("database")] = options.database
        settings = SettingsWithoutPolicies(
            kafka_bootstrap_servers=cluster.bootstrap, data_dir=folder / "data"
        )
        create = [sys.executable, "-m", "streams", "topics", "create"]
        subprocess.run(
            [*create, "--partitions", str(PARTITIONS)], env=environment, check=True, stdout=2
        )
        count = produce(settings, played(options.records))
        seconds, processor = indexed(settings, environment)
        found = {
            "records": count,
            "seconds": round(seconds, 1),
            "records_a_second": round(count / seconds),
            "processor_us_a_record": round(processor * 1e6 / count, 1),
            "load": os.getloadavg()[0],
        }
        if not options.database:
            engine = open_engine(url_of(settings))
            found["rows"] = rows_in(engine)
            alone, used = bare(folder, options.records)
            found |= {
                "bare_records_a_second": round(count / alone),
                "bare_processor_us_a_record": round(used * 1e6 / count, 1),
            }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
