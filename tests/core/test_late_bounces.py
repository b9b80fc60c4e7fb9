"""A bounce that a late worker reads: entered after the end of a cycle it does not open it again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy
from tests.core.sleeping import (
    INVITATION,
    REFUSAL_ALONE,
    Happened,
    late,
    one_by_one,
    punctual,
    receipt,
    restricted,
)
from tests.core.states import DEADLINE, WINDOW, delivered


def test_a_bounce_read_after_the_deadline_restricts_nobody() -> None:
    day = delivered()
    day.now += WINDOW + DAY
    at = START + HOUR + MINUTE
    day.entered(at + HOUR).receipt("failed", at=at)
    assert "expired no_answer" not in day.run_timers().said()


def test_a_refusal_after_a_bounce_past_the_expiry_is_within_its_own_window() -> None:
    day = delivered(REFUSAL_ALONE).wait(WINDOW)
    day.receipt("failed", at=day.now - HOUR).wait(HOUR).answer("declined")
    said = day.wait(WINDOW).said()
    assert restricted(said) == {"recommend-feed", "tips"}, said


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
def test_a_bounce_that_entered_after_the_end_of_an_expired_cycle_does_not_revive_it(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """A refusal behind it would be one to an invitation that was over."""
    day = delivered(REFUSAL_ALONE).wait(WINDOW)
    over = day.now + REFUSAL_ALONE.consequence.expires_after
    refused = {"answer": "declined", "invitation_id": INVITATION}
    happened: Happened = [
        (over + HOUR, "notice-receipts", receipt("failed")),
        (over + 2 * HOUR, "consent-answers", refused),
    ]
    said = how(day, happened, over + 2 * HOUR + 2 * WINDOW)
    assert not restricted(said)
    assert "undeliverable other" not in said


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
def test_nor_does_it_before_the_expiry_was_decided(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """A worker sleeps over the whole cycle (history 980,734 of late, seed 1)."""
    day = delivered(REFUSAL_ALONE)
    over = START + DEADLINE + REFUSAL_ALONE.consequence.expires_after
    bounce: Happened = [(over + HOUR, "notice-receipts", receipt("failed"))]
    said = how(day, bounce, over + 2 * HOUR)
    said += day.answer("declined", invitation_id=INVITATION).wait(2 * WINDOW).said()
    assert not restricted(said)
    assert "undeliverable other" not in said


def test_nor_does_it_where_the_expiry_was_decided_late() -> None:
    """The worker's own end of the cycle lies later by as much."""
    day = delivered(REFUSAL_ALONE)
    over = START + DEADLINE + REFUSAL_ALONE.consequence.expires_after
    day.now = over - HOUR
    assert day.run_timers().said()[-1] == "expired no_answer"
    said = punctual(day, [(over + HOUR, "notice-receipts", receipt("failed"))], over + 2 * HOUR)
    said += day.answer("declined", invitation_id=INVITATION).wait(2 * WINDOW).said()
    assert not restricted(said)
    assert "undeliverable other" not in said


def test_a_bounce_counts_where_a_stricter_policy_may_come_before_the_expiry() -> None:
    """Silence restricts nothing for now, and a switch holds the expiry back."""
    first = policy()
    day = delivered(first)
    day.open(replace(first, version=2, consequence=replace(first.consequence, surfaces={})))
    day.switch("throttles_off", True).wait(first.consequence.expires_after + 2 * WINDOW)
    day.receipt("failed", at=day.now - HOUR)
    day.open(replace(first, version=3))
    said = day.switch("throttles_off", False).wait(2 * WINDOW).said()
    assert not restricted(said), said


@pytest.mark.parametrize(
    ("on", "early"), [({"declined"}, HOUR), ({"declined", "no_answer"}, -HOUR)]
)
def test_a_bounce_before_that_end_or_where_silence_restricts_counts_for_a_late_worker(
    on: set[str], early: int
) -> None:
    day = delivered(policy(consequence=replace(policy().consequence, on=frozenset(on))))
    over = START + DEADLINE + policy().consequence.expires_after
    said = late(day, [(over - early, "notice-receipts", receipt("failed"))], over + 2 * HOUR)
    assert "undeliverable other" in said
    assert not restricted(said)


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
def test_a_refusal_after_a_bounce_in_time_is_within_its_own_window(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """No deadline runs while the notice has not arrived: none can have passed."""
    day = delivered(REFUSAL_ALONE)
    deadline = START + DEADLINE
    happened: Happened = [
        (deadline - HOUR, "notice-receipts", receipt("failed")),
        (deadline + HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert restricted(how(day, happened, deadline + 2 * WINDOW)) == {"recommend-feed", "tips"}


@pytest.mark.parametrize("how", [punctual, late])
def test_a_refusal_read_behind_a_later_bounce_belongs_to_the_window_that_it_ended(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """The invitation had expired in silence; receipts are read before answers."""
    day = delivered(REFUSAL_ALONE).wait(WINDOW + MINUTE)
    happened: Happened = [
        (day.now + HOUR, "consent-answers", {"answer": "declined"}),
        (day.now + 2 * HOUR, "notice-receipts", receipt("failed")),
        (day.now + 3 * HOUR, "notice-receipts", receipt("delivered")),
    ]
    assert not restricted(how(day, happened, day.now + 2 * WINDOW))
