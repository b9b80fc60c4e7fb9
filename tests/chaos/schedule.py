"""Which faults come when: a function of the seed alone, drawn before the run begins."""

from dataclasses import dataclass
from random import Random

from streams.engine.failpoints import POINTS

KINDS: dict[str, float] = {
    "kill": 6,
    "kill twice": 5,
    "kill at shutdown": 4,
    "kill at revoke": 3,
    "freeze short": 6,
    "freeze long": 4,
    "scale": 5,
    "broker": 1,
    "wipe": 3,
    "disk full": 2,
    "disk slow": 2,
    "cable short": 3,
    "cable long": 2,
    "clock": 1,
    "old disk": 3,
    "lost offsets": 0.5,
    "large records": 2,
    "burst": 0.5,
    "narrow topic": 0.5,
    "zombie at a step": 4,
    "wire held": 2,
    "wire dropped": 1,
    "wire repeated": 2,
    "wire released late": 2,
    "wire reset": 2,
    "foreign topic": 1,
    "acks anew": 1,
    "topic settings": 1,
    "coordinator": 3,
    "broker stop": 2,
}
"""Kinds and how often, relative to one another."""
ISOLATED = frozenset({"disk full", "cable short", "cable long"})
MANY_BROKERS = frozenset({"coordinator", "broker stop"})
SCALES = (1, 3, 5, 2, 3)
HITS = {
    "after-fetch": 300,
    "after-step": 100,
    "after-init": 2,
    "after-recovery": 2,
    "after-position": 2,
    "on-revoke": 1,
    "before-fire": 5,
    "after-fire": 5,
}
"""A start dies at one of the first so many passes through a point; elsewhere of the first 15."""


@dataclass(frozen=True)
class ScheduledFault:
    """One fault: `at` seconds after the start, on a worker, for so long (where that applies)."""

    at: float
    kind: str
    slot: int
    seconds: float
    number: int


def draw(seed: int | str, seconds: float, every: float, kinds: list[str]) -> list[ScheduledFault]:
    """Faults over `seconds`, one each `every` seconds on average; the kinds take turns at first."""
    random = Random(f"faults-{seed}")
    weights = [KINDS[kind] for kind in kinds]
    first = random.sample(kinds, len(kinds))
    faults: list[ScheduledFault] = []
    at = every
    while at < seconds:
        kind = first.pop() if first else random.choices(kinds, weights)[0]
        faults.append(ScheduledFault(at, kind, random.randrange(3), random.random(), len(faults)))
        at += random.expovariate(1 / every) if faults else every
    return faults


class FailpointQueue:
    """Hands each starting worker the next point to die at; all points in turn, shuffled."""

    def __init__(
        self, seed: int | str, share: float = 0.75, points: tuple[str, ...] = POINTS
    ) -> None:
        self._points = points
        self._random = Random(f"failpoints-{seed}")
        self._share = share
        self._left: list[str] = []

    def __call__(self) -> str:
        """`name:kill:hit`, or nothing."""
        if self._random.random() > self._share:
            return ""
        if not self._left:
            self._left = self._random.sample(self._points, len(self._points))
        name = self._left.pop()
        return f"{name}:kill:{self._random.randint(1, HITS.get(name, 15))}"
