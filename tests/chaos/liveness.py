"""`python -m tests.chaos.liveness`: what it costs to restart, and that nothing stalls.

Static restart, rolling restart, many starts at once; each with traffic, the verdict at the end.
"""

import argparse
import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.chaos.grounds import ChaosSite
from tests.chaos.stage import ChaosStage
from tests.chaos.traffic import TrafficRates

RATES = TrafficRates(readings=200.0, lives=3.0, crowd=5_000)
STALL_SECONDS = 60.0
_OWNED = re.compile(r"generation (\d+): partitions \[([\d, ]*)\]")


def owned(stage: ChaosStage, number: int) -> tuple[int, set[int]]:
    """The last generation and partitions that a worker's log tells of."""
    found = _OWNED.findall(stage.supervisor.log(number).read_text(errors="replace"))
    generation, numbers = found[-1]
    return int(generation), {int(one) for one in numbers.split(",") if one.strip()}


def _calm(stage: ChaosStage) -> None:
    stage.begin(3)
    time.sleep(20)


def static_restart(stage: ChaosStage) -> dict[str, Any]:
    """kill -9 of one worker that comes back at once: what the partitions of the others notice."""
    before = {number: owned(stage, number) for number in range(3)}
    at = time.time()
    stage.supervisor.kill(stage.supervisor.slots[0])
    stage.heard_since(at + 0.5, 40)
    time.sleep(5)
    until = time.time()
    after = {number: owned(stage, number) for number in range(3)}
    stalls = stage.watch.stalls(at, until)
    mine = before[0][1]
    return {
        "restarted_worker_longest_gap": round(max(stalls[number][0] for number in mine), 2),
        "others_longest_gap": round(
            max(gap for number, (gap, _) in stalls.items() if number not in mine), 2
        ),
        "others_disturbed": any(before[number] != after[number] for number in (1, 2)),
        "ordinary_longest_gap": round(
            max(gap for gap, _ in stage.watch.stalls(at - 10, at).values()), 2
        ),
    }


def rolling_restart(stage: ChaosStage) -> dict[str, Any]:
    """SIGTERM to one after the other; the next when all partitions speak again."""
    began = time.time()
    for slot in stage.supervisor.slots[:3]:
        at = time.time()
        stage.supervisor.signal(slot, signal.SIGTERM, "rolled")
        stage.supervisor.wait_gone(slot)
        stage.heard_since(max(at + 0.5, time.time()), 40)
        time.sleep(3)
    until = time.time()
    gaps = {number: gap for number, (gap, _) in stage.watch.stalls(began, until).items()}
    return {
        "seconds": round(until - began, 1),
        "longest_gap_seconds": round(max(gaps.values()), 2),
        "gaps": {number: round(gap, 2) for number, gap in sorted(gaps.items())},
    }


def starts_at_once(stage: ChaosStage, rounds: int) -> dict[str, Any]:
    """All die, two or three start together; how long until every partition has committed."""
    took: list[float] = []
    stalls: list[str] = []
    for turn in range(rounds):
        count = 2 + turn % 2
        for slot in stage.supervisor.slots:
            slot.wanted = False
            stage.supervisor.kill(slot, "all die")
        for slot in stage.supervisor.slots:
            stage.supervisor.wait_gone(slot)
        at = time.time()
        stage.supervisor.scale(count)
        waited = stage.heard_since(at, STALL_SECONDS)
        if waited is None:
            stalls.append(f"start {turn} of {count} workers")
            continue
        took.append(waited)
    took.sort()
    return {
        "starts": rounds,
        "stalled": stalls,
        "median_seconds": round(took[len(took) // 2], 1) if took else None,
        "longest_seconds": round(took[-1], 1) if took else None,
    }


def perform(seed: int, starts: int, tls: bool = False) -> dict[str, Any]:
    """All of it on one stage; `tls`: the workers log in over TLS."""
    with ChaosStage(ChaosSite(encrypted=tls), seed, RATES) as stage:
        _calm(stage)
        result: dict[str, Any] = {"seed": seed, "tls": tls}
        result["static_restart"] = static_restart(stage)
        result["rolling_restart"] = rolling_restart(stage)
        result["starts_at_once"] = starts_at_once(stage, starts)
        stage.supervisor.scale(3)
        stage.traffic.stop()
        result["drained_seconds"] = stage.drained(120)
        verdict = stage.end()
        result["counts"] = verdict.counts
        result["checks"] = {name: len(found) for name, found in verdict.breaches.items()}
        result["breaches"] = {name: own[:10] for name, own in verdict.breaches.items() if own}
        result["violations"] = verdict.violations
    return result


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--tls", action="store_true", help="workers log in over TLS + SCRAM")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result = perform(given.seed, given.starts, given.tls)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)
    return 1 if result["violations"] or result["starts_at_once"]["stalled"] else 0


if __name__ == "__main__":
    sys.exit(main())
