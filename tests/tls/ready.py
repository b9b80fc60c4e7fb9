"""`python -m tests.tls.ready`: two workers over TLS + SCRAM against two without, in turn.

How long until both are ready, and how long each partition stands still while one after the other
is restarted under load. Each round has topics of its own on one broker. Exit 1 when TLS takes over
30 % longer, a partition stands still for over five seconds, or an output is not what it has to be.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.engine.harness import HarnessWorker, Toys, wait_until
from tests.tls.cluster import ADMIN, PASSWORD, GuardedKafka

RESULT = Path(__file__).with_name("ready.json")
PARTITIONS = 8
PER_SECOND = 200
MOST_LONGER = 1.3
MOST_STILL_SECONDS = 5.0
PATIENCE_SECONDS = 180


def login(kafka: GuardedKafka) -> dict[str, Any]:
    """What a toy worker is told to come in by TLS as a user who may do everything."""
    return {
        "bootstrap_servers": kafka.address(),
        "cafile": str(kafka.authority.cafile),
        "security": {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": ADMIN,
            "sasl_plain_password": PASSWORD.format(user=ADMIN),
        },
    }


def _both_ready(one: HarnessWorker, two: HarnessWorker) -> None:
    half = PARTITIONS // 2
    wait_until(
        lambda: all(it.status["ready"] and len(it.status["parts"]) == half for it in (one, two)),
        PATIENCE_SECONDS,
        "both ready with half of the partitions each",
    )


def round_of(kafka: GuardedKafka, folder: Path, number: int, tls: bool) -> dict[str, float]:
    """Seconds until two workers are ready, and the longest in which a partition was still."""
    folder.mkdir(parents=True)
    name = f"ready-{number}-{'tls' if tls else 'plain'}"
    toys = Toys(kafka.plain, name, folder, PARTITIONS, login(kafka) if tls else {})
    toys.make_topics().add(1000)
    try:
        began = time.monotonic()
        one, two = toys.worker("one"), toys.worker("two")
        _both_ready(one, two)
        ready = time.monotonic() - began
        still = _rolling(toys, one, two)
        toys.assert_exact(PATIENCE_SECONDS)
    finally:
        toys.close()
    return {"ready_seconds": round(ready, 2), "longest_still_seconds": round(still, 2)}


def _rolling(toys: Toys, *workers: HarnessWorker) -> float:
    """Restart one after the other under load; how long a partition said nothing at most."""
    ending = threading.Event()

    def send() -> None:
        while not ending.wait(0.05):
            toys.add(PER_SECOND // 20)

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(3)
    running = {worker.name: worker for worker in workers}
    for name in [*running]:
        running[name].stop()
        running[name] = toys.worker(name)
        _both_ready(*running.values())
        time.sleep(2)
    ending.set()
    sender.join()
    toys.assert_exact(PATIENCE_SECONDS)
    seen = toys.read("out").values()
    gaps = [
        after.timestamp()[1] - before.timestamp()[1]
        for messages in seen
        for before, after in pairwise(messages)
    ]
    return max(gaps) / 1000


def main() -> int:
    """Alternate rounds, their medians, the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.tls.ready", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name} as well")
    given = parser.parse_args()
    rounds: dict[str, list[dict[str, float]]] = {"plain": [], "tls": []}
    with (
        tempfile.TemporaryDirectory(prefix="byline-ready-") as name,
        GuardedKafka(Path(name) / "kafka") as kafka,
    ):
        for number in range(given.rounds):
            for kind in rounds if number % 2 == 0 else reversed(rounds):
                folder = Path(name) / f"{number}-{kind}"
                rounds[kind].append(round_of(kafka, folder, number, kind == "tls"))
                load = round(os.getloadavg()[0], 1)
                print(number, kind, rounds[kind][-1], "load", load, file=sys.stderr)
    result = judged(rounds)
    text = json.dumps(result, indent=1)
    print(text)
    if given.write:
        RESULT.write_text(text + "\n")
    return 0 if result["holds"] else 1


def judged(rounds: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians of the rounds, and whether they hold."""
    medians = {
        kind: {name: statistics.median(it[name] for it in own) for name in own[0]}
        for kind, own in rounds.items()
    }
    ratio = medians["tls"]["ready_seconds"] / medians["plain"]["ready_seconds"]
    still = max(it["longest_still_seconds"] for it in rounds["tls"])
    return {
        "partitions": PARTITIONS,
        "per_second": PER_SECOND,
        "medians": medians,
        "ready_tls_to_plain": round(ratio, 2),
        "longest_still_over_tls_seconds": still,
        "holds": ratio <= MOST_LONGER and still <= MOST_STILL_SECONDS,
        "rounds": rounds,
    }


if __name__ == "__main__":
    sys.exit(main())
