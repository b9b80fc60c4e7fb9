"""`python -m tests.chaos.soak.steps FILE…`: does memory rise between restarts, or at them?

A leak rises all the time. What a take-over's peak leaves behind is a step at a restart, and a few
steps within 35 minutes are a slope too. So the slope is fitted a second time, with a level of its
own for each stretch between two restarts; and the levels say how high each step is.
"""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.soak.run import SETTLED_SECONDS


@dataclass(frozen=True)
class StepsOfMemory:
    """Of the worker that goes on, in % an hour and KiB.

    `whole`: the slope of one line. `between`, `give_or_take`: with a level for each stretch, and
    the standard error of that, by leaving out one stretch after the other. `steps`: by how a
    restart was made, how much higher the median is behind it.
    """

    whole: float
    between: float
    give_or_take: float
    steps: tuple[tuple[str, int], ...]


Point = tuple[float, float]


def steps(result: dict[str, Any]) -> StepsOfMemory:
    """Reads them out of a result of the soak, which holds every fifth sample."""
    restarts = result["restarts"]
    begin = result["plan"]["steady"] * 60
    stretches: dict[int, list[Point]] = defaultdict(list)
    for one in result["samples"]["goes on"]:
        at = one["at"]
        if at >= begin and all(not turn <= at < turn + SETTLED_SECONDS for turn, _ in restarts):
            kept = one["resident_kib"] - one["buffers_kib"]
            stretches[sum(turn <= at for turn, _ in restarts)].append((at, kept))
    every = [point for own in stretches.values() for point in own]
    scale = 3600 * 100 / statistics.fmean(kept for _, kept in every)
    partial = [
        _slope([own for number, own in stretches.items() if number != left_out])
        for left_out in stretches
    ]
    centre = statistics.fmean(partial)
    spread = sum((one - centre) ** 2 for one in partial) * (len(partial) - 1) / len(partial)
    levels = {
        number: statistics.median(kept for _, kept in own) for number, own in stretches.items()
    }
    found = tuple(
        (restarts[number - 1][1], round(level - levels[number - 1]))
        for number, level in sorted(levels.items())
        if number - 1 in levels
    )
    return StepsOfMemory(
        round(_slope([every]) * scale, 2),
        round(_slope(stretches.values()) * scale, 2),
        round(spread**0.5 * scale, 2),
        found,
    )


def _slope(stretches: Iterable[Sequence[Point]]) -> float:
    """Least squares of all stretches together, each with a level of its own."""
    above = below = 0.0
    for own in stretches:
        at_mean, kept_mean = (statistics.fmean(one[axis] for one in own) for axis in (0, 1))
        above += sum((at - at_mean) * (kept - kept_mean) for at, kept in own)
        below += sum((at - at_mean) ** 2 for at, _ in own)
    return above / below if below else 0.0


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak.steps", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    print("| run | %/h, one line | %/h between restarts | steps behind stops, KiB | behind kills |")
    print("|---|---|---|---|---|")
    for file in parser.parse_args().files:
        one = steps(json.loads(file.read_text()))
        made = {how: [f"{kib:+}" for by, kib in one.steps if by == how] for how, _ in one.steps}
        cells = [
            f"`results/{file.name}`",
            f"{one.whole:+.2f}",
            f"{one.between:+.2f} ± {one.give_or_take:.2f}",
            ", ".join(made.get("stopped", ())),
            ", ".join(made.get("killed", ())),
        ]
        print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
