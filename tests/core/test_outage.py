"""After an outage: what was slept through comes out at the cap's pace, by the facts of then."""

from collections import Counter
from datetime import datetime

import pytest

from streams.core.model.instants import hour_of, milliseconds
from tests.core.given import HOUR, Day
from tests.core.states import WINDOW, brief

CAP = 20
SLEPT_THROUGH = 500
NAMES = [f"o{number}" for number in range(SLEPT_THROUGH)]


@pytest.fixture
def asleep() -> Day:
    """Two hours after the last of 500 deadlines, the worker has not looked yet."""
    day = Day(brief(throttles_per_hour=CAP))
    for name in NAMES:
        day.label("财经", name).reads(1500, name).receipt("delivered", name)
        day.now += 1000
    day.said()
    day.now += WINDOW + 2 * HOUR
    return day


def hours(day: Day) -> Counter[int]:
    """Accounts restricted since the last call, by the hour of the decision."""
    applied = {
        (event["account_id"], hour_of(milliseconds(datetime.fromisoformat(event["decided_at"]))))
        for event in day.fresh()
        if event["event"] == "throttle.applied"
    }
    return Counter(hour for _, hour in applied)


def touched(day: Day, event: str) -> list[str]:
    """Whose event of a kind was written, in order."""
    return [it["account_id"] for it in day.events if it["event"] == event]


def test_five_hundred_deadlines_slept_through_are_let_out_by_the_hour(asleep: Day) -> None:
    first = hour_of(asleep.now)
    assert hours(asleep.run_timers()) == {first: CAP}
    assert hours(asleep.wait(23 * HOUR)) == {first + number: CAP for number in range(1, 24)}
    assert hours(asleep.wait(10 * HOUR)) == {first + 24: SLEPT_THROUGH - 24 * CAP}
    assert touched(asleep, "invitation.expired") == NAMES, "who waited longest comes first"


@pytest.mark.slow
def test_a_restart_in_between_lets_nobody_out_twice_or_early(asleep: Day) -> None:
    rule = brief(throttles_per_hour=CAP)
    first = hour_of(asleep.now)
    assert hours(asleep.run_timers()) == {first: CAP}
    asleep.open(rule)
    assert hours(asleep.run_timers()) == {}
    asleep.now += HOUR
    asleep.open(rule)
    assert hours(asleep.run_timers()) == {first + 1: CAP}


@pytest.mark.slow
def test_conditions_are_looked_at_anew_when_its_turn_comes(asleep: Day) -> None:
    asleep.run_timers()
    asleep.answer("granted", "o100").change("exempted", "o101").label("旅游", "o102")
    asleep.reads(10, "o103").control("hold", "o104")
    asleep.wait(40 * HOUR)
    restricted = set(touched(asleep, "throttle.applied"))
    restriction_waived = {f"o{number}" for number in range(100, 105)}
    assert restricted == set(NAMES) - restriction_waived
    granted = [it for it in asleep.events if it["event"] == "consent.granted"]
    assert [it["reason"] for it in granted] == ["answer"], "who waited answers in time"


@pytest.mark.slow
def test_what_arrived_while_it_slept_counts_before_any_deadline(asleep: Day) -> None:
    asleep.answer("granted", "o0", at=asleep.now - HOUR).change("closed", "o1")
    asleep.run_timers()
    assert touched(asleep, "throttle.applied")[::2] == NAMES[2 : 2 + CAP]
