"""Answers, receipts and deadlines in an order that chance seldom brings, on one quiet stage."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.chaos.grounds import ChaosSite
from tests.chaos.heard import HeardEvents, assert_fine, invited
from tests.chaos.stage import ChaosStage
from tests.chaos.traffic import TrafficRates

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]
QUIET = TrafficRates(readings=50.0, lives=0.0, crowd=500, brakes_every=1e9)


@pytest.fixture(scope="module")
def stage() -> Iterator[ChaosStage]:
    with ChaosStage(ChaosSite(partitions=4), 1, QUIET) as made:
        made.begin(2)
        yield made


@pytest.fixture(scope="module")
def heard(stage: ChaosStage) -> HeardEvents:
    return HeardEvents(stage)


def test_receipt_and_answer_may_come_in_either_order(stage: ChaosStage, heard: HeardEvents) -> None:
    accounts = invited(stage, heard, "either", 40)
    for number, account in enumerate(accounts):
        words = [account.receipt, lambda one=account: one.answers("granted")]
        for word in words if number % 2 else words[::-1]:
            word()
            stage.sender.flush()
    heard.wait(accounts, "consent.granted", 40)
    assert heard.all(accounts, "invitation.delivered")


def test_given_a_backlog_then_an_answer_in_time_beats_its_deadline(
    stage: ChaosStage, heard: HeardEvents
) -> None:
    """Nobody works while deadlines pass; answers lie among 20,000 other inputs."""
    accounts = invited(stage, heard, "backlog", 40)
    for account in accounts:
        account.receipt()
    heard.wait(accounts, "invitation.delivered", 40)
    for slot in stage.supervisor.slots:
        slot.wanted = False
        stage.supervisor.kill(slot)
    in_time, too_late = accounts[:20], accounts[20:]
    for account in in_time:
        account.answers("granted")
    stage.sender.flush()
    deadlines = [
        datetime.fromisoformat(heard.events[one.key]["invitation.delivered"]["deadline_at"])
        for one in accounts
    ]
    assert time.time() < min(one.timestamp() for one in deadlines)
    for number in range(20_000):
        stage.sender.reading(f"weibo:q{number}", "weibo", f"q{number}", 600_000, time.time())
    stage.sender.flush()
    time.sleep(max(0.0, max(one.timestamp() for one in deadlines) - time.time() + 1))
    stage.supervisor.scale(2)
    heard.wait(in_time, "consent.granted", 60)
    heard.wait(too_late, "invitation.expired", 60)
    assert not any("invitation.expired" in heard.events[one.key] for one in in_time)


def test_all_of_it_is_what_model_and_auditor_say(stage: ChaosStage) -> None:
    assert_fine(stage, settle=5.0)
