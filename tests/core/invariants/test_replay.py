"""Recorded inputs and the decision log give the same outputs, byte for byte.

schemas/CONTRACT.md, "Guarantees".
"""

import hashlib
import json

import pytest

from streams.replay.records import DifferentError
from tests.core.invariants.histories import Supply, play
from tests.core.invariants.replay import recompute
from tests.core.invariants.world import WorldRun

SEED = 5
HISTORIES = 400


def _again(run: WorldRun, supply: Supply, number: int) -> list[object]:
    policies = {policy.digest: policy for family in supply.families(number) for policy in family}
    decisions = [raw for topic, _, raw, _ in run.memory.raw if topic == "decisions" and raw]
    return list(recompute(run.records, decisions, policies))


@pytest.mark.slow
def test_the_log_of_random_histories_is_reproduced_byte_for_byte() -> None:
    supply = Supply(SEED)
    for number in range(HISTORIES):
        run = play(SEED, number, supply, sealed_after=1 + number % 3)
        run.before_commit()
        assert _again(run, supply, number) == run.memory.raw, f"seed {SEED}, history {number}"


def test_one_changed_input_shows() -> None:
    supply = Supply(SEED)
    run = play(SEED, 1, supply, sealed_after=1)
    run.before_commit()
    first = run.records["follower-counts"][0]
    value = json.loads(first.value or b"")
    changed = first._replace(value=json.dumps(value | {"followers": 7}).encode())
    run.records["follower-counts"][0] = changed
    with pytest.raises(DifferentError, match="it would have been decided otherwise"):
        _again(run, supply, 1)


def test_the_chain_of_a_history_holds() -> None:
    run = play(SEED, 2, Supply(SEED), sealed_after=1)
    run.before_commit()
    previous = "0" * 64
    for topic, _, raw, _ in run.memory.raw:
        if topic != "decisions":
            continue
        record = json.loads(raw or b"")
        assert record["previous"] == previous
        unsealed = {name: record[name] for name in record if name != "hash"}
        plain = json.dumps(unsealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(plain.encode()).hexdigest()
        assert record["hash"] == previous
