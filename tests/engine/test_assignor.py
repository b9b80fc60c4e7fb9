"""How partition numbers are shared out: a new worker gets its share, and little else moves."""

import pytest
from faust.assignor import partition_assignor
from faust.assignor.client_assignment import CopartitionedAssignment

from streams.engine.assignor import FairShares

Held = dict[str, set[int]]


def shared(held: Held, partitions: int) -> Held:
    """Who has what after a rebalance in which each member says what it held."""
    topics = {"one", "two"}
    members = {
        name: CopartitionedAssignment(set(own), set(), set(topics)) for name, own in held.items()
    }
    made = FairShares(topics, members, num_partitions=partitions, replicas=1).get_assignment()
    return {name: set(one.actives) for name, one in made.items()}


def test_faust_shares_out_by_it() -> None:
    assert partition_assignor.CopartitionedAssignor is FairShares


@pytest.mark.parametrize("partitions", [1, 4, 7, 32, 256])
def test_whoever_joins_or_leaves_each_partition_has_one_worker_and_all_have_their_share(
    partitions: int,
) -> None:
    held: Held = {}
    for name in ("w1", "w2", "w3", "w4", "w5", "w6"):
        held = shared({**held, name: set()}, partitions)
        _is_fair(held, partitions)
    while len(held) > 1:
        del held[min(held)]
        held = shared(held, partitions)
        _is_fair(held, partitions)


def _is_fair(held: Held, partitions: int) -> None:
    assert sorted(number for own in held.values() for number in own) == list(range(partitions))
    sizes = [len(own) for own in held.values()]
    assert max(sizes) <= -(-partitions // len(held))
    assert min(sizes) >= partitions // len(held)


def test_a_third_worker_beside_two_gets_one_of_four_and_one_alone_moves() -> None:
    before = {"w1": {0, 1}, "w2": {2, 3}, "w3": set[int]()}
    after = shared(before, 4)
    assert len(after["w3"]) == 1
    assert sum(len(after[name] - before[name]) for name in before) == 1


def test_where_everybody_has_a_share_nothing_moves() -> None:
    held = {"w1": {0, 1}, "w2": {2}, "w3": {3}}
    assert shared(held, 4) == held
