"""What ends in the owner's favour ends at its own time, however late it is read.

schemas/CONTRACT.md, "Eligibility".
"""

import pytest

from streams.core.model.instants import rfc3339
from streams.core.model.policy import Consequence
from tests.core.given import DAY, HOUR, MINUTE, SECOND, START, Day, policy, stability
from tests.core.states import WINDOW, delivered, expired, invited, lifted


def asleep(day: Day, length: int) -> Day:
    """The worker is away; no timer acts meanwhile."""
    day.said()
    day.now += length
    return day


def leaving(day: Day) -> tuple[Day, int]:
    """Leaving since a day after; and when that ends."""
    day.wait(DAY).reads(10)
    return day, day.now + 7 * DAY


# ---- the end of a leaving -----------------------------------------------------------------------


def test_a_reading_that_entered_after_the_end_of_leaving_does_not_undo_it() -> None:
    day, end = leaving(expired())
    asleep(day, 9 * DAY)
    day.entered(end + 1).reads(1500, at=end + 1)
    assert day.account().eligibility.name == "LEAVING"
    assert day.said() == [], "the end acts as every timer does"
    assert day.run_timers().said() == ["cancelled left", *lifted("left")]


def test_a_reading_that_entered_before_it_comes_back_however_late_it_is_read() -> None:
    day, end = leaving(expired())
    asleep(day, 9 * DAY)
    day.entered(end).reads(1500, at=end)
    assert day.account().eligibility.name == "INSIDE"
    assert "cancelled left" not in day.run_timers().said()


def test_a_reading_that_only_says_that_it_is_old_undoes_nothing() -> None:
    """The moment of entry counts, not what the producer states."""
    day, end = leaving(expired())
    asleep(day, 9 * DAY)
    day.entered(end + 1).reads(1500, at=end - DAY)
    assert day.run_timers().said() == ["cancelled left", *lifted("left")]


def test_the_kept_reading_counts_after_the_end_and_the_dwell_begins_anew() -> None:
    day, end = leaving(delivered())
    asleep(day, 9 * DAY)
    day.entered(end + HOUR).reads(1500, at=end + HOUR).run_timers()
    account = day.account()
    assert account.kept is None
    assert (account.followers, account.observed_at) == (1500, end + HOUR)
    assert account.dwell_from == end + HOUR


def test_of_several_kept_readings_the_newest_counts_and_each_breaks_what_it_breaks() -> None:
    day, end = leaving(delivered())
    asleep(day, 9 * DAY)
    day.entered(end + 3).reads(1700, at=end + 3).entered(end + 4).reads(1600, at=end + 2)
    day.entered(end + 5).reads(1400, at=end + 3).run_timers()
    assert day.account().followers == 1400, "of one instant the lower"


KEPT: dict[str, list[tuple[int, int, str]]] = {
    "a purge behind the one that opens": [(1, 1500, "organic"), (9, 1700, "platform_purge")],
    "two that may open": [(1, 1500, "organic"), (9, 1700, "organic")],
    "a purge, then one that opens": [(1, 1500, "correction"), (9, 1700, "organic")],
    "a correction of the same instant": [(1, 1500, "organic"), (1, 1400, "correction")],
    "an older one breaks the run": [
        (1, 1500, "organic"),
        (9, 1700, "platform_purge"),
        (5, 10, "organic"),
    ],
    "an older one after which the run began anew": [
        (1, 1500, "organic"),
        (9, 1700, "organic"),
        (5, 10, "organic"),
    ],
    "one from before the run breaks nothing": [
        (5, 1500, "organic"),
        (9, 1700, "platform_purge"),
        (1, 10, "organic"),
    ],
    "a higher one of the instant of the leaving": [(-7 * DAY, 1500, "organic")],
    "a lower one of the instant of the leaving": [(-7 * DAY, 5, "correction")],
}
"""Readings that enter after the end of a leaving: when observed, counted from it; count; cause."""


