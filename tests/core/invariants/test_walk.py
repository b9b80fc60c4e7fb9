"""Every interleaving of one account's inputs, from five places of its life."""

import pytest

from tests.core.invariants.walk import ALPHABET, STARTS, step, walk

DEPTH = 2


QUICK = ("unknown", "restricted")
"""Where `sh tests/run.sh --quick` begins as well."""


@pytest.mark.parametrize(
    "start",
    [it if it in QUICK else pytest.param(it, marks=pytest.mark.slow) for it in STARTS],
)
def test_no_interleaving_breaks_an_invariant(start: str) -> None:
    walked = walk(STARTS[start], DEPTH)
    print(f"from {start}: depth {DEPTH}, {walked.states} states, {walked.transitions} transitions")
    assert walked.breaches == []
    assert walked.states > len(ALPHABET)


def test_the_walk_goes_where_it_says() -> None:
    node, _ = step(None, "label")
    node, _ = step(node, "above")
    node, _ = step(node, "delivered")
    cycle = node.follower.owners["weibo", "a"].lives["enforce"].current
    assert cycle is not None
    assert cycle.state == "delivered"
