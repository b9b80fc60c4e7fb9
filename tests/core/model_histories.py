"""`python -m tests.core.model_histories --first N --lives M`: the core against the model.

The histories of test_model.py: of each policy M random lives, by their seeds from N on. A run is
parts by number: with `--json` each part of some seeds is added to the file when it is done, and the
same command again goes on where it stopped. Exit 1 on a disagreement.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.core.test_model import CHANGING, MODES, NEXT, POLICIES, tell

AT_ONCE = 20
"""Seeds of a part: what an interruption loses at most."""


def histories(first: int, count: int) -> dict[str, Any]:
    """So many lives of every policy, told to both; what came of it."""
    began, told = time.monotonic(), 0
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    for name, policy, following, steps in _policies():
        for seed in range(first, first + count):
            told += 1
            try:
                kinds.update(tell(seed, policy, following, steps))
            except AssertionError as error:
                wrong.append(f"{name}, seed {seed}: {error}")
    return {
        "first": first,
        "lives_of_a_policy": count,
        "histories": told,
        "disagreements": len(wrong),
        "kinds_of_events": len(kinds),
        "seconds": round(time.monotonic() - began, 1),
        "wrong": wrong[:20],
    }


def _policies() -> list[tuple[str, Any, list[Any], int]]:
    own = [
        (name, policy, NEXT if name in CHANGING else [], 45) for name, policy in POLICIES.items()
    ]
    return [*own, *((f"mode {at}", policy, MODES, 60) for at, policy in enumerate(MODES))]


def _untold(seeds: range, kept: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """The parts that are not kept yet, each as its first seed and how many follow one another."""
    told = {one for part in kept for one in range(part["first"], part["first"] + _seeds_of(part))}
    waiting = [seed for seed in seeds if seed not in told]
    while waiting:
        count = 1
        while count < min(AT_ONCE, len(waiting)) and waiting[count] == waiting[0] + count:
            count += 1
        yield waiting[0], count
        waiting = waiting[count:]


def _seeds_of(part: dict[str, Any]) -> int:
    count: int = part["lives_of_a_policy"]
    return count


def _keep(path: Path, kept: list[dict[str, Any]]) -> None:
    """The file is whole at every instant."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    beside.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, print a line for each part and the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.core.model_histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--lives", type=int, default=AT_ONCE, help="of each policy")
    parser.add_argument("--json", type=Path, help="where the parts are kept")
    given = parser.parse_args(arguments)
    kept: list[dict[str, Any]] = []
    if given.json and given.json.exists():
        kept = json.loads(given.json.read_text())
    for first, count in _untold(range(given.first, given.first + given.lives), kept):
        part = histories(first, count)
        kept.append(part)
        print(f"{part['first']}: {part['histories']} histories, {part['seconds']} s", flush=True)
        for each in part["wrong"]:
            print(each, flush=True)
        if given.json:
            _keep(given.json, kept)
    told = sum(part["histories"] for part in kept)
    wrong = sum(part["disagreements"] for part in kept)
    print(f"{told:,} histories in all, {wrong} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
