"""`python -m tests.chaos.poison`: poison day, its table; exit 1 where something did not hold."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from streams.local.kafka import KafkaCluster
from tests.chaos.poison.run import day

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "poison.json"


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.poison", description=__doc__)
    parser.add_argument("--only", default="", help="poisons whose name has this in it")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--table", action="store_true", help="print the table of the last result")
    given = parser.parse_args()
    if given.table:
        print(table(json.loads(RESULTS.read_text())))
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="poison-kafka-") as folder,
        KafkaCluster(Path(folder)) as kafka,
    ):

        def keep(so_far: list[dict[str, Any]]) -> None:
            if given.json:
                given.json.write_text(json.dumps(so_far, indent=1, ensure_ascii=False) + "\n")

        results = day(kafka.bootstrap, lambda poison: given.only in poison.name, keep)
    print(table(results))
    return 1 if any("failed" in one for one in results) else 0


COLUMNS = {
    "poison": "poison",
    "count": "how much",
    "read_seconds": "read, s",
    "invited": "invited elsewhere, s",
    "lifted": "freed, s (longest of 5)",
    "held": "held / went on",
    "restart_seconds": "kill -9 and ready, s",
    "peak_mib": "peak, MiB",
    "log_kib": "log, KiB",
    "back_seconds": "back to normal, s",
    "way": "way back",
}


def table(results: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|" + "---|" * len(COLUMNS)]
    for one in results:
        if "failed" in one:
            lines.append(f"| {one['poison']} | **failed**: {one['failed'].splitlines()[0]} |")
            continue
        ways = [
            words.partition(" --actor")[0].partition(" → ")[0]
            for words in one["commands"]
            if not words.startswith("byline control lift")
        ]
        row = {
            **one,
            "invited": one["invited_seconds"],
            "lifted": max(one["lifted_seconds"].values()),
            "held": f"{one['held']} / {one['others_restricted']}",
            "way": "; ".join(f"`{words}`" for words in dict.fromkeys(ways)),
        }
        cells = ("–" if row[name] is None else f"{row[name]}" for name in COLUMNS)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
