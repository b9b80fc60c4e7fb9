"""Which word is the newest, sentence by sentence.

schemas/CONTRACT.md, "Which word is the newest".
"""

import pytest

from schemas.enums import Event, Switch
from streams.core.model.instants import bounded, rfc3339
from tests.core.given import DAY, HOUR, MINUTE, PLATFORM, SECOND, START, Day
from tests.core.states import DEADLINE, STATES, delivered, expired, granted, invited, lifted

SKEW = 5 * MINUTE
YEAR_1 = -62_135_596_800_000


def ignored(day: Day) -> str | None:
    """What the last decision says of why its input counted for nothing."""
    decided = [record["ignored"] for record in day.decisions if record["kind"] == "decision"]
    return decided[-1] if decided else None


# ---- the time of a word --------------------------------------------------------------------------


def test_a_time_is_never_later_than_the_entry() -> None:
    day = delivered().wait(DAY).answer("granted", at=START + 30 * HOUR)
    assert day.events[-1]["answered_at"] == rfc3339(day.now)
    day = delivered().wait(DAY)
    day.answer("granted", at=day.now + 4 * MINUTE).wait(SECOND).answer("withdrawn")
    assert day.said() == ["granted answer", "withdrawn answer"], "a fast clock hides nothing"
    assert day.events[-1]["answered_at"] == rfc3339(day.now)


@pytest.mark.parametrize("stated", [YEAR_1, START + 400 * DAY])
def test_a_time_that_is_none_is_replaced_by_the_entry(stated: int) -> None:
    day = delivered().wait(DAY).answer("declined", at=stated)
    assert day.said() == ["declined answer"]
    assert day.events[-1]["answered_at"] == rfc3339(day.now)
    assert day.dead_letters == []


# ---- words that protect --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protects", "other", "field"),
    [("closed", "reopened", "closed"), ("exempted", "exemption_ended", "exempt")],
)
def test_a_change_that_protects_is_stale_only_when_clearly_older(
    protects: str, other: str, field: str
) -> None:
    day = Day().reads(1500).wait(HOUR).change(other)
    day.change(protects, at=day.now - SKEW - 1)
    assert getattr(day.account(), field) is False
    assert ignored(day) == "stale"
    assert day.partition.counts["ignored", "account-changes", "stale"] == 1
    day.change(protects, at=day.now - SKEW)
    day.change("owner_changed", at=day.now)
    if field == "exempt":
        assert day.account().exempt is True
    else:
        assert f"{PLATFORM}:a1".encode() not in day.tables.state["accounts"]


def test_another_change_is_stale_when_before_one_that_protects() -> None:
    day = Day().reads(1500).wait(HOUR).change("exempted")
    day.change("exemption_ended", at=day.now - 1)
    assert (day.account().exempt, ignored(day)) == (True, "stale")
    day.change("exemption_ended")
    assert day.account().exempt is False, "at one time the later in the log counts"


def test_another_change_may_be_older_than_one_like_it() -> None:
    day = Day().reads(1500).wait(DAY).change("reopened").change("reopened", at=START + HOUR)
    assert day.partition.counts["ignored", "account-changes", "stale"] == 0


def test_owners_change_in_any_order_within_the_skew() -> None:
    day = granted().wait(DAY).change("owner_changed")
    assert day.said() == ["voided owner_changed"]
    day.change("owner_changed", at=day.now - SKEW)
    assert ignored(day) is None
    day.change("owner_changed", at=day.now - SKEW - 1)
    assert ignored(day) == "stale"


def test_kinds_are_compared_by_themselves() -> None:
    day = Day().reads(1500).wait(DAY).change("exemption_ended").change("owner_changed")
    day.answer("withdrawn").control("unhold")
    day.change("closed", at=day.now - DAY + HOUR)
    assert f"{PLATFORM}:a1".encode() not in day.tables.state["accounts"]


def test_a_hold_is_never_stale_and_the_end_of_one_is_when_older_than_the_newest_hold() -> None:
    day = delivered().wait(DAY).control("hold").wait(HOUR).control("unhold")
    day.control("hold", at=day.now - 2 * HOUR)
    assert day.account().hold is not None
    day.control("unhold", at=START + HOUR)
    assert (day.account().hold is not None, ignored(day)) == (True, "stale")
    day.control("unhold", at=day.now)
    assert (day.account().hold is not None, ignored(day)) == (True, "duplicate")
    day.wait(1).control("unhold")
    assert day.account().hold is None


# ---- switches ------------------------------------------------------------------------------------


def is_on(day: Day) -> bool:
    """Whether the brake on everything adverse is pulled."""
    switches = day.partition._switches
    return Switch.ADVERSE_OFF in switches.stopping(PLATFORM, Event.INVITATION_ISSUED)


