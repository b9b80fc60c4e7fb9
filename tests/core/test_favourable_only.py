"""A round before the topics were looked at: adverse timers stay due, favourable ones pass them."""

import pytest

from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy
from tests.core.states import ISSUED, WINDOW, begun, delivered, expired, lifted


def round_of(day: Day, favourable_only: bool) -> bool:
    """One round of timers as the engine asks for it; whether more are due."""
    before = len(day.tables.raw)
    more = day.partition.run_timers(day.tables, day.now, day.now, 1000, favourable_only)
    if len(day.tables.raw) > before:
        day.partition.before_commit(day.tables, day.now, dict(day._offsets))
    return more


def test_a_deadline_stays_due_and_is_not_looked_at_twice() -> None:
    day = delivered()
    day.now += WINDOW
    for _ in range(3):
        assert round_of(day, favourable_only=True) is False
        assert day.said() == []
        assert day.partition.due() == day.now
    assert round_of(day, favourable_only=False) is False
    assert day.said()[0] == "expired no_answer"


def test_an_invitation_waits_although_the_dwell_is_over() -> None:
    day = begun()
    day.now += HOUR
    round_of(day, favourable_only=True)
    assert day.said() == []
    assert day.account().eligibility.name == "INSIDE"
    round_of(day, favourable_only=False)
    assert day.said() == [ISSUED]


def test_what_is_favourable_passes_an_adverse_timer_that_waits() -> None:
    """The deadline is due first, the end of leaving later; both in one account."""
    day = expired()
    end = max(one.expires_at for one in day.account().live.cycle.throttles.values())
    day.now = end
    round_of(day, favourable_only=True)
    assert day.said() == lifted("ended")


def test_what_is_favourable_passes_it_also_when_it_comes_due_later() -> None:
    """Topics cannot be looked at for long: the deadline waits, and then the label ends."""
    ends = START + DAY + 2 * WINDOW
    day = Day().label("财经", valid_until=rfc3339(ends)).reads(1500).wait(HOUR).receipt()
    day.said()
    day.now += WINDOW
    round_of(day, favourable_only=True)
    assert day.said() == []
    day.now = ends
    round_of(day, favourable_only=True)
    assert day.said() == ["cancelled label"]


def test_a_pause_that_is_read_late_is_said_although_the_deadline_waits() -> None:
    day = delivered()
    day.now += WINDOW
    round_of(day, favourable_only=True)
    day.switch("adverse_off", True, at=day.now - HOUR)
    day.switch("adverse_off", False)
    assert day.said() == []
    round_of(day, favourable_only=True)
    assert day.said() == ["extended pause"]


def test_an_ended_label_cancels_in_such_a_round() -> None:
    ends = START + DAY
    day = Day().label("财经", valid_until=rfc3339(ends)).reads(1500).wait(HOUR).receipt()
    day.said()
    day.now += 3 * DAY
    round_of(day, favourable_only=True)
    assert day.said() == ["cancelled label"]


def test_an_input_meanwhile_counts_and_undoes_what_waits() -> None:
    day = delivered()
    day.now += WINDOW
    round_of(day, favourable_only=True)
    assert day.answer("granted").said() == ["granted answer"]
    round_of(day, favourable_only=False)
    assert day.said() == []


def test_the_round_says_so_and_one_that_looked_at_nobody_leaves_no_trace() -> None:
    day = delivered()
    day.now += WINDOW
    round_of(day, favourable_only=True)
    logged = len(day.decisions)
    round_of(day, favourable_only=True)
    assert len(day.decisions) == logged
    round_of(day, favourable_only=False)
    steps = [step for one in day.decisions if one["kind"] == "transaction" for step in one["steps"]]
    rounds = [step for step in steps if "looked" in step]
    assert [one.get("favourable_only", False) for one in rounds[-2:]] == [True, False]
    assert [one["looked"] for one in rounds[-2:]] == [1, 1]


@pytest.mark.parametrize("count", [1, 5])
def test_every_account_that_waits_has_its_turn_later(count: int) -> None:
    day = Day(policy())
    for number in range(count):
        day.label("财经", f"n{number}").reads(1500, f"n{number}")
    day.now += HOUR + MINUTE
    round_of(day, favourable_only=True)
    assert day.said() == []
    round_of(day, favourable_only=False)
    assert day.said() == [ISSUED] * count
