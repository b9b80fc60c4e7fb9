"""Compares the compiled columns with the pure code over many records, good and bad.

    python -m tests.fuzz.compiled --records 10000000 --seed 1

Prints the records compared, and ends with 1 at the first batch that is read differently; the seed
and the number of the round repeat it.
"""

import argparse
import random
import time

from tests.engine.drawn_batches import compare

ROUND = 2_000
"""How many batches are drawn from one seed."""


def main() -> None:
    """Arguments in the module's docstring."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began, done, batches, refused, number = time.monotonic(), 0, 0, 0, 0
    while done < asked.records:
        random_ = random.Random(f"{asked.seed}-{number}")
        for _ in range(ROUND):
            try:
                found = compare(random_)
            except AssertionError as error:
                raise SystemExit(f"seed {asked.seed}, round {number}: {error}") from error
            done, batches, refused = done + found, batches + 1, refused + (found == 0)
        number += 1
        if number % 50 == 0:
            print(f"{number} rounds, {done:,} records", flush=True)
    print(
        f"seed {asked.seed}: {batches:,} batches, {refused:,} left to the pure code,"
        f" {done:,} records compared in {time.monotonic() - began:.0f} s: no difference"
    )


if __name__ == "__main__":
    main()
