"""One run: a site, workers, traffic, faults by a seeded schedule; then quiet, then the verdict."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from schemas.topics import INPUTS
from tests.chaos.book import ends, open_book
from tests.chaos.checks import judge
from tests.chaos.faults import Faults
from tests.chaos.grounds import APPLICATION, PREFIX, Site
from tests.chaos.memory import Memory
from tests.chaos.schedule import ISOLATED, KINDS, FailpointQueue, draw
from tests.chaos.sending import Sender
from tests.chaos.supervisor import Supervisor
from tests.chaos.traffic import Rates, Traffic
from tests.chaos.watch import Watch

DRAIN_SECONDS = 60.0
SETTLE_SECONDS = 35.0
READY_SECONDS = 90.0


@dataclass(frozen=True)
class Plan:
    """What a run is made of; with the seed, all of its schedule."""

    seed: int = 1
    minutes: float = 5.0
    every: float = 6.0
    kinds: tuple[str, ...] = tuple(KINDS)
    failpoints: float = 0.75
    rates: Rates = field(default_factory=Rates)
    brokers: int = 1
    partitions: int = 8
    workers: int = 3
    folder: Path | None = None
    mutation: str = ""


def perform(plan: Plan, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Do it; the result as JSON: settings, counts, liveness, checks."""
    with Site(plan.folder, brokers=plan.brokers, partitions=plan.partitions) as site:
        kinds = [kind for kind in plan.kinds if site.isolated or kind not in ISOLATED]
        say(f"seed {plan.seed}, {plan.minutes} min, in {site.folder}")
        supervisor = Supervisor(site, _mutated(plan.mutation))
        sender = Sender(site.kafka.bootstrap, plan.partitions, plan.seed)
        traffic = Traffic(sender, plan.seed, plan.rates)
        watch = Watch(site.kafka.bootstrap, plan.partitions, traffic.hear)
        memory = Memory(supervisor)
        try:
            supervisor.scale(plan.workers)
            traffic.start()
            _ready(watch, plan.partitions)
            began = time.time()
            supervisor.next_failpoint = FailpointQueue(plan.seed, plan.failpoints)
            faults = Faults(supervisor, sender)
            _strike(plan, kinds, faults, supervisor, say)
            over = time.time()
            result = _liveness(plan, site, supervisor, sender, traffic, watch, faults, began)
            time.sleep(SETTLE_SECONDS)
            until = time.time()
            supervisor.stop_all()
            say("reading everything back")
            watch.close()
            verdict = judge(open_book(site), site, sender.acked_at, until)
            verdict.breaches["sending"] = sender.failed
            result |= {
                "plan": {**plan.__dict__, "rates": plan.rates.__dict__, "folder": None},
                "kinds": kinds,
                "minutes_of_faults": round((over - began) / 60, 1),
                "sent": sender.sent,
                "duplicates": sender.duplicates,
                "garbage": sender.garbage,
                "lives": traffic.lives_begun,
                "memory": memory.summary(),
                "counts": verdict.counts,
                "checks": {name: len(found) for name, found in verdict.breaches.items()},
                "breaches": {name: found[:20] for name, found in verdict.breaches.items() if found},
                "violations": verdict.violations,
            }
            return result
        finally:
            memory.close()
            supervisor.close()


def _mutated(mutation: str) -> dict[str, str]:
    if not mutation:
        return {}
    here = Path(__file__).parent / "mutants"
    return {"PYTHONPATH": str(here), "CHAOS_MUTATION": mutation}


def _ready(watch: Watch, partitions: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while len(watch.arrivals) < partitions and time.monotonic() < deadline:
        time.sleep(0.2)


def _strike(
    plan: Plan, kinds: list[str], faults: Faults, supervisor: Supervisor, say: Callable[[str], None]
) -> None:
    began = time.monotonic()
    for fault in draw(plan.seed, plan.minutes * 60, plan.every, kinds):
        wait = began + fault.at - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        faults.strike(fault)
        if fault.number % 20 == 0:
            done, fired = sum(faults.done.values()), sum(supervisor.fired.values())
            say(f"{fault.at:6.0f} s: {done} faults, {fired} fail-points, {supervisor.starts} starts")
    faults.wait()


def _liveness(
    plan: Plan,
    site: Site,
    supervisor: Supervisor,
    sender: Sender,
    traffic: Traffic,
    watch: Watch,
    faults: Faults,
    began: float,
) -> dict[str, Any]:
    supervisor.next_failpoint = lambda: ""
    for slot in supervisor.slots:
        slot.restart_at = 0.0
    # What is still armed must not go off after the last fault.
    for slot in supervisor.running():
        if slot.armed:
            supervisor.kill(slot, "disarmed")
    supervisor.scale(plan.workers)
    over = time.time()
    traffic.stop()
    drained = wait_drained(site, plan.partitions, 4 * DRAIN_SECONDS)
    stalls = watch.stalls(began, over)
    exits = Counter(f"{one.code} {one.why.partition(':')[0]}" for one in supervisor.exits)
    words = Counter(
        one.last_words for one in supervisor.exits if one.code not in (0, -9) and one.last_words
    )
    waits = [watch.next_after(at) for at, kind in faults.struck_at if kind.startswith("kill")]
    recovered = sorted(wait for wait in waits if wait is not None)
    faults_done = sum(faults.done.values()) + sum(supervisor.fired.values())
    return {
        "faults": faults_done,
        "faults_by_kind": dict(faults.done),
        "failpoints": dict(supervisor.fired),
        "notes": dict(Counter(faults.notes)),
        "starts": supervisor.starts,
        "exits": dict(exits),
        "last_words": dict(words.most_common(30)),
        "drained_seconds": None if drained is None else round(drained, 1),
        "longest_stall_seconds": round(max(gap for gap, _ in stalls.values()), 1),
        "stalls": {number: round(gap, 1) for number, (gap, _) in stalls.items()},
        "recovery_seconds": {
            "median": round(recovered[len(recovered) // 2], 1) if recovered else None,
            "p95": round(recovered[int(len(recovered) * 0.95)], 1) if recovered else None,
            "longest": round(recovered[-1], 1) if recovered else None,
        },
    }


def wait_drained(site: Site, partitions: int, seconds: float) -> float | None:
    """How long until the group has read all inputs to their ends; None: not within `seconds`."""
    names = [PREFIX + topic.name for topic in INPUTS if not topic.single]
    places = [(name, number) for name in names for number in range(partitions)]
    goals = ends(site.kafka.bootstrap, places, "read_uncommitted")
    group = Consumer(
        {
            "bootstrap.servers": site.kafka.bootstrap,
            "group.id": APPLICATION,
            "enable.auto.commit": False,
            "log_level": 2,
        }
    )
    began = time.monotonic()
    try:
        while time.monotonic() - began < seconds:
            wanted = [TopicPartition(name, number) for name, number in places]
            found = {(tp.topic, tp.partition): tp.offset for tp in group.committed(wanted, 20)}
            if all(found[place] >= goal or goal == 0 for place, goal in goals.items()):
                return time.monotonic() - began
            time.sleep(0.25)
        return None
    finally:
        group.close()
