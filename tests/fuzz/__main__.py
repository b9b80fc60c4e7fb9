"""The long run: `python -m tests.fuzz --cases 1000000 --seed 1 --results FILE`.

A round has ten thousand cases, shared out over all targets, and is a function of the seed and its
number. Each leaves a line of JSON in FILE; a run that was interrupted goes on behind the last one.
Exit 1 when a case failed. `--target NAME` runs one target alone.
"""

import argparse
import json
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.targets import ROUND, TARGETS, run

PRIME = 1_000_003


def one_round(seed: int, number: int, names: list[str]) -> dict[str, Any]:
    """Runs a round; returns its cases by target, seconds, and the smallest case of each fault."""
    began = time.monotonic()
    counts, faults = {}, []
    for name in names:
        share = TARGETS[name].share if len(names) > 1 else ROUND
        start = seed * PRIME + number
        done = run(name, start, share)
        counts[name] = done.cases
        if done.fault is not None:
            again = run(name, start, share, smallest=True)
            error = again.fault or done.fault
            faults.append({"target": name, "fault": "".join(traceback.format_exception(error))})
    seconds = round(time.monotonic() - began, 1)
    return {"seed": seed, "round": number, "cases": counts, "seconds": seconds, "faults": faults}


def _done(file: Path, seed: int) -> list[dict[str, Any]]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [found for found in map(json.loads, lines) if found["seed"] == seed]


def main() -> int:
    """Parses the command line, runs the rounds that are left, and says what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--results", type=Path, help="a file to keep the rounds in, and to go on")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    names = [options.target] if options.target else list(TARGETS)
    known = _done(options.results, options.seed) if options.results else []
    first = max([options.first, *(found["round"] + 1 for found in known)])
    rounds = known
    for number in range(first, options.first + -(-options.cases // ROUND)):
        rounds.append(one_round(options.seed, number, names))
        line = json.dumps(rounds[-1], ensure_ascii=True)
        print(line, flush=True)
        if options.results:
            with options.results.open("a") as file:
                file.write(f"{line}\n")
    cases = {name: sum(it["cases"].get(name, 0) for it in rounds) for name in names}
    faults = sum(len(it["faults"]) for it in rounds)
    for name, count in cases.items():
        print(f"| {name} | {count:,} |")
    print(f"{sum(cases.values()):,} cases of seed {options.seed}, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
