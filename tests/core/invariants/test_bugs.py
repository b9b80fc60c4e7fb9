"""Each invariant's property finds the mistake that was made for it."""

import pytest

from tests.core.invariants.bugs import BUGS, Bug, planted
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


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.number} {bug.what}")
def test_a_seeded_mistake_is_found_by_its_own_property(bug: Bug) -> None:
    supply = Supply(SEED)
    with planted(bug):
        found_after = first_catch(bug.number, supply)
    assert found_after is not None, bug.what
    print(f"{bug.number}: {bug.what}: found after {found_after} histories")


def test_every_invariant_has_a_mistake_of_its_own() -> None:
    assert {bug.number for bug in BUGS} == set(NAMES) == set(range(1, 16))
