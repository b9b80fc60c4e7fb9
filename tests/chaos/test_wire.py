"""Requests whose outcome is not known: nothing of a transaction is ever seen without the rest."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.wire.faults import Script, WireFault
from tests.chaos.wire.frames import UNDER_AN_EPOCH
from tests.chaos.wire.node import Proxied, proxied
from tests.chaos.wire.rounds import RoundOutcome, WirePlan, perform
from tests.worker.old_version import source_of

pytestmark = pytest.mark.kafka

WHOLE = {"partitions": 1, "count": 60, "least": 12, "most": 12, "timeout_seconds": 2.5}
"""Five transactions, each of several produce requests; patience for a machine that is busy."""
SECOND = {"InitProducerId": 0, "Produce": 12, "TxnOffsetCommit": 5, "EndTxn": 5}
"""Requests and their versions where the cluster has agreed on the second one of transactions."""
IN_THE_NEXT = WireFault("released late", "late", 10.0, after_answers=1, between=True, to="Produce")
"""Arrives between the first and the second produce request of the next transaction."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    made = proxied(tmp_path_factory.mktemp("wire"))
    with made.cluster:
        yield made


def run(kafka: Proxied, faults: Script, **changes: object) -> RoundOutcome:
    plan = WirePlan(**{"seed": "named", **WHOLE, **changes})  # type: ignore[arg-type]
    return asyncio.run(perform(kafka, plan, faults))


def test_given_aiokafkas_own_sender_then_a_late_end_tears_the_next_transaction(
    kafka: Proxied,
) -> None:
    """What the cure is for: the first EndTxn arrives after the second, in another transaction.

    On a busy machine it may arrive between two of them, where it tears nothing.
    """
    outcomes = (
        run(kafka, Script({("EndTxn", 1): IN_THE_NEXT}), sender="aiokafka") for _ in range(3)
    )
    assert any(outcome.asked_again > 0 and torn(outcome) for outcome in outcomes)


def test_the_engine_of_0_1_0_is_judged_too_and_tears_it(kafka: Proxied, tmp_path: Path) -> None:
    code = source_of(tmp_path / "before")
    faults = Script({("EndTxn", 1): IN_THE_NEXT})
    outcomes = (run(kafka, faults, code=code, version="first") for _ in range(20))
    assert any(outcome.asked_again > 0 and torn(outcome) for outcome in outcomes)


def torn(outcome: RoundOutcome) -> bool:
    """Whether a part of a transaction is seen and the rest is lost."""
    found = "".join(outcome.violations)
    return "outputs are seen of the transaction" in found and "lost" in found


@pytest.mark.parametrize("version", ["first", "second"])
def test_given_an_end_that_the_network_repeats_then_only_the_second_version_refuses_it(
    kafka: Proxied, version: str
) -> None:
    repeated = WireFault("repeated", "late", 10.0, after_answers=1, between=True, to="Produce")
    outcome = run(kafka, Script({("EndTxn", 1): repeated}), version=version)
    if version == "first":
        assert torn(outcome)
    else:
        assert outcome.violations == []
        assert outcome.ended == {"0": 1}, outcome.causes
        assert outcome.versions == SECOND


@pytest.mark.parametrize(
    ("version", "api"),
    [
        *(("first", api) for api in UNDER_AN_EPOCH),
        ("second", "TxnOffsetCommit"),
        ("second", "EndTxn"),
    ],
)
def test_given_no_answer_then_the_producer_ends_and_nothing_is_sent_again_under_its_epoch(
    kafka: Proxied, version: str, api: str
) -> None:
    faults = (
        IN_THE_NEXT,
        WireFault("dropped", "request"),
        WireFault("dropped", "answer"),
        WireFault("reset", "before the answer"),
    )
    script = Script({(api, 2 * number): fault for number, fault in enumerate(faults, 1)})
    outcome = run(kafka, script, count=120, version=version)
    assert outcome.violations == []
    assert outcome.ended == {"70": 4, "0": 1}, outcome.causes
    assert any(f"NoAnswer: {api}" in cause for cause in outcome.causes), outcome.causes
    assert outcome.asked_again == 0


@pytest.mark.parametrize("version", ["first", "second"])
def test_given_a_produce_request_without_an_answer_then_it_is_sent_again_and_counts_once(
    kafka: Proxied, version: str
) -> None:
    faults = (IN_THE_NEXT, WireFault("reset", "before the answer"), WireFault("reset", "before"))
    script = Script({("Produce", 3 * number): fault for number, fault in enumerate(faults, 1)})
    outcome = run(kafka, script, version=version)
    assert outcome.violations == []
    assert outcome.ended == {"0": 1}, outcome.causes


def test_given_an_answer_not_now_then_it_is_asked_again(kafka: Proxied) -> None:
    """Loading, not available, not the coordinator, concurrent."""
    asked = (("EndTxn", 14), ("EndTxn", 15), ("EndTxn", 16), ("EndTxn", 51))
    script = {
        (api, 2 * number): WireFault("answered", "", code=code)
        for number, (api, code) in enumerate((*asked, ("TxnOffsetCommit", 51)), 1)
    }
    outcome = run(kafka, Script(script), count=120)
    assert outcome.violations == []
    assert outcome.ended == {"0": 1}, outcome.causes
    assert outcome.passed["EndTxn"] == 14


def test_given_an_answer_that_leaves_the_outcome_open_then_the_producer_ends(
    kafka: Proxied,
) -> None:
    """Unknown, timed out: what it wrote may be there or not."""
    asked = (("EndTxn", -1), ("EndTxn", 7), ("TxnOffsetCommit", 7))
    script = {
        (api, 2 * number): WireFault("answered", "", code=code)
        for number, (api, code) in enumerate(asked, 1)
    }
    outcome = run(kafka, Script(script), count=120, version="first")
    assert outcome.violations == []
    assert outcome.ended == {"70": 3, "0": 1}, outcome.causes


def test_given_init_without_an_answer_then_it_is_asked_again_under_a_new_epoch(
    kafka: Proxied,
) -> None:
    hows = enumerate(("before", "before the answer"), 1)
    script = {("InitProducerId", number): WireFault("reset", how) for number, how in hows}
    outcome = run(kafka, Script(script))
    assert outcome.violations == []
    assert outcome.ended == {"0": 1}, outcome.causes
    assert outcome.passed["InitProducerId"] >= 3


def test_given_faults_of_every_kind_then_nobody_can_tell_from_what_comes_out(
    kafka: Proxied,
) -> None:
    plan = WirePlan(seed="short", partitions=4, count=120, limit_seconds=120)
    outcome = asyncio.run(perform(kafka, plan))
    assert outcome.violations == []
    assert outcome.asked_again == 0
    assert outcome.ended["70"] >= 20, outcome.ended
