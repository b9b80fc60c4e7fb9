"""A share of the long run, in every test run: random histories keep all fifteen invariants."""

import pytest

from tests.core.invariants.histories import NAME, Supply, play
from tests.core.invariants.properties import check

SEED = 20
HISTORIES = 1_200


@pytest.mark.slow
def test_random_histories_keep_the_invariants() -> None:
    supply = Supply(SEED)
    for number in range(HISTORIES):
        history = play(SEED, number, supply)
        assert check(history.trace) == [], f"seed {SEED}, history {number}"
        for store in history.memory.state.values():
            assert not any(NAME in raw for raw in store.values())


def test_a_history_is_a_function_of_its_seed() -> None:
    first, second = (play(3, 5, Supply(3)).memory.raw for _ in range(2))
    assert first == second
    assert first != play(4, 5, Supply(4)).memory.raw
