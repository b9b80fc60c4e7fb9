"""A long run: `python -m tests.core.invariants --histories 1000000 --seed 1`.

Prints progress and every breach as a line of JSON; exit 1 when there was a breach.
"""

import argparse
import gc
import json
import sys
import time
import traceback

from tests.core.invariants.histories import NAME, Supply, play
from tests.core.invariants.properties import NAMES, check


def run(seed: int, first: int, count: int, every: int = 10_000) -> int:
    """Play and check histories; the number of those with a breach."""
    supply, broken, began = Supply(seed), 0, time.monotonic()
    events = steps = 0
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    for number in range(first, first + count):
        try:
            history = play(seed, number, supply)
            found = [breach._asdict() for breach in check(history.trace)]
            kept = (raw for store in history.memory.state.values() for raw in store.values())
            if any(NAME in raw for raw in kept):
                found.append({"number": 6, "what": "the state holds a name"})
            steps += len(history.trace)
            events += sum(len(step.events) for step in history.trace)
        except Exception:
            found = [{"number": 0, "what": traceback.format_exc(limit=-4)}]
        if found:
            broken += 1
            _say(history=number, seed=seed, breaches=found[:5])
        done = number + 1 - first
        if done % every == 0 or done == count:
            seconds = round(time.monotonic() - began)
            _say(histories=done, seed=seed, steps=steps, events=events, broken=broken, s=seconds)
    return broken


def _say(**what: object) -> None:
    print(json.dumps(what, ensure_ascii=False), flush=True)


def main() -> int:
    """Parse, run, and say what was held against what."""
    parser = argparse.ArgumentParser(prog="python -m tests.core.invariants", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first history")
    options = parser.parse_args()
    broken = run(options.seed, options.first, options.histories)
    print(f"{len(NAMES)} properties, {options.histories} histories, {broken} with a breach")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
