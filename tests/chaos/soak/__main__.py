"""`python -m tests.chaos.soak --minutes 45`: what grows; exit 1 when something does."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.chaos.soak.run import PARTITIONS, SoakPlan, perform

MOST_PERCENT_AN_HOUR = 2.0
JUDGED = ("kept_kib", "sockets_and_others", "threads")
MOST_FILES = 12 * PARTITIONS
"""Of RocksDB, in one worker that has all partitions: tests/engine/test_open_files.py."""
MOST_LOG_BYTES_AN_HOUR = 1024 * 1024
"""Of both workers."""


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--rate", type=float, default=2_000.0, help="inputs a second")
    parser.add_argument("--every", type=float, default=5.0, help="minutes between restarts")
    parser.add_argument("--steady", type=float, default=10.0, help="minutes that are not judged")
    parser.add_argument("--json", type=Path, help="where to write the result")
    given = parser.parse_args()

    def keep(so_far: dict[str, Any]) -> None:
        if given.json:
            given.json.write_text(json.dumps(so_far) + "\n")

    result = perform(SoakPlan(given.minutes, given.rate, given.every, given.steady), keep)
    keep(result)
    print(table(result))
    return 1 if faults(result) else 0


def table(result: dict[str, Any]) -> str:
    """The growth of each figure, by worker, as Markdown."""
    lines = ["| worker | figure | mean | % an hour | ± |", "|---|---|---|---|---|"]
    for worker, figures in result["growth"].items():
        for figure, one in figures.items():
            lines.append(
                f"| {worker} | {figure} | {one['mean']:,.0f} | {one['percent_an_hour']:+.2f}"
                f" | {one['give_or_take']:.2f} |"
            )
    one = result["log_growth"]
    lines.append(
        f"| both | log, bytes a minute from restart to restart | {one['mean']:,.0f}"
        f" | {one['percent_an_hour']:+.2f} | {one['give_or_take']:.2f} |"
    )
    written = ", ".join(f"{it['bytes']:,} ({it['how']})" for it in result["log_intervals"])
    return "\n".join([*lines, "", f"log, from restart to restart: {written}", *faults(result)])


def faults(result: dict[str, Any]) -> list[str]:
    """What rises too fast, and what came out wrong."""
    found = [
        f"{worker}: {figure} rises by {figures[figure]['percent_an_hour']} % an hour"
        for worker, figures in result["growth"].items()
        for figure in JUDGED
        if figures[figure]["percent_an_hour"] >= MOST_PERCENT_AN_HOUR
    ]
    log = result["log_growth"]
    # Some forty lines in five minutes: one more or less is two per cent.
    if log["percent_an_hour"] - log["give_or_take"] >= MOST_PERCENT_AN_HOUR:
        found.append(f"the log's rate rises by {log['percent_an_hour']} % an hour")
    if log["mean"] * 60 > MOST_LOG_BYTES_AN_HOUR:
        found.append(f"{log['mean'] * 60:,.0f} bytes of log an hour")
    for worker, samples in result["samples"].items():
        most = max(it["open_files"] for it in samples)
        if most > MOST_FILES:
            found.append(f"{worker}: {most} files of RocksDB are open at once")
    for wrong in ("events_twice", "accounts_with_a_gap"):
        if result[wrong]:
            found.append(f"{wrong}: {result[wrong]}")
    return found


if __name__ == "__main__":
    sys.exit(main())