def test_a_switch_turned_on_is_never_stale() -> None:
    day = delivered().wait(DAY).switch("adverse_off", False, at=START + 25 * HOUR)
    day.switch("adverse_off", True, at=day.now - 4 * MINUTE)
    assert is_on(day)


def test_a_switch_turned_off_is_stale_when_older_than_one_turned_on() -> None:
    day = delivered().wait(DAY).switch("adverse_off", True).switch("adverse_off", True, at=START)
    day.switch("adverse_off", False, at=day.now - 1)
    assert is_on(day)
    assert day.partition.counts["ignored", "switches", "stale"] == 1
    day.switch("adverse_off", False, at=day.now)
    assert not is_on(day), "at one time the later in the log counts"


def test_a_copy_of_a_switch_record_turns_nothing() -> None:
    day = delivered().wait(DAY)
    at = day.now
    day.switch("adverse_off", True, at=at).wait(HOUR).switch("adverse_off", False)
    assert not is_on(day.switch("adverse_off", True, at=at))
    assert day.partition.counts["ignored", "switches", "duplicate"] == 1


def test_a_switch_on_whose_time_was_replaced_is_never_a_repeat() -> None:
    day = delivered().wait(DAY).switch("adverse_off", True, at=YEAR_1).wait(HOUR)
    assert not is_on(day.switch("adverse_off", False))
    assert is_on(day.wait(HOUR).switch("adverse_off", True, at=YEAR_1))


# ---- repeats -------------------------------------------------------------------------------------


def test_a_word_with_the_stated_time_of_the_newest_of_its_kind_is_a_repeat() -> None:
    day = Day().reads(1500).wait(DAY)
    at = day.now
    day.change("exempted", at=at).wait(HOUR).change("exemption_ended")
    day.change("exempted", at=at)
    assert (day.account().exempt, ignored(day)) == (False, "duplicate")


def test_also_that_of_the_newest_stale_one() -> None:
    day = Day().reads(1500).wait(DAY).change("exemption_ended")
    day.change("exempted", at=START + HOUR).change("exempted", at=START + HOUR)
    assert ignored(day) == "duplicate"
    assert day.partition.counts["ignored", "account-changes", "stale"] == 1


def test_a_grant_that_names_something_else_is_no_repeat() -> None:
    day = granted().wait(HOUR)
    at = day.now
    day.answer("withdrawn", at=at).wait(11 * DAY)
    assert day.said() == ["withdrawn answer", "issued over_line"]
    said_at = day.now
    day.answer("declined", at=said_at)
    assert day.said() == ["delivered answer", "declined answer"]
    day.wait(4 * DAY).answer("declined", at=said_at)
    assert ignored(day) == "duplicate"
    day.answer("declined", at=said_at, notice_version="1")
    assert ignored(day) == "recorded"


def test_a_word_that_protects_with_a_replaced_time_is_never_a_repeat() -> None:
    day = delivered().answer("granted").wait(HOUR).answer("withdrawn", at=YEAR_1).wait(11 * DAY)
    assert day.said()[-1] == "issued over_line"
    day.answer("granted").wait(HOUR).said()
    assert day.answer("withdrawn", at=YEAR_1).said() == ["withdrawn answer"]


# ---- what a stale word still does ----------------------------------------------------------------


@pytest.mark.parametrize("state", ["INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED"])
@pytest.mark.parametrize(("word", "end"), [("exempted", "exemption_ended"), ("closed", "reopened")])
def test_a_stale_change_cancels_a_cycle_that_began_not_clearly_later(
    state: str, word: str, end: str
) -> None:
    day = STATES[state]().wait(10 * MINUTE).change(end)
    day.change(word, at=START + HOUR - SKEW - 1)
    assert day.said() == [], "the cycle began clearly later"
    day.change(word, at=START + HOUR - SKEW)
    freed = lifted(word) if state == "EXPIRED" else []
    assert day.said() == [f"cancelled {word}", *freed]
    assert day.partition.counts["ignored", "account-changes", "stale"] == 2
    life = day.account().live
    assert (life.state.name, life.cool_down_until) == ("NONE", day.now + 10 * DAY)


def test_a_stale_change_of_owner_cancels_what_began_before_it_and_nothing_else() -> None:
    """A cycle is always of after the newest change of owner; a consent may be of before both."""
    day = Day().label("财经").reads(1500).wait(54 * MINUTE).change("owner_changed")
    day.wait(6 * MINUTE)
    assert day.said() == ["issued over_line"]
    day.change("owner_changed", at=START + 48 * MINUTE)
    assert (day.said(), ignored(day)) == ([], "stale")


