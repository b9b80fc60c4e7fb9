"""`python -m tests.chaos.mutation_run`: each mutation under the faults that should expose it.

A mutation is caught when a check finds a breach, when the workers refuse to go on, or when the run
does not drain. The ground, spans lost with the engine whole, has to pass.
"""

import argparse
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.engine.failpoints import POINTS
from tests.chaos import sending
from tests.chaos.mutants import MUTATIONS
from tests.chaos.run import Plan, perform
from tests.chaos.traffic import TrafficRates

GROUND = "spans-lost"
INSIDE = ("after-begin", "after-sends", "after-futures-before-offsets")


@dataclass(frozen=True)
class MutationTrial:
    """The faults that give a breakage its chance, and the steps at which workers die for it.

    No steps: none dies at one. `garbage`: share of spoilt inputs.
    """

    kinds: tuple[str, ...] = ("kill",)
    steps: tuple[str, ...] = ()
    minutes: float = 0.7
    every: float = 6.0
    garbage: float = 0.02


TRIALS = {
    "offsets-before": MutationTrial(steps=(*INSIDE, "after-offsets-before-commit")),
    "offsets-after": MutationTrial(steps=("after-commit-before-store", "after-store")),
    "futures-not-awaited": MutationTrial(("narrow topic", "kill"), POINTS),
    "init-after-position": MutationTrial(("freeze long", "cable long"), minutes=2, every=4),
    "disk-before-commit": MutationTrial(
        steps=("after-futures-before-offsets", "after-offsets-before-commit")
    ),
    "overlay-before-commit": MutationTrial(steps=("before-begin", *INSIDE)),
    "hole-ignored": MutationTrial(minutes=1),
    "timers-do-not-wait": MutationTrial(
        ("kill twice", "freeze short", "broker"), minutes=2, every=4
    ),
    # Dead letters have to be written while workers die for one outside a transaction to show.
    "letters-outside": MutationTrial(steps=("before-begin", *INSIDE), garbage=0.25),
    "not-fenced": MutationTrial(("zombie at a step", "freeze long"), minutes=2, every=5),
    GROUND: MutationTrial(minutes=1),
}


def run_one(name: str, seed: int) -> dict[str, Any]:
    """One mutation's run, with what noticed it."""
    trial = TRIALS[name]
    plan = Plan(
        seed=seed,
        minutes=trial.minutes,
        every=trial.every,
        kinds=trial.kinds,
        failpoints=1.0 if trial.steps else 0.0,
        points=trial.steps or POINTS,
        settle_seconds=4.0,
        drain_patience_seconds=45.0,
        rates=TrafficRates(readings=150.0, lives=4.0, crowd=2_000),
        partitions=4,
        workers=2,
        mutation=name,
    )
    sending.GARBAGE = trial.garbage
    result = perform(plan, lambda _: None)
    noticed = {check: count for check, count in result["checks"].items() if count}
    if result["drained_seconds"] is None:
        noticed["not drained"] = 1
    return {
        "mutation": name,
        "seed": seed,
        "minutes": trial.minutes,
        "faults": result["faults"],
        "inputs": result["counts"].get("inputs"),
        "noticed": noticed,
        "caught": bool(noticed),
        "examples": {name: text[0][:300] for name, text in result["breaches"].items()},
        "last_words": result["last_words"],
    }


def main() -> int:
    """All mutations, or those named; 1 if one survives or the ground does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MUTATIONS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    verdicts, wrong = [], 0
    for name in given.names or MUTATIONS:
        verdict = run_one(name, given.seed)
        verdicts.append(verdict)
        wrong += verdict["caught"] is (name == GROUND)
        print(f"{name:24} {'caught' if verdict['caught'] else 'not caught'} {verdict['noticed']}")
        sys.stdout.flush()
        if given.json:
            given.json.write_text(json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
