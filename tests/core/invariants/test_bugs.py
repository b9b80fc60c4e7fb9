"""Each invariant's property finds the mistake that was made for it."""

import pytest

from tests.core.invariants.bugs import BUGS, planted
from tests.core.invariants.histories import Supply, play
from tests.core.invariants.properties import NAMES, check

MOST = 4000
SEED = 8


def first_catch(number: int, supply: Supply) -> int | None:
    """How many histories it takes until the property of this number speaks; None: too many."""
    for history in range(MOST):
        try:
            trace = play(SEED, history, supply).trace
        except AssertionError:
            continue
        if any(breach.number == number for breach in check(trace)):
            return history + 1
    return None


@pytest.mark.parametrize("number", sorted(NAMES), ids=lambda number: f"{number} {NAMES[number]}")
def test_a_seeded_mistake_is_found_by_its_own_property(number: int) -> None:
    supply = Supply(SEED)
    with planted(number) as bug:
        found_after = first_catch(number, supply)
    assert found_after is not None, bug.what
    print(f"{number}: {bug.what}: found after {found_after} histories")


def test_every_invariant_has_a_mistake_of_its_own() -> None:
    assert sorted(BUGS) == sorted(NAMES) == list(range(1, 16))
