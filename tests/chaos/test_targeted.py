"""What chance seldom meets, told on purpose; each run is judged whole at its end."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from schemas.enums import ADVERSE_EVENTS
from schemas.topics import INPUTS
from streams.engine.failpoints import POINTS
from tests.chaos.faults import Faults
from tests.chaos.grounds import APPLICATION, PREFIX, ChaosSite
from tests.chaos.lives import ChaosAccount
from tests.chaos.schedule import ScheduledFault
from tests.chaos.stage import ChaosStage
from tests.chaos.traffic import TrafficRates

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]
QUIET = TrafficRates(readings=50.0, lives=0.0, crowd=500, brakes_every=1e9)
BUSY = TrafficRates(readings=100.0, lives=1.5, crowd=1_000)


def wait_for(true: Callable[[], Any], seconds: float) -> None:
    """Poll until it is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


class HeardEvents:
    """Events by account, as they come out."""

    def __init__(self, stage: ChaosStage) -> None:
        self.events: dict[str, dict[str, dict[str, Any]]] = {}
        stage.watch._listener = self.hear

    def hear(self, key: str, event: dict[str, Any]) -> None:
        self.events.setdefault(key, {})[event["event"]] = event

    def all(self, accounts: list[ChaosAccount], name: str) -> bool:
        return all(name in self.events.get(account.key, {}) for account in accounts)


def _invited(stage: ChaosStage, heard: HeardEvents, count: int) -> list[ChaosAccount]:
    accounts = [ChaosAccount(stage.sender, "douyin", f"t{n}", f"t{n}") for n in range(count)]
    for account in accounts:
        account.label()
        account.reads(1.5)
    wait_for(lambda: heard.all(accounts, "invitation.issued"), 150)
    for account in accounts:
        issued = heard.events[account.key]["invitation.issued"]
        account.invitation_id = issued["invitation_id"]
    return accounts


def _assert_fine(stage: ChaosStage, settle: float = 5.0) -> None:
    stage.traffic.stop()
    assert stage.drained(90) is not None
    verdict = stage.end(settle)
    breaches = {name: own[:5] for name, own in verdict.breaches.items() if own}
    assert breaches == {}, breaches


def test_given_a_backlog_then_an_answer_in_time_beats_its_deadline() -> None:
    """Nobody works while deadlines pass; answers lie among 20,000 other inputs."""
    with ChaosStage(ChaosSite(partitions=4), 1, QUIET) as stage:
        stage.begin(2)
        heard = HeardEvents(stage)
        accounts = _invited(stage, heard, 40)
        for account in accounts:
            account.receipt()
        wait_for(lambda: heard.all(accounts, "invitation.delivered"), 40)
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
        wait_for(lambda: heard.all(in_time, "consent.granted"), 60)
        wait_for(lambda: heard.all(too_late, "invitation.expired"), 60)
        assert not any("invitation.expired" in heard.events[one.key] for one in in_time)
        _assert_fine(stage)


def test_receipt_and_answer_may_come_in_either_order() -> None:
    with ChaosStage(ChaosSite(partitions=4), 2, QUIET) as stage:
        stage.begin(2)
        heard = HeardEvents(stage)
        accounts = _invited(stage, heard, 40)
        for number, account in enumerate(accounts):
            words = [account.receipt, lambda one=account: one.answers("granted")]
            for word in words if number % 2 else words[::-1]:
                word()
                stage.sender.flush()
        wait_for(lambda: heard.all(accounts, "consent.granted"), 40)
        assert heard.all(accounts, "invitation.delivered")
        _assert_fine(stage)


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

    wait_for(overwritten, 60)
    group.close()


def test_stale_or_absurd_committed_offsets_change_nothing() -> None:
    """First those of the beginning, then, after as much again, those past the end."""
    with ChaosStage(ChaosSite(partitions=4), 3, BUSY) as stage:
        stage.begin(2)
        for back in (True, False):
            time.sleep(10)
            stage.supervisor.stop_all()
            _overwrite_offsets(stage.site, back)
            at = time.time()
            stage.supervisor.scale(2)
            assert stage.heard_since(at, 60) is not None, "all partitions go on"
        time.sleep(5)
        _assert_fine(stage, 10)


def test_a_zombie_that_wakes_inside_a_transaction_does_no_harm() -> None:
    """Frozen by itself in the middle of a step, replaced, woken: it must not get a word in.

    Two at a time, and a third worker that replaces both. The other steps have their turn in the
    long runs (README.md).
    """
    steps = POINTS[POINTS.index("before-begin") : POINTS.index("after-store")]
    with ChaosStage(ChaosSite(partitions=4), 4, BUSY) as stage:
        stage.begin(3)
        faults = Faults(stage.supervisor, stage.sender)
        for number, step in enumerate(steps):
            faults._zombies = POINTS.index(step)
            faults.strike(ScheduledFault(0.0, "zombie at a step", number % 2, 0.1, number))
            time.sleep(0.5)  # Its thread has taken the step.
            if number % 2:
                faults.wait()
        assert len(faults.steps) >= len(steps) - 1, (faults.steps, faults.notes)
        _assert_fine(stage, 10)


def test_workers_that_start_at_once_never_stall() -> None:
    from tests.chaos.liveness import starts_at_once

    with ChaosStage(ChaosSite(partitions=8), 5, BUSY) as stage:
        stage.begin(2)
        found = starts_at_once(stage, 4)
        assert found["stalled"] == [], found
        stage.supervisor.scale(3)
        _assert_fine(stage, 10)


def test_given_partitions_added_under_load_then_nothing_adverse_and_all_else_goes_on() -> None:
    """The changed cluster is in the log: replay and model follow it, and nobody is restricted."""
    with ChaosStage(ChaosSite(partitions=4), 6, BUSY) as stage:
        stage.sender.pinned = True
        stage.begin(2)
        heard = HeardEvents(stage)
        accounts = _invited(stage, heard, 20)
        for account in accounts:
            account.receipt()
        wait_for(lambda: heard.all(accounts, "invitation.delivered"), 40)
        _widen([topic.name for topic in INPUTS if not topic.single], stage.site, 6)
        logs = [stage.supervisor.log(number) for number in range(2)]
        wait_for(lambda: all("partitions were added" in log.read_text() for log in logs), 20)
        since = time.time()
        time.sleep(20)
        for account in accounts[:10]:
            account.answers("granted")
        wait_for(lambda: heard.all(accounts[:10], "consent.granted"), 40)
        adverse = [
            event["event"]
            for own in heard.events.values()
            for event in own.values()
            if event["event"] in ADVERSE_EVENTS
            and datetime.fromisoformat(event["decided_at"]).timestamp() > since + 1
        ]
        assert adverse == []
        _assert_fine(stage)


def _widen(names: list[str], site: ChaosSite, partitions: int) -> None:
    client = AdminClient({"bootstrap.servers": site.kafka.bootstrap, "log_level": 2})
    wanted = [NewPartitions(PREFIX + name, partitions) for name in names]
    for future in client.create_partitions(wanted).values():
        future.result(30)
