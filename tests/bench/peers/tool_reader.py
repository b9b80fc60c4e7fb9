"""A ceiling: kcat or Kafka's perf test as it comes, told when its first and last record came.

usage: tool_reader kcat|perf-test PATH. Reads what is there when it starts, says how many and ends.
The program is a child of this one, whose processor time the benchmark counts too.
"""

import os
import re
import subprocess
import sys
import time

from confluent_kafka import Consumer, TopicPartition

from tests.bench.peers.common import BOOTSTRAP, CATEGORIES, FOLLOWERS, PARTITIONS, first

PROGRESS = re.compile(r"[^,]+, \d+, [\d.]+, [\d.]+, (\d+), ")
"""A line of the perf test's `--show-detailed-stats`; its group: the records so far."""
TOTAL = re.compile(
    r"consumer-fetch-manager-metrics:records-consumed-total:\{client-id=[^,}]+\}\s+: ([\d.]+)"
)
PROGRESS_MS = 20


def kcat(path: str) -> tuple[float, int]:
    """Reads both topics one after the other; a byte comes out for each record.

    Returns when the last one came (seconds since 1970) and how many there were.
    """
    count, last = 0, time.time()
    for topic in (CATEGORIES, FOLLOWERS):
        options = ["-C", "-b", BOOTSTRAP, "-t", topic, "-o", "beginning", "-e", "-q", "-f", "."]
        # It ends at an answer without a record, for which a broker waits 500 ms as it comes.
        options += ["-X", "fetch.wait.max.ms=10"]
        with subprocess.Popen([path, *options], stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            while found := os.read(running.stdout.fileno(), 1 << 20):
                first()
                count += len(found)
                last = time.time()
        if running.returncode:
            raise SystemExit(f"kcat: exit code {running.returncode}")
    return last, count


def perf_test(path: str) -> tuple[float, int]:
    """Reads both topics as one consumer. Returns as `kcat` does."""
    options = ["--bootstrap-server", BOOTSTRAP, "--include", f"{CATEGORIES}|{FOLLOWERS}"]
    options += ["--num-records", str(_wanted()), "--show-detailed-stats", "--print-metrics"]
    options += ["--hide-header", "--reporting-interval", str(PROGRESS_MS)]
    count, last = 0, 0.0
    with subprocess.Popen([path, *options], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            progress = PROGRESS.match(line)
            if progress is None:
                # The metrics follow the last record.
                last = last or time.time()
            elif int(progress[1]):
                first()
            if total := TOTAL.match(line):
                count = round(float(total[1]))
    if running.returncode:
        raise SystemExit(f"{path}: exit code {running.returncode}")
    return last, count


def _wanted() -> int:
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "byline-bench-ends"})
    places = [
        TopicPartition(topic, number)
        for topic in (CATEGORIES, FOLLOWERS)
        for number in range(PARTITIONS)
    ]
    ends = sum(consumer.get_watermark_offsets(place)[1] for place in places)
    consumer.close()
    return ends


if __name__ == "__main__":
    ended_at, read = (kcat if sys.argv[1] == "kcat" else perf_test)(sys.argv[2])
    print(f"LAST {ended_at:.3f} {read}", flush=True)