@pytest.mark.parametrize("what", KEPT)
def test_of_kept_readings_each_opens_and_breaks_what_it_does_for_a_punctual_worker(
    what: str,
) -> None:
    told = []
    for sleeps in (False, True):
        day, end = leaving(delivered())
        if sleeps:
            asleep(day, 9 * DAY)
        else:
            day.wait(7 * DAY + MINUTE)
        for place, (at, followers, cause) in enumerate(KEPT[what]):
            day.entered(end + MINUTE + place).reads(followers, at=end + at, cause=cause)
        if sleeps:
            day.run_timers()
        else:
            day.wait(2 * DAY - MINUTE)
        account = day.account()
        facts = (account.followers, account.observed_at, account.dwell_from)
        told.append((*facts, account.eligibility))
    assert told[0] == told[1]


def test_a_kept_reading_survives_a_restart() -> None:
    day, end = leaving(expired())
    asleep(day, 9 * DAY).entered(end + 1).reads(1500, at=end + 1)
    day.open(policy())
    assert day.run_timers().said() == ["cancelled left", *lifted("left")]
    assert day.account().followers == 1500


def test_the_kept_reading_counts_when_something_else_leads_outside() -> None:
    day, end = leaving(delivered())
    asleep(day, 9 * DAY).entered(end + 1).reads(1500, at=end + 1)
    day.entered(end + 2).change("exempted", at=end + 2)
    assert day.said() == ["cancelled exempted"]
    assert day.account().followers == 1500


def test_a_punctual_worker_and_a_sleeping_one_agree_on_who_left() -> None:
    told = []
    for sleeps in (False, True):
        day = expired().wait(DAY).reads(10)
        below_at = day.now
        day.said()
        if sleeps:
            day.now = below_at + 9 * DAY
            back = below_at + 8 * DAY
            day.entered(back).reads(1500, at=back).run_timers()
        else:
            day.wait(8 * DAY).reads(1500).wait(DAY)
        told.append(day.said())
    assert told[0] == told[1] == ["cancelled left", *lifted("left")]


# ---- the end of a label -------------------------------------------------------------------------

ENDS = START + 5 * DAY


def labelled() -> Day:
    """Expired and restricted; the label runs out a day later."""
    day = Day().label("财经", valid_until=rfc3339(ENDS)).reads(1500).wait(HOUR).wait(MINUTE)
    day.receipt().wait(WINDOW)
    day.said()
    return day


def test_a_label_that_entered_after_the_old_ones_end_does_not_undo_it() -> None:
    day = asleep(labelled(), 3 * DAY)
    day.entered(ENDS + 1).label("财经", at=ENDS - HOUR)
    assert day.said() == [], "the end acts as every timer does"
    assert day.run_timers().said() == ["cancelled label", *lifted("label")]
    account = day.account()
    assert account.kept_label is None
    assert account.label is not None
    assert account.label.valid_until is None, "then the kept one counts"


def test_a_label_that_entered_before_it_does() -> None:
    day = asleep(labelled(), 3 * DAY)
    day.entered(ENDS).label("财经", at=ENDS - HOUR)
    assert "cancelled label" not in day.run_timers().said()


def test_a_removed_label_does_not_make_the_kept_one_count_earlier() -> None:
    day = asleep(labelled(), 3 * DAY)
    day.entered(ENDS + 1).label("财经", at=ENDS - HOUR).entered(ENDS + 2).label(None)
    assert day.run_timers().said() == ["cancelled label", *lifted("label")]
    assert day.account().label is not None
    assert day.account().label.removed


def test_a_kept_label_may_end_too() -> None:
    day = asleep(labelled(), 3 * DAY)
    day.entered(ENDS + 1).label(
        "财经", at=ENDS - HOUR, valid_until=rfc3339(ENDS + HOUR)
    ).run_timers()
    assert day.account().eligibility.name == "OUTSIDE"


@pytest.mark.parametrize("asleep", [False, True], ids=["punctual", "late"])
@pytest.mark.parametrize("before", [0, MINUTE])
def test_a_label_that_entered_after_the_old_ones_end_begins_the_dwell_anew(
    before: int, asleep: bool
) -> None:
    """Whatever its own time: the account had no label meanwhile."""
    day = labelled()
    if asleep:
        day.now = ENDS + HOUR
    else:
        day.wait(ENDS + SECOND - day.now)
    day.entered(ENDS + SECOND).label("财经", at=ENDS - before).run_timers()
    assert day.account().dwell_from == ENDS - before


