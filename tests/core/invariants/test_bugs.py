"""Each invariant's property finds the mistake that was made for it."""

import pytest

from tests.core.invariants.bugs import BUGS, Bug, planted
from tests.core.invariants.histories import Supply, play
from tests.core.invariants.properties import NAMES, check

MOST = 4000
SEED = 8
FIRST = {2: 2_100, 4: 1_800}
"""By invariant, the history to begin with: those before find nothing, and take seconds."""


def first_catch(number: int, supply: Supply) -> int | None:
    """The first history at which the property of this number speaks; None: there are too many."""
    first = FIRST.get(number, 0)
    for history in range(first, first + MOST):
        try:
            trace = play(SEED, history, supply).trace
        except AssertionError:
            continue
        if any(breach.number == number for breach in check(trace)):
            return history
    return None


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.number} {bug.what}")
def test_a_seeded_mistake_is_found_by_its_own_property(bug: Bug) -> None:
    supply = Supply(SEED)
    with planted(bug):
        found = first_catch(bug.number, supply)
    assert found is not None, bug.what
    print(f"{bug.number}: {bug.what}: found by history {found}")


def test_every_invariant_has_a_mistake_of_its_own() -> None:
    assert {bug.number for bug in BUGS} == set(NAMES) == set(range(1, 16))
