"""`python -m tests.chaos.harsh --first N --runs M`: many simulated runs under harsh settings.

Each seed draws its own settings: how much is sent and refused, how often a worker sleeps, is opened
anew, works without a look at the topics, or sees the cluster change. Exit 1 on a difference between
the core and the model. `--json` keeps the sum, so that a run can be continued.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.chaos import sending
from tests.chaos.checks import policies
from tests.chaos.comparing import follow
from tests.chaos.simulated import Laziness, simulate
from tests.chaos.traffic import TrafficRates

SECONDS, SETTLE_SECONDS = 60.0, 70.0
"""A worker sleeps for 40 s at most, and has as long again to come to an end."""


def harsh(seed: int) -> tuple[list[str], int]:
    """One run: where core and model differ, and how many events the model made."""
    dice = Random(seed)
    garbage = dice.choice([0.02, 0.1, 0.4])
    rates = TrafficRates(
        readings=dice.choice([2.0, 5.0]),
        lives=dice.choice([4.0, 8.0]),
        crowd=100,
        brakes_every=dice.choice([10.0, 20.0, 60.0]),
    )
    lazy = Laziness(
        sleeps=dice.choice([0.001, 0.004, 0.01]),
        opens=dice.choice([0.003, 0.01, 0.03]),
        looks=dice.choice([0.3, 0.6, 0.9]),
        changes=dice.choice([0.0, 0.002, 0.02]),
    )
    before, sending.GARBAGE = sending.GARBAGE, garbage
    try:
        book, until = simulate(seed, SECONDS, 2, rates, lazy, SETTLE_SECONDS)
    finally:
        sending.GARBAGE = before
    return follow(book, policies(), datetime.fromtimestamp(until, UTC))


def main() -> int:
    """Run, print every difference and the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.harsh")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--json", type=Path, help="where the sums are kept")
    given = parser.parse_args()
    began, told, differing = time.monotonic(), 0, 0
    for seed in range(given.first, given.first + given.runs):
        breaches, events = harsh(seed)
        told += events
        differing += bool(breaches)
        for breach in breaches:
            print(f"seed {seed}: {breach}", flush=True)
    part = {
        "first": given.first,
        "runs": given.runs,
        "events": told,
        "runs_that_differ": differing,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(part))
    if given.json:
        kept = json.loads(given.json.read_text()) if given.json.exists() else []
        given.json.write_text(json.dumps([*kept, part], indent=1) + "\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
