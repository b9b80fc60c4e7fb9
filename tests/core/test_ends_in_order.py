"""What ends in the owner's favour ends in due order, also where a label's end is among it.

schemas/CONTRACT.md, "Timers": they act in due order per account. A worker that slept finds several
ends at once, and says of them what a punctual one said.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, Day, policy
from tests.core.states import delivered, expired, lifted

REFUSAL_ALONE = policy(consequence=replace(policy().consequence, on=frozenset({"declined"})))
"""Silence restricts nobody under it: its expired cycle ends by time, and says nothing then."""
EXPIRES_AFTER = policy().consequence.expires_after
LEAVE_AFTER = policy().stability.leave_after


def label_until(day: Day, end: int) -> Day:
    """The label of the account ends at an instant."""
    return day.label("财经", valid_until=rfc3339(end))


def on_time(day: Day, until: int) -> list[str]:
    """What a worker says that is there at every instant."""
    return day.wait(until - day.now).said()


def asleep(day: Day, until: int) -> list[str]:
    """What one says that was away."""
    day.now = until
    return day.run_timers().said()


def after_a_restart(day: Day, until: int) -> list[str]:
    """What one says that starts when all is over."""
    day.now = until
    day.open(policy())
    return day.run_timers().said()


HOW = [on_time, asleep, after_a_restart]
Told = Callable[[Day, int], list[str]]


def leaving(label_end: int) -> Day:
    """Below the exit line since an hour after the delivery; the label ends so long after that."""
    day = delivered().wait(HOUR).reads(10)
    return label_until(day, day.now + label_end)


@pytest.mark.parametrize("told", HOW)
def test_a_leaving_that_is_over_before_the_label_ends_says_left(told: Told) -> None:
    day = leaving(LEAVE_AFTER + HOUR)
    assert told(day, day.now + LEAVE_AFTER + DAY) == ["cancelled left"]


@pytest.mark.parametrize("told", HOW)
@pytest.mark.parametrize("earlier", [0, HOUR])
def test_a_label_that_ends_no_later_than_the_leaving_says_label(told: Told, earlier: int) -> None:
    day = leaving(LEAVE_AFTER - earlier)
    assert told(day, day.now + LEAVE_AFTER + DAY) == ["cancelled label"]


@pytest.mark.parametrize("told", HOW)
def test_a_restriction_that_ends_before_the_label_is_ended_not_cancelled(told: Told) -> None:
    day = expired()
    label_until(day, day.now + EXPIRES_AFTER + HOUR)
    said = [one for one in told(day, day.now + EXPIRES_AFTER + DAY) if "renewed" not in one]
    assert said == lifted("ended")


@pytest.mark.parametrize("told", HOW)
def test_a_restriction_that_the_label_outlives_no_longer_is_cancelled(told: Told) -> None:
    day = expired()
    label_until(day, day.now + EXPIRES_AFTER - HOUR)
    said = [one for one in told(day, day.now + EXPIRES_AFTER + DAY) if "renewed" not in one]
    assert said == ["cancelled label", *lifted("label")]


@pytest.mark.parametrize("told", [on_time, asleep])
def test_an_expired_cycle_that_ends_before_the_label_is_not_cancelled_after_it(told: Told) -> None:
    day = expired(REFUSAL_ALONE)
    label_until(day, day.now + EXPIRES_AFTER + HOUR)
    assert told(day, day.now + EXPIRES_AFTER + DAY) == []


def test_the_end_of_a_label_takes_the_ground_from_a_deadline_that_passed_before_it() -> None:
    """An adverse event may be missing whose ground vanished meanwhile; it is not made good."""
    day = delivered()
    deadline = day.account().live.cycle.deadline_at
    label_until(day, deadline + HOUR)
    assert asleep(day, deadline + DAY) == ["cancelled label"]
