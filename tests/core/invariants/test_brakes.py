"""The operator's brakes, at scale: kill switch, caps over partitions and restarts, roll-out."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from schemas.enums import Mode
from streams.core.model.ids import bucket, invitation_id
from streams.core.model.instants import day_of, hour_of
from streams.core.model.policy import Policy
from tests.core.given import DAY, HOUR, MINUTE, START, policy, stability
from tests.core.invariants.follower import ADVERSE, instant
from tests.core.invariants.properties import check
from tests.core.invariants.world import WorldRun

Told = list[tuple[str, dict[str, Any]]]


def _about(run: WorldRun, topic: str, account: str, **value: Any) -> None:
    whole = {"platform": "weibo", "account_id": account, **value}
    run.put(topic, f"weibo:{account}", whole)


def _crosses(run: WorldRun, account: str) -> None:
    _about(run, "category-changes", account, category="财经", observed_at=run.now)
    _about(run, "follower-counts", account, followers=1500, observed_at=run.now)


def _delivered(run: WorldRun, account: str) -> None:
    notice = invitation_id("weibo", account, Mode.ENFORCE, 1)
    value = {"invitation_id": notice, "outcome": "delivered", "occurred_at": run.now}
    _about(run, "notice-receipts", account, **value)


def _events(*runs: WorldRun) -> list[dict[str, Any]]:
    return [event for run in runs for step in run.trace for _, event in step.events]


def _named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def _switch(run: WorldRun, name: str, on: bool) -> None:
    value = {"scope": "*", "switch": name, "on": on, "actor": "op", "reason": "incident"}
    run.put("switches", f"*:{name}", {**value, "issued_at": run.now})


def test_the_kill_switch_in_mid_stream() -> None:
    rule = policy(stability=stability(dwell=HOUR), throttles_per_hour=5, invitations_per_day=60)
    run = WorldRun(rule)
    names = [f"a{number}" for number in range(80)]
    for name in names:
        _crosses(run, name)
        run.wait(MINUTE)
    run.wait(HOUR, hops=500)
    invited = [event["account_id"] for event in _named(_events(run), "invitation.issued")]
    assert len(invited) == 60
    for name in invited:
        _delivered(run, name)
    run.wait(3 * DAY - HOUR, hops=500)
    promised = _deadlines(run)

    _switch(run, "adverse_off", True)
    pulled_at, before = run.now, len(run.trace)
    run.wait(2 * HOUR, hops=500)
    _about(run, "consent-answers", invited[0], answer="granted", occurred_at=run.now)
    _about(run, "consent-answers", invited[0], answer="withdrawn", occurred_at=run.now + 1)
    _about(run, "account-changes", invited[1], change="exempted", observed_at=run.now)
    _about(run, "consent-answers", invited[2], answer="declined", occurred_at=run.now)
    run.wait(2 * DAY, hops=500)
    meanwhile = [event for step in run.trace[before:] for _, event in step.events]
    assert not [event for event in meanwhile if event["event"] in ADVERSE]
    assert [event["event"] for event in meanwhile] == [
        "consent.granted",
        "consent.withdrawn",
        "invitation.cancelled",
        "consent.declined",
    ]

    _switch(run, "adverse_off", False)
    pause, before = run.now - pulled_at, len(run.trace)
    run.wait(10 * DAY, hops=5000)
    after = [event for step in run.trace[before:] for _, event in step.events]
    open_ones = set(invited[2:])
    extended = _named(after, "invitation.extended")
    assert {event["account_id"] for event in extended} == open_ones
    for event in extended:
        assert instant(event["deadline_at"]) == promised[event["account_id"]] + pause
    expired = _named(after, "invitation.expired")
    assert {event["account_id"] for event in expired} >= open_ones
    paced = Counter(hour_of(instant(event["decided_at"])) for event in expired)
    assert max(paced.values()) == 5, "the cap paces what the brake held back"
    assert check(run.trace) == []


def _deadlines(run: WorldRun) -> dict[str, int]:
    deadlines: dict[str, int] = {}
    for event in _events(run):
        if event.get("deadline_at"):
            deadlines[event["account_id"]] = instant(event["deadline_at"])
    return deadlines


@pytest.mark.parametrize(("partition_count", "cap"), [(3, 10), (7, 10), (12, 7), (5, 5)])
def test_caps_hold_to_the_unit_over_a_hundred_rebalances(partition_count: int, cap: int) -> None:
    """Each partition number is a world of its own, whoever owns it; each day's sum is the cap."""
    rule = policy(
        stability=stability(dwell=0), invitations_per_day=cap, throttles_per_hour=1000, guards=None
    )
    draw = Random(partition_count)
    runs = [
        WorldRun(rule, partition=number, partition_count=partition_count)
        for number in range(partition_count)
    ]
    days, hop = 5, 5 * DAY // 100
    for number, run in enumerate(runs):
        run.now = START + 16 * HOUR  # the start of a day in Shanghai
        for account in range(-(-cap // partition_count) * (days + 1)):
            _crosses(run, f"p{number}a{account}")
    for _ in range(100):
        for run in draw.sample(runs, draw.randrange(1, partition_count + 1)):
            run.open()  # another worker owns it now
        for run in runs:
            run.wait(hop, hops=1000)
    issued = _named(_events(*runs), "invitation.issued")
    a_day = Counter(day_of(instant(event["decided_at"])) for event in issued)
    first = day_of(START + 16 * HOUR)
    assert [a_day[first + number] for number in range(days)] == [cap] * days
    for run in runs:
        assert check(run.trace) == []


def test_the_cap_on_throttles_holds_to_the_unit_over_rebalances() -> None:
    partition_count, cap = 4, 6
    rule = policy(stability=stability(dwell=0), throttles_per_hour=cap)
    draw = Random(4)
    runs = [
        WorldRun(rule, partition=number, partition_count=4) for number in range(partition_count)
    ]
    for number, run in enumerate(runs):
        for account in range(25):
            _crosses(run, f"p{number}a{account}")
            _delivered(run, f"p{number}a{account}")
    for run in runs:
        run.wait(3 * DAY - MINUTE, hops=500)
    for _ in range(100):
        for run in draw.sample(runs, draw.randrange(1, partition_count + 1)):
            run.open()
        for run in runs:
            run.wait(6 * MINUTE, hops=1000)
    expired = _named(_events(*runs), "invitation.expired")
    an_hour = Counter(hour_of(instant(event["decided_at"])) for event in expired)
    assert set(an_hour.values()) == {cap}, "10 hours, the same number in each"
    assert len(an_hour) == 10


def test_a_larger_roll_out_keeps_who_is_in() -> None:
    def invited(rule: Policy) -> tuple[WorldRun, set[str]]:
        run = WorldRun(rule)
        for number in range(400):
            _crosses(run, f"a{number}")
        return run, {event["account_id"] for event in _named(_events(run), "invitation.issued")}

    small = policy(stability=stability(dwell=0), rollout_percent=5)
    run, first = invited(small)
    assert first == {f"a{n}" for n in range(400) if bucket("weibo", f"a{n}") < 5}
    run.open(replace(small, version=2, rollout_percent=10))
    run.run_timers()
    events = _events(run)
    second = {event["account_id"] for event in _named(events, "invitation.issued")}
    assert first < second
    assert second == {f"a{n}" for n in range(400) if bucket("weibo", f"a{n}") < 10}
    assert len(_named(events, "invitation.issued")) == len(second)
    assert not _named(events, "invitation.cancelled")
    run.open(replace(small, version=3, rollout_percent=0))
    run.run_timers()
    assert not _named(_events(run), "invitation.cancelled"), "a smaller share ends nobody's cycle"
