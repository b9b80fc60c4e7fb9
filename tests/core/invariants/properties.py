"""The fifteen invariants of streams/operate/audit/INVARIANTS.md as named properties.

`check` holds a trace against them. A property looks at one event before it is entered in the books
(`of_event`), or at the books after a whole step (`of_step`); it yields what is wrong.
"""

from collections.abc import Iterable

from tests.core.invariants import promises, restricting, touching
from tests.core.invariants.follower import Follower
from tests.core.invariants.registry import NAMES, OF_EVENT, OF_STEP, InvariantBreach
from tests.core.invariants.world import WorldStep

__all__ = ["NAMES", "InvariantBreach", "check", "check_step", "promises", "restricting", "touching"]


def check(trace: Iterable[WorldStep], follower: Follower | None = None) -> list[InvariantBreach]:
    """Every breach of a trace."""
    follower = follower or Follower()
    breaches: list[InvariantBreach] = []
    for number, step in enumerate(trace):
        check_step(follower, step, number, breaches)
    return breaches


def check_step(
    follower: Follower, step: WorldStep, number: int, breaches: list[InvariantBreach]
) -> None:
    """Hold one step against all properties and enter it in the books."""
    follower.begin(step)
    events = []
    for topic, event in step.events:
        events.append(event)
        follower.of(event["platform"], event["account_id"])
        for invariant, property_ in OF_EVENT.get(event["event"], ()):
            for what in property_(follower, topic, event):
                breaches.append(InvariantBreach(invariant, what, number))
        follower.take(event)
    for invariant, of_books in OF_STEP:
        for what in of_books(follower, events):
            breaches.append(InvariantBreach(invariant, what, number))
