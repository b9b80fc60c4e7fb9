"""Faults that chance seldom brings, struck on purpose one after the other on one busy stage."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from schemas.enums import ADVERSE_EVENTS
from schemas.topics import INPUTS
from streams.engine.failpoints import POINTS
from tests.chaos.faults import Faults
from tests.chaos.grounds import APPLICATION, PREFIX, ChaosSite
from tests.chaos.heard import HeardEvents, assert_fine, invited
from tests.chaos.liveness import starts_at_once
from tests.chaos.schedule import ScheduledFault
from tests.chaos.stage import ChaosStage
from tests.chaos.traffic import TrafficRates
from tests.engine.harness import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]
BUSY = TrafficRates(readings=100.0, lives=1.5, crowd=1_000)
PARTITIONS = 8


@pytest.fixture(scope="module")
def stage() -> Iterator[ChaosStage]:
    """Each key stays in its first partition, also when partitions are added at the end."""
    with ChaosStage(ChaosSite(partitions=PARTITIONS), 3, BUSY) as made:
        made.sender.pinned = True
        made.begin(2)
        yield made


def _overwrite_offsets(site: ChaosSite, back: bool) -> None:
    """The group's offsets become those of the beginning, or are moved past the end."""
    group = Consumer(
        {
            "bootstrap.servers": site.kafka.bootstrap,
            "group.id": APPLICATION,
            "enable.auto.commit": False,
        }
    )
    places = [
        TopicPartition(PREFIX + topic.name, number, 0 if back else 10_000_000)
        for topic in INPUTS
        if not topic.single
        for number in range(site.partitions)
    ]

    def overwritten() -> bool:
        try:
            group.commit(offsets=places, asynchronous=False)
        except KafkaException:
            return False
        return True

    wait_until(overwritten, 60, "the group's offsets are overwritten", every=0.05)
    group.close()


def test_stale_or_absurd_committed_offsets_change_nothing(stage: ChaosStage) -> None:
    """First those of the beginning, then, after as much again, those past the end."""
    for back in (True, False):
        time.sleep(10)
        stage.supervisor.stop_all()
        _overwrite_offsets(stage.site, back)
        at = time.time()
        stage.supervisor.scale(2)
        assert stage.heard_since(at, 60) is not None, "all partitions go on"


def test_a_zombie_that_wakes_inside_a_transaction_does_no_harm(stage: ChaosStage) -> None:
    """Frozen by itself in the middle of a step, replaced, woken: it must not get a word in.

    Two at a time, and a third worker that replaces both. The other steps have their turn in the
    long runs (README.md).
    """
    steps = POINTS[POINTS.index("before-begin") : POINTS.index("after-store")]
    at = time.time()
    stage.supervisor.scale(3)
    assert stage.heard_since(at, 60) is not None
    faults = Faults(stage.supervisor, stage.sender)
    for number, step in enumerate(steps):
        faults._zombies = POINTS.index(step)
        faults.strike(ScheduledFault(0.0, "zombie at a step", number % 2, 0.1, number))
        time.sleep(0.5)  # Its thread has taken the step.
        if number % 2:
            faults.wait()
    faults.wait()
    assert len(faults.steps) >= len(steps) - 1, (faults.steps, faults.notes)


def test_workers_that_start_at_once_never_stall(stage: ChaosStage) -> None:
    found = starts_at_once(stage, 4)
    assert found["stalled"] == [], found


def test_given_partitions_added_under_load_then_nothing_adverse_and_all_else_goes_on(
    stage: ChaosStage,
) -> None:
    """The changed cluster is in the log: replay and model follow it, and nobody is restricted."""
    stage.supervisor.scale(2)
    heard = HeardEvents(stage)
    accounts = invited(stage, heard, "added", 20)
    for account in accounts:
        account.receipt()
    heard.wait(accounts, "invitation.delivered", 40)
    _widen([topic.name for topic in INPUTS if not topic.single], stage.site, PARTITIONS + 2)
    logs = [stage.supervisor.log(number) for number in range(2)]
    wait_until(
        lambda: all("partitions were added" in log.read_text() for log in logs),
        20,
        "both workers say it",
        every=0.05,
    )
    since = time.time()
    time.sleep(20)
    for account in accounts[:10]:
        account.answers("granted")
    heard.wait(accounts[:10], "consent.granted", 40)
    adverse = [
        event["event"]
        for own in heard.events.values()
        for event in own.values()
        if event["event"] in ADVERSE_EVENTS
        and datetime.fromisoformat(event["decided_at"]).timestamp() > since + 1
    ]
    assert adverse == []


def _widen(names: list[str], site: ChaosSite, partitions: int) -> None:
    client = AdminClient({"bootstrap.servers": site.kafka.bootstrap, "log_level": 2})
    wanted = [NewPartitions(PREFIX + name, partitions) for name in names]
    for future in client.create_partitions(wanted).values():
        future.result(30)


def test_all_of_it_is_what_model_and_auditor_say(stage: ChaosStage) -> None:
    assert_fine(stage, settle=10.0)
