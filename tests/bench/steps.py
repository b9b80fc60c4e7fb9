"""What a step of the core costs in two trees of the code, without Kafka, disk or network.

Each tree is measured in a process of its own, in turn. What is timed is the processor's time of
many small chunks, of which the least counts: whatever else the machine does only ever adds to it.
So a few per cent can be told also on a machine that is busy with other things.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import steps_cases
from tests.bench.process import ROOT

SLOWER, LARGER = 1.05, 1.10
"""How much worse a case may be: processor's time, bytes."""

Costs = dict[str, float]
"""Microseconds, or bytes, by case."""


def measure(tree: Path, cases: Sequence[str]) -> Costs:
    """One process of a tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-P", str(Path(steps_cases.__file__)), *cases]
    done = subprocess.run(command, env=environment, cwd=tree, check=True, capture_output=True)
    found: Costs = json.loads(done.stdout)
    return found


def rounds(before: Path, after: Path, count: int, cases: Sequence[str]) -> Iterator[Costs]:
    """The costs of both trees by turns, `before` in the even places; who begins alternates."""
    for number in range(count):
        trees = (before, after) if number % 2 == 0 else (after, before)
        costs: dict[Path, Costs] = {before: {}, after: {}}
        # Case by case, so that both trees meet the same machine.
        for case in cases or ("bytes", *steps_cases.TIMED):
            for tree in trees:
                costs[tree] |= measure(tree, [case])
        yield costs[before]
        yield costs[after]


def least(rounds_of: Sequence[Costs]) -> Costs:
    """The least of every case."""
    found: dict[str, list[float]] = defaultdict(list)
    for costs in rounds_of:
        for case, cost in costs.items():
            found[case].append(cost)
    return {case: min(costs) for case, costs in found.items()}


def show(before: Costs, after: Costs, console: Console) -> bool:
    """The table; whether no case is worse than it may be."""
    table = Table("case", "what", "before", "after", "worse by", "at most", "")
    holds = True
    for case, cost in before.items():
        growth, bound = after[case] / cost, LARGER if case.startswith("bytes") else SLOWER
        holds = holds and growth <= bound
        table.add_row(
            case,
            _what(case),
            f"{cost:.2f}",
            f"{after[case]:.2f}",
            f"{growth:.3f} ×",
            f"{bound:.2f} ×",
            "holds" if growth <= bound else "fails",
        )
    console.print(table)
    return holds


def _what(case: str) -> str:
    if case.startswith("bytes"):
        return "bytes of an account, " + case.partition("_")[2].replace("_", " ")
    return (steps_cases.TIMED[case].__doc__ or "").strip() + ", µs"


def compare(
    before: Path, count: int, cases: Sequence[str], console: Console, say: Callable[[str], None]
) -> bool:
    """Measure this tree against another; whether it holds."""
    found: tuple[list[Costs], list[Costs]] = ([], [])
    for number, costs in enumerate(rounds(before, ROOT, count, cases)):
        found[number % 2].append(costs)
        if number % 2:
            say(f"round {number // 2 + 1} of {count}")
    return show(least(found[0]), least(found[1]), console)
