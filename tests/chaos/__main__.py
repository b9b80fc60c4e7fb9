"""`python -m tests.chaos --minutes N --seed S`: a run, its table, exit 1 on violations.

With `--first N --parts M` a run in parts, each with the seed `S.number`: with `--json` each is
added to the file when it is done, so that a run can be continued. `--judge book.pkl` judges what
`--keep` kept once more; what needs the run's own Kafka or disks is left out.
"""

import argparse
import json
import pickle
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from streams.engine.failpoints import POINTS
from tests.chaos.checks import judge
from tests.chaos.report import table
from tests.chaos.run import DRAIN_SECONDS, Plan, perform
from tests.chaos.schedule import KINDS
from tests.chaos.traffic import TrafficRates


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=1, help="the schedule's")
    parser.add_argument("--every", type=float, default=6.0, help="seconds between faults")
    parser.add_argument("--faults", default=",".join(KINDS), help="kinds, comma between; or none")
    parser.add_argument("--failpoints", type=float, default=0.75, help="share of armed starts")
    parser.add_argument("--points", default=",".join(POINTS), help="to die at, comma between")
    parser.add_argument("--readings", type=float, default=400.0, help="of the crowd, a second")
    parser.add_argument("--lives", type=float, default=4.0, help="begun a second")
    parser.add_argument("--accounts", type=int, help="that have lives; without: ever new ones")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--tls", action="store_true", help="workers speak TLS")
    parser.add_argument("--first", type=int, help="number of the first part")
    parser.add_argument("--parts", type=int, default=1, help="how many, from `--first` on")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="where to keep what was read (pickle)")
    parser.add_argument("--judge", type=Path, help="a kept book, to be judged once more")
    parser.add_argument("--json", type=Path, help="where to write the result")
    given = parser.parse_args()
    if given.judge:
        return _judge_again(given.judge)
    kinds = () if given.faults == "none" else tuple(given.faults.split(","))
    wrong = set(kinds) - set(KINDS)
    points = tuple(given.points.split(","))
    if unknown := set(points) - set(POINTS):
        parser.error(f"no such points: {', '.join(unknown)}; there are {', '.join(POINTS)}")
    if wrong:
        parser.error(f"no such faults: {', '.join(wrong)}; there are {', '.join(KINDS)}")
    # A run that is told to end takes its brokers, workers, networks and disks with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(
        seed=given.seed,
        minutes=given.minutes,
        every=given.every,
        kinds=kinds,
        failpoints=given.failpoints if kinds else 0.0,
        rates=TrafficRates(readings=given.readings, lives=given.lives, accounts=given.accounts),
        points=points,
        brokers=given.brokers,
        workers=given.workers,
        encrypted=given.tls,
        keep=given.keep,
    )
    if given.first is None:
        result = perform(plan)
        _write(given.json, result)
        return _told(result)
    worst = 0
    for number in range(given.first, given.first + given.parts):
        result = perform(replace(plan, number=number))
        before = given.json is not None and given.json.exists()
        _write(given.json, [*(json.loads(given.json.read_text()) if before else []), result])
        worst = max(worst, _told(result))
    return worst


def _judge_again(path: Path) -> int:
    verdict = judge(*_kept(path))
    for name, number in verdict.counts.items():
        print(f"  {name:34} {number:>10,}")
    for name, found in verdict.breaches.items():
        print(f"  {name:34} {len(found) or 'ok':>10}")
        for text in found:
            print(f"  ! {text}")
    return 1 if verdict.violations else 0


def _kept(path: Path) -> tuple[Any, None, Any, float]:
    book, acked_at, until = pickle.loads(path.read_bytes())
    return book, None, acked_at, until


def _write(path: Path | None, what: Any) -> None:
    if path is not None:
        path.write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n")


def _told(result: dict[str, Any]) -> int:
    """Print the table; 1 on violations, or when it was not drained in time."""
    print(table(result))
    late = result["drained_seconds"] is None or result["drained_seconds"] > DRAIN_SECONDS
    return 1 if result["violations"] or late else 0


if __name__ == "__main__":
    sys.exit(main())
