"""kill -9 at random while letters are redriven: `python -m tests.letters.killed --kills 100`.

The letters are of records that were refused for a platform without a policy, which has one now.
Each kill meets a running redrive: one in ten while it starts or reads, the others once it has
written a random number of records, committed or not, and a few milliseconds later, so that all of
them share the letters. In the end each record lies in its topic twice, the refused one and one
more, and each letter has one mark. Prints one line of JSON; exit 1 where anything differs.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from streams.local.kafka import KafkaCluster
from streams.operate.audit.records import Record
from streams.operate.send import partition_of
from streams.operate.topics import names_of
from streams.settings import Settings, SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.index.poured import pour
from tests.letters.refused import AT, answer, records_of
from tests.support import processes
from tests.support.zygote import Child

PARTITIONS = 4
SAID = ("--actor", "op.1", "--reason", "error_correction", "--all", "--yes")
READING_SHARE = 0.1
"""So many of the kills meet a redrive that has not written yet, as far as chance has it."""


def refused(count: int) -> Iterator[Record]:
    """Records and the letters about them, of now: retention removes what is old in a long run."""
    now = int(time.time() * 1000)
    offsets: Counter[int] = Counter()
    for number in range(count):
        key = f"weibo:a{number}".encode()
        where = partition_of(key, PARTITIONS)
        value = json.dumps(answer(f"a{number}")).encode()
        offset, offsets[where] = offsets[where], offsets[where] + 1
        yield Record("consent-answers", where, offset, now, key, value)
        letter = {
            "topic": "byline.consent-answers",
            "partition": where,
            "offset": offset,
            "last_offset": None,
            "timestamp": AT,
            "reason": "unknown_platform",
            "field": "platform",
            "value_digest": hashlib.sha256(value).hexdigest(),
            "value_bytes": len(value),
            "refused_at": AT,
        }
        yield Record("dead-letters", where, 0, now, key, json.dumps(letter).encode())


class WrittenLetters:
    """How much has been written about letters, what was never committed among it."""

    def __init__(self, settings: Settings) -> None:
        self._client = Consumer(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": "watcher"}
        )
        name = names_of(settings).prefix + "dead-letters"
        self._parts = [TopicPartition(name, number) for number in range(PARTITIONS)]

    def __call__(self) -> int:
        """Records, letters and marks of ends of transactions alike."""
        ends = [self._client.get_watermark_offsets(it, timeout=30)[1] for it in self._parts]
        return sum(ends)

    def close(self) -> None:
        """Leave the broker."""
        self._client.close()


def until(chance: random.Random, process: Child, written: WrittenLetters, share: float) -> None:
    """Wait for the instant of a kill, or for the end of the process."""
    if chance.random() < READING_SHARE:
        time.sleep(chance.uniform(0.0, 3.0))
        return
    wanted = written() + chance.uniform(0, 1.5 * share)
    while process.poll() is None and written() < wanted:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.02))


def main() -> int:
    """Run so many kills, and then to the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=15)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaCluster(Path(name) / "kafka", brief=True) as cluster,
    ):
        log = Path(name) / "log"
        environment = {
            **os.environ,
            variable("kafka_bootstrap_servers"): cluster.bootstrap,
            variable("data_dir"): str(Path(name) / "data"),
        }
        settings = SettingsWithoutPolicies(kafka_bootstrap_servers=cluster.bootstrap)
        made = processes.run(["topics", "create", "--partitions", str(PARTITIONS)], environment)
        assert made.returncode == 0, made.stderr
        pour(settings, refused(options.letters))
        command = ["dead-letters", "redrive", *SAID]
        written = WrittenLetters(settings)
        begun, running, working = written(), 0, 0
        for number in range(options.kills):
            process = processes.start(command, environment, log)
            before = written()
            until(chance, process, written, options.letters / options.kills)
            process.kill()
            running += process.wait(60) == -signal.SIGKILL
            working += written() > before
            if number % 10 == 9:
                say = f"{number + 1} kills, {written() - begun} records written"
                sys.stderr.write(f"{say}, {time.monotonic() - began:.0f} s\n")
        last = processes.run(command, environment, timeout=1_200)
        assert last.returncode == 0, last.stderr
        written.close()
        sent = Counter(it["account_id"] for _, it in records_of(settings, "consent-answers"))
        marks = Counter(
            (it["partition"], it["offset"])
            for _, it in records_of(settings, "dead-letters")
            if "settled" in it
        )
        found = {
            "letters": options.letters,
            "kills": options.kills,
            "of_a_running_one": running,
            "of_one_that_had_written": working,
            "left_for_the_last_run": last.stdout.splitlines()[0],
            "lost": sum(count < 2 for count in sent.values()),
            "sent_twice": sum(count > 2 for count in sent.values()),
            "marks_missing": options.letters - len(marks),
            "marked_twice": sum(count > 1 for count in marks.values()),
            "seconds": round(time.monotonic() - began),
            "seed": options.seed,
        }
    print(json.dumps(found))
    names = ("lost", "sent_twice", "marks_missing", "marked_twice")
    return 1 if any(found[it] for it in names) else 0


if __name__ == "__main__":
    sys.exit(main())
