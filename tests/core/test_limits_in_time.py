"""An input is not judged by what is due only now: inputs that have not been read may undo it."""

from dataclasses import replace

from schemas.enums import Field
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Phase
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy
from tests.core.states import ISSUED, brief, delivered, undelivered


def _oversleep(day: Day, until: int) -> Day:
    """The worker is away until an instant; no timer acts meanwhile."""
    day.said()
    day.now = until
    return day


def test_a_label_that_ran_out_meanwhile_waits_for_its_renewal_to_be_read() -> None:
    ends = START + DAY
    day = Day().label("财经", valid_until=rfc3339(ends)).reads(1500).wait(HOUR).receipt()
    _oversleep(day, ends + HOUR)
    assert day.receipt("failed", at=ends).said() == ["undeliverable other"]
    renewal = rfc3339(ends + 30 * DAY)
    day.entered(ends).label("财经", at=ends - HOUR, valid_until=renewal).run_timers()
    assert day.said() == [], "the renewal was there in time"


def test_without_a_renewal_the_label_ends_when_timers_act() -> None:
    ends = START + DAY
    day = Day().label("财经", valid_until=rfc3339(ends)).reads(1500).wait(HOUR).receipt()
    _oversleep(day, ends + HOUR).receipt("failed", at=ends).said()
    assert day.run_timers().said() == ["cancelled label"]


def test_a_hold_that_ran_out_meanwhile_still_holds_an_input_back() -> None:
    day = undelivered().control("hold", expires_at=rfc3339(START + 3 * HOUR)).control("reissue")
    _oversleep(day, START + 5 * HOUR)
    assert day.receipt("failed", at=START + 4 * HOUR).said() == []
    assert day.control("hold", at=START + 2 * HOUR).run_timers().said() == [], "it was prolonged"
    assert day.control("unhold").run_timers().said() == ["issued reissued"]


def test_with_a_dwell_a_reading_that_comes_back_invites_nobody_by_itself() -> None:
    day = Day().switch("invitations_off", True).label("财经").reads(1500).wait(2 * HOUR)
    day.reads(850).switch("invitations_off", False).wait(HOUR)
    exempted_at = day.now
    assert day.wait(HOUR).reads(1500).said() == []
    assert day.change("exempted", at=exempted_at).run_timers().said() == []


def test_a_phase_that_began_meanwhile_begins_when_timers_act() -> None:
    begins = START + DAY
    day = Day(brief(phases=(Phase("first", 1000, begins, None, None),)))
    day.label("财经").reads(1500)
    for restarted in (False, True):
        _oversleep(day, begins + HOUR)
        if restarted:
            day.open(brief(phases=(Phase("first", 1000, begins, None, None),)))
        assert day.control("unhold").said() == []
    assert day.run_timers().said() == [ISSUED]


def test_an_overdue_look_does_not_turn_time_back_for_what_comes_next() -> None:
    """A hold ends by an input after the deadline; a label that ran out before stays run out."""
    day = delivered().label("财经", valid_until=rfc3339(START + 2 * DAY)).control("hold")
    day.wait(5 * DAY)
    assert "cancelled label" in day.said()
    day.control("unhold")
    assert day.receipt("failed").said() == []


def test_who_waits_longest_is_first_also_after_a_restart() -> None:
    """One invitation a day: the order under a cap is the same with and without a restart."""
    found = []
    for restarts in (False, True):
        day = Day(policy(invitations_per_day=1))
        for account in ("zz", "y", "b"):
            day.label("财经", account).reads(1500, account).wait(MINUTE)
        day.wait(2 * HOUR)
        if restarts:
            day.open(policy(invitations_per_day=1))
        day.wait(DAY)
        found.append([event["account_id"] for event in day.events])
    assert found == [["zz", "y"], ["zz", "y"]]


def test_a_restart_knows_as_many_accounts_as_before() -> None:
    day = Day()
    for account in ("b1", "b2", "b3"):
        day.reads(1500, account)
    day.change("closed", "b2")
    before = dict(day.partition.tracked)
    day.open(policy())
    assert dict(day.partition.tracked) == before == {"weibo": 2}


def test_a_policy_is_looked_through_although_an_account_closes_meanwhile() -> None:
    day = Day().label("财经").reads(1500).wait(2 * HOUR)
    day.open(replace(policy(version=2), labels={"财经": Field.FINANCE, "法律": Field.LAW}))
    day.change("closed").wait(HOUR)
    assert not day.partition._adopted["weibo"].looking
