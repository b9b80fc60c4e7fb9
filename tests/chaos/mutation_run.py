"""`python -m tests.chaos.mutation_run`: each mutation under the faults that should expose it.

A mutation is caught when a check finds a breach, when the workers refuse to go on, or when the run
does not drain. The ground, spans lost with the engine whole, has to pass.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from streams.engine.failpoints import POINTS
from tests.chaos import sending
from tests.chaos.mutants import MUTATIONS
from tests.chaos.run import Plan, perform
from tests.chaos.traffic import Rates

DEATHS = ("kill",)
ZOMBIES = ("freeze long", "cable long", "kill")
GROUND = "spans-lost"
INSIDE = ("after-begin", "after-sends", "after-futures-before-offsets")
STEPS: dict[str, tuple[str, ...]] = {
    "offsets-before": (*INSIDE, "after-offsets-before-commit"),
    "offsets-after": ("after-commit-before-store", "after-store"),
    "disk-before-commit": ("after-futures-before-offsets", "after-offsets-before-commit"),
    "overlay-before-commit": ("before-begin", *INSIDE),
    "letters-outside": ("before-begin", *INSIDE),
}
"""Where a worker has to die for the breakage to matter."""
FAULTS: dict[str, tuple[str, ...]] = {
    "init-after-position": ZOMBIES,
    "not-fenced": ZOMBIES,
    "futures-not-awaited": ("narrow topic", "kill"),
    "timers-do-not-wait": ("freeze short", "kill", "broker"),
    "hole-ignored": ("kill",),
    GROUND: ("kill",),
}


def run_one(name: str, seed: int, minutes: float) -> dict[str, Any]:
    """One mutation's run, with what noticed it."""
    quiet = name in ("hole-ignored", GROUND, "init-after-position", "not-fenced")
    plan = Plan(
        seed=seed,
        minutes=minutes,
        every=6.0,
        kinds=FAULTS.get(name, DEATHS),
        failpoints=0.0 if quiet else 1.0,
        points=STEPS.get(name, POINTS),
        settle_seconds=4.0,
        drain_patience_seconds=45.0,
        rates=Rates(readings=150.0, lives=4.0, crowd=2_000),
        partitions=4,
        workers=2,
        mutation=name,
    )
    # Dead letters have to be written while workers die for one outside a transaction to show.
    sending.GARBAGE = 0.25 if name == "letters-outside" else 0.02
    result = perform(plan, lambda _: None)
    noticed = {check: count for check, count in result["checks"].items() if count}
    drained = result["drained_seconds"]
    if drained is None:
        noticed["not drained"] = 1
    return {
        "mutation": name,
        "seed": seed,
        "faults": result["faults"],
        "inputs": result["counts"].get("inputs"),
        "noticed": noticed,
        "caught": bool(noticed),
        "example": next((text[0][:300] for text in result["breaches"].values()), ""),
        "last_words": result["last_words"],
    }


def main() -> int:
    """All mutations, or those named; 1 if one survives or the ground does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MUTATIONS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=0.7)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    verdicts, wrong = [], 0
    for name in given.names or MUTATIONS:
        verdict = run_one(name, given.seed, given.minutes)
        verdicts.append(verdict)
        wrong += verdict["caught"] is (name == GROUND)
        print(f"{name:24} {'caught' if verdict['caught'] else 'not caught'} {verdict['noticed']}")
        sys.stdout.flush()
        if given.json:
            given.json.write_text(json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
