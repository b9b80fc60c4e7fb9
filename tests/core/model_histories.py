"""`python -m tests.core.model_histories --first N --lives M`: the core against the model.

The histories of test_model.py: of each policy M random lives, by their seeds from N on. A run is
parts by number: with `--json` each hundred is added to the file when it is done, so that a run can
be continued. Exit 1 on a disagreement.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.core.test_model import MODES, NEXT, POLICIES, tell

AT_ONCE = 100


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
        (name, policy, NEXT if name in ("fair", "refusal alone") else [], 45)
        for name, policy in POLICIES.items()
    ]
    return [*own, *((f"mode {at}", policy, MODES, 60) for at, policy in enumerate(MODES))]


def main() -> int:
    """Parse, run, print a line for each hundred and the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.core.model_histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--lives", type=int, default=AT_ONCE, help="of each policy")
    parser.add_argument("--json", type=Path, help="where the parts are kept")
    given = parser.parse_args()
    kept: list[dict[str, Any]] = []
    if given.json and given.json.exists():
        kept = json.loads(given.json.read_text())
    for first in range(given.first, given.first + given.lives, AT_ONCE):
        part = histories(first, min(AT_ONCE, given.first + given.lives - first))
        kept.append(part)
        print(f"{part['first']}: {part['histories']} histories, {part['seconds']} s", flush=True)
        for each in part["wrong"]:
            print(each, flush=True)
        if given.json:
            given.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    told = sum(part["histories"] for part in kept)
    wrong = sum(part["disagreements"] for part in kept)
    print(f"{told:,} histories in all, {wrong} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
