"""`python -m tests.support.side_by_side`: how many test processes this machine bears, measured.

`sh tests/run.sh` asks. Most tests wait most of the time, and six processes keep two processors busy
where twenty million additions of a function take 0.75 s (at a module's level, where names are
looked up, twice that). On a slower machine six only take the processor from each other, and what a
test waits for comes too late: with half the speed six tests of 7,600 failed for it. The number is
printed, the measurement goes to standard error.
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

MOST, FEWEST = 6, 3
GOOD_SECONDS = 0.75
"""What twenty million additions take where six processes are right."""
PART = 20
"""The loop that is measured is this part of twenty million: some 0.05 s a try."""
TRIES = 21


def _loop(_: int) -> float:
    began = time.perf_counter()
    total = 0
    for number in range(20_000_000 // PART):
        total += number
    assert total
    return (time.perf_counter() - began) * PART


def measured() -> float:
    """Seconds of twenty million additions while every processor does them: the middle try."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:
        # Only Linux has it.
        processors = os.cpu_count() or 1
    with ProcessPoolExecutor(processors) as pool:
        tries = [max(pool.map(_loop, range(processors))) for _ in range(TRIES)]
    return sorted(tries)[TRIES // 2]


def bearable(seconds: float) -> int:
    """As many as share a processor's time as six do where the loop takes `GOOD_SECONDS`."""
    return max(FEWEST, min(MOST, round(MOST * GOOD_SECONDS / seconds)))


if __name__ == "__main__":
    took = measured()
    number = bearable(took)
    sys.stderr.write(f"{number} test processes: twenty million additions take {took:.2f} s here\n")
    print(number)
