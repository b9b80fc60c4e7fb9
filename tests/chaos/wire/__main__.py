"""`python -m tests.chaos.wire --seed S --first N --rounds M`: rounds, their table, 1 on violations.

A run is rounds by number, each with the seed `S.number`: with `--json` each is added to the file
when it is done, so that a run can be continued (`--first`), and the table is of all in the file.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.wire.node import proxied
from tests.chaos.wire.rounds import TREE, WirePlan, perform
from tests.chaos.wire.table import table


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.wire", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first round")
    parser.add_argument("--rounds", type=int, default=1, help="how many; 0 shows the table alone")
    parser.add_argument("--count", type=int, default=300, help="inputs of a partition and round")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--code", type=Path, default=TREE, help="the tree whose engine is judged")
    parser.add_argument("--sender", choices=("shipped", "aiokafka"), default="shipped")
    parser.add_argument(
        "--version", choices=("first", "second"), default="second", help="of transactions"
    )
    parser.add_argument(
        "--repeats", choices=("late", "at once"), default="late", help="when a copy arrives"
    )
    parser.add_argument("--json", type=Path, help="where the rounds are kept")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept: list[dict[str, object]] = []
    if given.json and given.json.exists():
        kept = json.loads(given.json.read_text())
    asyncio.run(_rounds(given, kept))
    print(table(kept))
    return 1 if any(each["violations"] for each in kept) else 0


async def _rounds(given: argparse.Namespace, kept: list[dict[str, object]]) -> None:
    if not given.rounds:
        return
    with tempfile.TemporaryDirectory(prefix="wire-kafka-") as folder:
        kafka = proxied(Path(folder))
        with kafka.cluster:
            for number in range(given.first, given.first + given.rounds):
                plan = WirePlan(
                    seed=f"{given.seed}.{number}",
                    count=given.count,
                    partitions=given.partitions,
                    late_repeats=given.repeats == "late",
                    sender=given.sender,
                    version=given.version,
                    code=given.code,
                )
                outcome = await perform(kafka, plan)
                kept.append({"seed": plan.seed, "plan": plan.settings(), **outcome.as_json()})
                print(f"round {plan.seed}: {outcome.seconds} s, {outcome.ended}", file=sys.stderr)
                for violation in outcome.violations:
                    print(f"  {violation}", file=sys.stderr)
                if given.json:
                    given.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
