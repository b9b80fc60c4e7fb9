"""A share of the long runs over pairs; and each finds the mistake made for it."""

import pytest

from tests.core.invariants.bugs import LATE_BUG, POLICY_BUG, Bug, planted
from tests.core.invariants.pairs import PROPERTIES, Policies

pytestmark = pytest.mark.slow

SEED, HISTORIES, MOST = 20, 1_000, 12_000


@pytest.mark.parametrize("name", sorted(PROPERTIES))
def test_a_late_worker_and_a_changed_policy_do_no_worse(name: str) -> None:
    policies, held, compared = Policies(SEED), PROPERTIES[name], 0
    for number in range(HISTORIES):
        something, faults = held(SEED, number, policies)
        assert faults == [], f"seed {SEED}, history {number}"
        compared += something
    assert compared >= HISTORIES // 20, "there has to be something to compare"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "bug", "first"), [("late", LATE_BUG, 6_500), ("policy", POLICY_BUG, 1_700)]
)
def test_a_property_over_pairs_finds_the_mistake_made_for_it(
    name: str, bug: Bug, first: int
) -> None:
    """Those before `first` find nothing, and take half a minute."""
    policies, held = Policies(SEED), PROPERTIES[name]
    with planted(bug):
        numbers = range(first, first + MOST)
        found = next((n for n in numbers if held(SEED, n, policies)[1]), None)
    assert found is not None, bug.what
    print(f"{name}: {bug.what}: found by history {found}")