@pytest.mark.parametrize("word", ["closed", "exempted"])
def test_a_stale_change_voids_a_consent_given_not_clearly_later_but_an_exemption_none(
    word: str,
) -> None:
    given_at = START + HOUR + 2 * MINUTE
    end = {"closed": "reopened", "exempted": "exemption_ended"}[word]
    day = granted().wait(HOUR).change(end).change(word, at=given_at - SKEW - 1)
    assert day.said() == []
    day.change(word, at=given_at - SKEW)
    assert day.said() == (["voided closed"] if word == "closed" else [])


def test_an_exemption_read_after_its_end_frees_who_was_restricted() -> None:
    day = expired().wait(DAY).change("exemption_ended").change("exempted", at=day_of_expiry())
    assert day.said() == ["cancelled exempted", *lifted("exempted")]


def day_of_expiry() -> int:
    """An instant after the restriction and before the end of the exemption."""
    return START + DEADLINE + HOUR


@pytest.mark.parametrize("other", ["declined", "withdrawn"])
def test_a_grant_overtaken_by_another_word_gives_no_consent_but_frees(other: str) -> None:
    day = expired().wait(DAY).answer(other).wait(HOUR)
    said_at = day.now - HOUR
    assert day.said() == []
    day.answer("granted", at=said_at - MINUTE)
    assert day.said() == [*lifted("granted"), "withdrawn answer"]
    assert day.events[-1]["answered_at"] == rfc3339(said_at)
    assert day.account().live.cool_down_until == day.now + 10 * DAY
    assert not any(event["event"] == "consent.granted" for event in day.events)
    assert day.partition.counts["ignored", "consent-answers", "stale"] == 1


def test_a_grant_overtaken_in_another_cycle_is_stale_and_no_more() -> None:
    day = granted().wait(HOUR).answer("withdrawn").wait(MINUTE)
    assert day.said() == ["withdrawn answer"]
    assert day.answer("granted", at=day.now - HOUR).said() == []
    assert ignored(day) == "no_cycle"


# ---- pauses --------------------------------------------------------------------------------------


def test_a_pause_runs_to_the_later_of_both_times_of_its_last_record() -> None:
    day = delivered().wait(DAY).control("hold", at=START + 20 * HOUR).wait(HOUR)
    day.control("unhold", at=START + 21 * HOUR)
    length = day.now - START - 20 * HOUR
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + length)


def test_a_pause_begins_with_the_entry_of_a_record_that_is_stamped_ahead() -> None:
    day = delivered().wait(DAY)
    day.control("hold", at=day.now + 4 * MINUTE).wait(HOUR).control("unhold").run_timers()
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + HOUR)


def test_where_there_are_more_stops_than_are_kept_the_shortest_gap_counts_as_stopped() -> None:
    stops = [(0, 10), (20, 30), (35, 40), (45, 50), (100, 110)]
    assert bounded(stops, 5) == stops
    assert bounded(stops, 4) == [(0, 10), (20, 40), (45, 50), (100, 110)], "of equals the earliest"
    assert bounded(stops, 3) == [(0, 10), (20, 50), (100, 110)]
    assert bounded(stops, 2) == [(0, 50), (100, 110)]
    assert bounded([*stops, (5, 25)], 5) == [(0, 30), (35, 40), (45, 50), (100, 110)]


def test_64_stops_of_an_account_are_kept() -> None:
    day = delivered()
    for _ in range(70):
        day.wait(10 * MINUTE).control("hold").wait(MINUTE).control("unhold")
    cycle = day.account().live.cycle
    assert cycle is not None
    assert len(cycle.stops) == 64
    assert cycle.stops[0] == (START + HOUR + 11 * MINUTE, START + HOUR + 11 * MINUTE + 67 * MINUTE)
    assert cycle.deadline_at == START + DEADLINE + 70 * MINUTE + 6 * 10 * MINUTE


def test_1000_stops_of_a_scope_are_kept() -> None:
    day = Day()
    for number in range(1010):
        name = "adverse_off" if number % 2 else "answers_paused"
        day.wait(10 * SECOND).switch(name, True).wait(SECOND).switch(name, False)
    assert len(day.partition._switches.stops(PLATFORM)) == 1000
    assert len(day.partition._switches.past["*"]) == 1000


def test_a_notice_just_sent_is_not_stopped_by_what_ended_before() -> None:
    day = invited().control("hold").wait(HOUR).control("unhold").wait(HOUR).receipt()
    assert day.events[-1]["deadline_at"] == rfc3339(day.now + 3 * DAY)