def test_a_label_that_entered_by_that_end_continues_the_dwell() -> None:
    day = Day().label("财经", valid_until=rfc3339(START + MINUTE)).reads(1500)
    day.wait(MINUTE - 1).label("财经").wait(MINUTE)
    assert day.account().dwell_from == START


# ---- the end of a restriction, and of an expired cycle ------------------------------------------


def test_an_answer_that_entered_after_the_last_expires_at_is_applied_after_that_end() -> None:
    day = expired()
    end = max(one.expires_at for one in day.account().live.cycle.throttles.values())
    asleep(day, 25 * DAY)
    day.entered(end + 1).answer("granted", at=end)
    assert day.said() == []
    assert day.run_timers().said() == lifted("ended")
    assert day.account().live.state.name == "NONE"


def test_an_answer_that_entered_by_then_counts_however_late_it_is_read() -> None:
    day = expired()
    end = max(one.expires_at for one in day.account().live.cycle.throttles.values())
    asleep(day, 25 * DAY)
    day.entered(end).answer("granted", at=end)
    assert day.said() == ["granted late", *lifted("granted")]


def unrestricted(**more: object) -> Day:
    """Expired, and the terms restrict nothing."""
    return expired(policy(consequence=Consequence({}, frozenset(), 5 * DAY, 20 * DAY), **more))


def test_an_expired_cycle_without_a_restriction_ends_after_expires_after() -> None:
    day = unrestricted()
    assert day.wait(20 * DAY - 1).account().live.state.name == "EXPIRED"
    day.wait(1)
    assert day.account().live.state.name == "NONE"
    assert day.said() == [], "nothing is said"
    assert day.account().live.cool_down_until == day.now + 10 * DAY


@pytest.mark.parametrize(("present", "days"), [(8 * DAY, 8), (90 * DAY, 20)])
def test_the_shorter_of_pinned_and_present_expires_after_ends_it(present: int, days: int) -> None:
    day = unrestricted()
    consequence = Consequence({}, frozenset(), 5 * DAY, present)
    day.open(policy(version=2, consequence=consequence))
    day.run_timers().wait(days * DAY - 1)
    assert day.account().live.state.name == "EXPIRED"
    assert day.wait(1).account().live.state.name == "NONE"


def test_an_expired_cycle_whose_restrictions_a_policy_took_away_ends_as_well() -> None:
    day = expired()
    consequence = policy().consequence
    freed = Consequence({}, consequence.on, consequence.review_after, consequence.expires_after)
    day.open(policy(version=2, consequence=freed))
    assert day.run_timers().said() == lifted("policy")
    assert day.wait(20 * DAY).account().live.state.name == "NONE"
    assert day.said() == []


def test_one_that_a_person_lifted_stays_until_the_account_leaves() -> None:
    day = expired().control("lift")
    day.said()
    assert day.wait(300 * DAY).account().live.state.name == "EXPIRED"


def test_an_answer_that_entered_after_the_end_of_expires_after_is_applied_after_it() -> None:
    day = unrestricted()
    end = day.now + 20 * DAY
    asleep(day, 30 * DAY).entered(end + 1).answer("granted", at=end)
    assert day.said() == []
    assert day.run_timers().said() == []
    day = unrestricted()
    asleep(day, 30 * DAY).entered(end).answer("granted", at=end)
    assert day.said() == ["granted late"]


def test_a_shorter_present_expires_after_ends_a_restriction_earlier() -> None:
    day = expired()
    consequence = policy().consequence
    shorter = Consequence(consequence.surfaces, consequence.on, DAY, 3 * DAY)
    day.open(policy(version=2, consequence=shorter))
    day.run_timers().said()
    said = day.wait(3 * DAY).said()
    assert [words for words in said if "renewed" not in words] == lifted("ended")


def test_a_leave_after_of_pt0s_acts_on_the_reading_and_keeps_nothing() -> None:
    day = invited(policy(stability=stability(leave_after=0))).wait(SECOND).reads(10).run_timers()
    assert day.said() == ["cancelled left"]
    assert day.account().kept is None
