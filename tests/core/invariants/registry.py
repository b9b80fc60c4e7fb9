"""The list of invariants, and where each property says which of them it holds."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.core.invariants.follower import ADVERSE, Event, Follower

NAMES = {
    1: "notice before restriction",
    2: "deadlines only move later",
    3: "silence, refusal and consent are three states",
    4: "withdrawal always wins",
    5: "exempt or unknown means untouched",
    6: "no names, anywhere",
    7: "same input, same output, once",
    8: "late good news is honoured",
    9: "smallest restriction",
    10: "restrictions end, and we end only our own",
    11: "rules do not reach back",
    12: "a crossing must be stable",
    13: "fail toward the owner",
    14: "no reasons, no action",
    15: "people outrank the machine, platforms are islands",
}

Faults = Iterator[str]
OfEvent = Callable[[Follower, str, Event], Faults]
OfStep = Callable[[Follower, list[Event]], Faults]
OF_EVENT: dict[str, list[tuple[int, OfEvent]]] = {}
OF_STEP: list[tuple[int, OfStep]] = []


class InvariantBreach(NamedTuple):
    """An invariant, by number, that did not hold at a step of a trace."""

    number: int
    what: str
    step: int


def of_event(number: int, *names: str) -> Callable[[OfEvent], OfEvent]:
    """A property of events of these names."""

    def register(check: OfEvent) -> OfEvent:
        for name in names:
            OF_EVENT.setdefault(name, []).append((number, check))
        return check

    return register


def of_step(number: int) -> Callable[[OfStep], OfStep]:
    """A property of the books after a step."""

    def register(check: OfStep) -> OfStep:
        OF_STEP.append((number, check))
        return check

    return register


EVERY = (
    *sorted(ADVERSE),
    *("invitation.delivered", "invitation.undeliverable", "invitation.extended"),
    *("invitation.cancelled", "consent.granted", "consent.declined", "consent.withdrawn"),
    *("consent.voided", "throttle.lifted"),
)
