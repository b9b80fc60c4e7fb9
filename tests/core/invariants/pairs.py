"""Two properties over pairs of runs: `python -m tests.core.invariants.pairs late --histories 1000`.

`late`: a worker that sleeps does no worse for an owner than a punctual one. `policy`: a change of
policy or the start of a phase leads to no restriction of a cycle that the terms at issue would not
have led to. Left out: caps, guards and roll-out (they share out what is scarce), and, of the
second, a policy that covers other labels or fields, for those the terms do not promise.

Prints every fault as a line of JSON, with the seed and number that make it again; exit 1 on one.
"""

import argparse
import gc
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from random import Random

from schemas.enums import Mode
from streams.core.model.policy import Policy
from tests.core.given import START
from tests.core.invariants.paired import (
    Teller,
    advance,
    finish,
    play_late,
    step,
    uncapped,
)
from tests.core.invariants.policies import changed, random_policy
from tests.core.invariants.world import WorldRun
from tests.core.invariants.worse import cycles_of, late_is_worse, stricter_reaches_back

Result = tuple[bool, list[str]]
_LENGTHS = (3, 4, 6, 9)


class Policies:
    """Policies in lots, without caps and guards: making one costs as much as a day under it."""

    def __init__(self, seed: int, size: int = 400, renewed_after: int = 4000) -> None:
        self._seed, self._size, self._after = seed, size, renewed_after
        self._lot, self._policies = -1, list[tuple[Policy, Policy]]()

    def of(self, number: int, draw: Random) -> tuple[Policy, Policy]:
        """A policy and a next version of it."""
        lot = number // self._after
        if lot != self._lot:
            lots = Random(self._seed * 7919 + lot)
            self._lot, self._policies = lot, [_pair(lots) for _ in range(self._size)]
        return self._policies[draw.randrange(self._size)]


def _pair(draw: Random) -> tuple[Policy, Policy]:
    first, following = _next_version(draw)
    if draw.random() < 0.25:
        first, following = _phase_starts(draw, first)
    return uncapped(first), uncapped(following)


def _next_version(draw: Random) -> tuple[Policy, Policy]:
    first = replace(random_policy(draw), mode=Mode.ENFORCE)
    if draw.random() < 0.8:
        # A review a day would make most of the events, and none of the difference.
        seldom = replace(first.consequence, review_after=first.consequence.expires_after)
        first = replace(first, consequence=seldom)
    following = changed(draw, first)
    for _ in range(draw.choice((0, 1, 2))):
        following = replace(changed(draw, following), version=2)
    following = replace(
        following, covered=first.covered, labels=first.labels, exempt_labels=first.exempt_labels
    )
    return first, following


def late(seed: int, number: int, policies: Policies) -> Result:
    """One history, told to a punctual worker and to one that sleeps."""
    draw = Random(seed * 1_000_003 + number)
    policy, _ = policies.of(number, draw)
    teller = Teller(draw, policy)
    told = teller.tell(draw.choice(_LENGTHS))
    finish(teller.run)
    return late_is_worse(teller.run, play_late(draw, policy, told, START), told)


def policy(seed: int, number: int, policies: Policies) -> Result:
    """One history under the policy of the issue, and under one that changes on the way."""
    draw = Random(seed * 1_000_003 + number)
    first, following = policies.of(number, draw)
    teller = Teller(draw, first)
    told = teller.tell(draw.choice(_LENGTHS))
    finish(teller.run)
    cycles = cycles_of(teller.run)
    if not cycles:
        return False, []
    issued_at = min(cycle.issued_at for cycle in cycles.values())
    changed_at = draw.randrange(issued_at + 1, max(told[-1].entry, issued_at) + 10 * 86_400_000)
    after, opened = WorldRun(first), False
    for item in told:
        if not opened and item.entry >= changed_at:
            opened = _take_up(after, following, changed_at)
        advance(after, item.entry)
        step(after, max(after.now, item.entry), [item])
    if not opened:
        _take_up(after, following, changed_at)
    finish(after)
    return stricter_reaches_back(teller.run, after, changed_at)


def _take_up(run: WorldRun, policy: Policy, at: int) -> bool:
    advance(run, at)
    run.now = max(run.now, at)
    run.open(policy)
    run.run_timers()
    return True


def _phase_starts(draw: Random, policy: Policy) -> tuple[Policy, Policy]:
    """The policy without its second phase in force, and with it in force from an instant."""
    first, second = policy.phases[0], policy.phases[-1]
    if first is second:
        second = replace(first, name="second", followers=500, mode=None)
    never = replace(second, starts_at=None)
    begins = replace(second, starts_at=START + draw.randrange(1, 100) * 3_600_000, answer_by=None)
    return (
        replace(policy, phases=(first, never)),
        replace(policy, version=policy.version + 1, phases=(first, begins)),
    )


PROPERTIES: dict[str, Callable[[int, int, Policies], Result]] = {"late": late, "policy": policy}


def run(name: str, seed: int, first: int, count: int, every: int = 10_000) -> int:
    """Play pairs; the number of histories with a fault."""
    held, policies, began = PROPERTIES[name], Policies(seed), time.monotonic()
    compared = broken = 0
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    for number in range(first, first + count):
        try:
            something, faults = held(seed, number, policies)
        except Exception:
            something, faults = False, [traceback.format_exc(limit=-4)]
        compared += something
        if faults:
            broken += 1
            _say(property=name, history=number, seed=seed, faults=faults[:5])
        done = number + 1 - first
        if done % every == 0 or done == count:
            seconds = round(time.monotonic() - began)
            _say(
                property=name,
                histories=done,
                first=first,
                seed=seed,
                compared=compared,
                broken=broken,
                s=seconds,
            )
    return broken


def _say(**what: object) -> None:
    print(json.dumps(what, ensure_ascii=False), flush=True)


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.core.invariants.pairs", description=__doc__
    )
    parser.add_argument("property", choices=sorted(PROPERTIES))
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first history")
    options = parser.parse_args()
    return 1 if run(options.property, options.seed, options.first, options.histories) else 0


if __name__ == "__main__":
    sys.exit(main())
