"""One run: a site, workers, traffic, faults by a seeded schedule; then quiet, then the verdict."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.engine.failpoints import POINTS
from tests.chaos.faults import Faults
from tests.chaos.grounds import FAKETIME, ChaosSite
from tests.chaos.schedule import ISOLATED, KINDS, MANY_BROKERS, FailpointQueue, ScheduledFault, draw
from tests.chaos.stage import SETTLE_SECONDS, ChaosStage
from tests.chaos.traffic import TrafficRates

DRAIN_SECONDS = 60.0
TRIES, START_SECONDS = 3, 20.0
"""How often a kind that has not occurred is struck at the end, once all workers run again."""


@dataclass(frozen=True)
class Plan:
    """What a run is made of; with the seed, all of its schedule.

    `number`: of a part, where a run is cut into parts, each with a seed of its own. `encrypted`:
    workers speak TLS.
    """

    seed: int = 1
    number: int | None = None
    minutes: float = 5.0
    every: float = 6.0
    kinds: tuple[str, ...] = tuple(KINDS)
    failpoints: float = 0.75
    rates: TrafficRates = field(default_factory=TrafficRates)
    brokers: int = 1
    partitions: int = 8
    workers: int = 3
    folder: Path | None = None
    encrypted: bool = False
    mutation: str = ""
    keep: Path | None = None
    points: tuple[str, ...] = POINTS
    settle_seconds: float = SETTLE_SECONDS
    drain_patience_seconds: float = 4 * DRAIN_SECONDS

    @property
    def key(self) -> str:
        """What everything is drawn from."""
        return str(self.seed) if self.number is None else f"{self.seed}.{self.number}"


def perform(plan: Plan, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Do it; the result as JSON: settings, counts, liveness, checks."""
    wire = any(kind.startswith("wire") for kind in plan.kinds)
    site = ChaosSite(
        plan.folder,
        brokers=plan.brokers,
        partitions=plan.partitions,
        wire=wire,
        encrypted=plan.encrypted,
    )
    kinds, left_out = _possible(plan, site)
    with ChaosStage(site, plan.key, plan.rates, plan.mutation) as stage:
        say(f"seed {plan.key}, {plan.minutes} min, in {site.folder}")
        for kind, why in left_out.items():
            say(f"  left out: {kind} ({why})")
        stage.keep = plan.keep
        stage.begin(plan.workers)
        began = time.time()
        supervisor = stage.supervisor
        supervisor.next_failpoint = FailpointQueue(plan.key, plan.failpoints, plan.points)
        faults = Faults(supervisor, stage.sender)
        _strike(plan, kinds, faults, say)
        over = time.time()
        result = {
            "plan": {**plan.__dict__, "rates": plan.rates.__dict__, "folder": None, "keep": None},
            "kinds": kinds,
            "left_out": left_out,
            "minutes_of_faults": round((over - began) / 60, 1),
            **_liveness(plan, stage, faults, began),
        }
        say("reading everything back")
        verdict = stage.end(plan.settle_seconds)
        return result | {
            "touched": dict(site.between.touched) if site.between else {},
            "sent": stage.sender.sent,
            "duplicates": stage.sender.duplicates,
            "garbage": stage.sender.garbage,
            "lives": stage.traffic.lives_begun,
            "memory": stage.memory.summary(),
            "counts": verdict.counts,
            "checks": {name: len(found) for name, found in verdict.breaches.items()},
            "breaches": {name: found[:20] for name, found in verdict.breaches.items() if found},
            "violations": verdict.violations,
        }


def _possible(plan: Plan, site: ChaosSite) -> tuple[list[str], dict[str, str]]:
    """The kinds that this machine can strike, and why not the others."""
    left_out = {}
    for kind in plan.kinds:
        if kind in ISOLATED and not site.isolated:
            left_out[kind] = "needs root and network namespaces"
        elif kind in MANY_BROKERS and plan.brokers == 1:
            left_out[kind] = "needs several brokers"
        elif kind == "clock" and not FAKETIME.exists():
            left_out[kind] = "needs Debian's package faketime"
    return [kind for kind in plan.kinds if kind not in left_out], left_out


def _strike(plan: Plan, kinds: list[str], faults: Faults, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    supervisor = faults.supervisor
    end = plan.minutes * 60
    for fault in draw(plan.key, end, plan.every, kinds) if kinds else ():
        wait = began + fault.at - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        faults.strike(fault)
        if fault.number % 10 == 0:
            done, fired = sum(faults.done.values()), sum(supervisor.fired.values())
            say(
                f"{fault.at:6.0f} s: {done} faults, {fired} fail-points, {supervisor.starts} starts"
            )
    time.sleep(max(0.0, began + end - time.monotonic()))
    faults.wait()
    for _ in range(TRIES):
        _strike_the_rest(plan, kinds, faults, say)


def _strike_the_rest(
    plan: Plan, kinds: list[str], faults: Faults, say: Callable[[str], None]
) -> None:
    """Kinds that found nobody to strike, or were not drawn in so short a time, one by one."""
    for number, kind in enumerate([kind for kind in kinds if not faults.done[kind]]):
        say(f"  {kind}: at the end")
        faults.supervisor.scale(plan.workers)
        deadline = time.monotonic() + START_SECONDS
        while len(faults.supervisor.running()) < plan.workers and time.monotonic() < deadline:
            time.sleep(0.1)
        faults.strike(ScheduledFault(plan.minutes * 60, kind, number % plan.workers, 0.5, number))
        faults.wait()


def _liveness(plan: Plan, stage: ChaosStage, faults: Faults, began: float) -> dict[str, Any]:
    supervisor, watch = stage.supervisor, stage.watch
    supervisor.next_failpoint = lambda: ""
    # What is still armed must not go off after the last fault.
    for slot in supervisor.running():
        if slot.armed:
            supervisor.kill(slot, "disarmed")
    supervisor.scale(plan.workers)
    over = time.time()
    stage.traffic.stop()
    drained = stage.drained(plan.drain_patience_seconds)
    stalls = watch.stalls(began, over)
    exits = Counter(f"{one.code} {one.why.partition(':')[0]}" for one in supervisor.exits)
    words = Counter(
        one.last_words for one in supervisor.exits if one.code not in (0, -9) and one.last_words
    )
    waits = [watch.next_after(at) for at, kind in faults.struck_at if kind.startswith("kill")]
    recovered = sorted(wait for wait in waits if wait is not None)
    return {
        "faults": sum(faults.done.values()) + sum(supervisor.fired.values()),
        "faults_by_kind": dict(faults.done),
        "failpoints": dict(supervisor.fired),
        "zombies": dict(faults.steps),
        "notes": dict(Counter(faults.notes)),
        "starts": supervisor.starts,
        "exits": dict(exits),
        "last_words": dict(words.most_common(30)),
        "drained_seconds": None if drained is None else round(drained, 1),
        "longest_stall_seconds": round(max((gap for gap, _ in stalls.values()), default=0.0), 1),
        "stalls": {number: round(gap, 1) for number, (gap, _) in sorted(stalls.items())},
        "recovery_seconds": {
            "median": round(recovered[len(recovered) // 2], 1) if recovered else None,
            "p95": round(recovered[int(len(recovered) * 0.95)], 1) if recovered else None,
            "longest": round(recovered[-1], 1) if recovered else None,
        },
    }
