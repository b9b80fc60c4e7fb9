"""`python -m tests.policies.values`: changes every value of the shipped policies, in turn.

Writes values.md: how many changes the shipped lives notice, by platform and kind of value.
"""

import platform
import time
from collections import Counter
from pathlib import Path
from statistics import median

from streams.lives.mutants import MutantResult, run_mutants
from streams.lives.running import ROWS, rows_taken, run_suite
from streams.lives.suite import read_suite
from tests.policies.given import SHIPPED

RUNS = 5
TABLE = Path(__file__).with_name("values.md")
KINDS = {
    "phases": "lines, dates",
    "stability": "ratio, durations",
    "notice": "notice, window",
    "fields": "labels, fields",
    "consequence": "surfaces, answers",
    "caps": "caps",
    "guards": "guards",
}


def kind(change: str) -> str:
    """Which part of a policy a change belongs to."""
    return KINDS.get(change.partition(".")[0], "mode, roll-out, on_fall_below")


def table(results: list[MutantResult]) -> list[str]:
    """The rows of values.md."""
    kinds = [*KINDS.values(), kind("mode")]
    lines = [f"| platform | {' | '.join(kinds)} | all | share |", "|---" * (len(kinds) + 3) + "|"]
    for name in [*sorted({it.platform for it in results}), "all"]:
        mine = [it for it in results if name in (it.platform, "all")]
        tried = Counter(kind(it.change) for it in mine)
        noticed = Counter(kind(it.change) for it in mine if it.noticed_by is not None)
        cells = [f"{noticed[it]} of {tried[it]}" for it in kinds]
        total = sum(noticed.values())
        share = f"{100 * total / len(mine):.1f} %"
        lines.append(f"| {name} | {' | '.join(cells)} | {total} of {len(mine)} | {share} |")
    return lines


def main() -> None:
    """Runs everything and writes the table."""
    took, used = [], []
    for _ in range(RUNS):
        began, began_cpu = time.perf_counter(), time.process_time()
        suites = [read_suite(path) for path in sorted((SHIPPED / "tests").glob("*.yaml"))]
        results = [run_suite(suite) for suite in suites]
        took.append(time.perf_counter() - began)
        used.append(time.process_time() - began_cpu)
    seconds, processor = median(took), median(used)
    assert not any(it.failed for it in results), "byline policy test says which do not hold"
    cases = sum(len(it.results) for it in results)
    taken = rows_taken(results)
    began = time.perf_counter()
    found = run_mutants(suites)
    tried = time.perf_counter() - began
    lost = [f"* {it.platform}: {it.change}" for it in found if it.noticed_by is None]
    text = [
        "# What the shipped lives notice",
        "",
        "Made by `python -m tests.policies.values`; `byline policy test --values` prints the same.",
        "Each value of a policy is changed in turn, then its lives are led again.",
        "",
        f"{cases} cases in {seconds:.2f} s, reading included (median of {RUNS} runs, from"
        f" {min(took):.2f} to {max(took):.2f}): {1000 * seconds / cases:.2f} s for 1,000.",
        f"Of the processor {processor:.2f} s: {1000 * processor / cases:.2f} s for 1,000 cases.",
        f"{len(found)} changes in {tried:.0f} s. Python {platform.python_version()},",
        "one process of a machine of two cores on which others worked at the time.",
        "",
        f"Rows of the three machines taken, of {len(ROWS)}: "
        + ", ".join(f"{name} {len(rows & ROWS)}" for name, rows in taken.items())
        + ".",
        "",
        *table(found),
        "",
        "Not noticed:" if lost else "Every change is noticed.",
        *lost,
    ]
    TABLE.write_text("\n".join(text) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
