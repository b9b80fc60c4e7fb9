"""Who is inside: dwell, exit line, leaving, labels, causes of a reading, changes of the account."""

from dataclasses import replace

import pytest

from schemas.enums import Field, Mode
from streams.core.model.policy import Phase
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy, stability
from tests.core.states import (
    DEADLINE,
    ISSUED,
    WINDOW,
    begun,
    brief,
    delivered,
    expired,
    granted,
    invited,
)


def test_exactly_the_line_counts_and_one_reading_suffices() -> None:
    assert Day().label("财经").reads(999).wait(DAY).said() == []
    assert Day().label("财经").reads(1000).wait(DAY).said() == [ISSUED]


@pytest.mark.parametrize("first", ["label", "reading"])
def test_an_account_counts_whichever_came_first(first: str) -> None:
    day = Day()
    if first == "label":
        day.label("财经").wait(MINUTE).reads(1500)
    else:
        day.reads(1500).wait(MINUTE).label("财经")
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_dwell_of_pt0s_acts_on_the_input_itself() -> None:
    assert Day(brief()).label("财经").reads(1000).said() == [ISSUED]
    assert Day(brief()).reads(1000).label("财经").said() == [ISSUED]


def test_dwell_runs_by_observed_at_not_by_arrival() -> None:
    day = Day().label("财经", at=START - HOUR).reads(1500, at=START - HOUR + MINUTE)
    assert day.wait(MINUTE - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_stale_dip_before_any_dwell_lets_none_begin_before_the_newest_reading() -> None:
    """Topics are read in any order: the label may come after readings that contradict."""
    day = Day().reads(1500).wait(HOUR // 2).reads(1500).reads(999, at=START + MINUTE)
    day.label("财经", at=START)
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_stale_dip_before_any_dwell_and_a_correction_as_newest_begin_none() -> None:
    day = Day().reads(1500).wait(HOUR // 2).reads(1500, cause="correction")
    day.reads(999, at=START + MINUTE).label("财经", at=START)
    assert day.wait(DAY).said() == []


def test_a_stale_dip_from_before_the_run_changes_nothing() -> None:
    day = Day().reads(1500).wait(HOUR // 2).reads(1500).reads(999, at=START - MINUTE)
    day.label("财经", at=START)
    assert day.wait(HOUR // 2).said() == [ISSUED]


@pytest.mark.parametrize("category", ["娱乐", "nobody knows"])
def test_a_stale_label_before_any_dwell_lets_none_begin_before_the_newest_label(
    category: str,
) -> None:
    day = Day().label("财经").wait(HOUR // 2).label("财经").label(category, at=START + MINUTE)
    day.reads(1500, at=START)
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_stale_word_from_before_the_dwell_counts_where_its_cure_came_inside_it() -> None:
    """At the start of the dwell the account was below the line, or had another label."""
    day = Day().reads(1500).wait(HOUR // 2).label("财经", at=START + 2 * MINUTE).reads(1500)
    day.reads(999, at=START + MINUTE)
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]
    day = Day().label("财经").wait(HOUR // 2).reads(1500, at=START + 2 * MINUTE).label("财经")
    day.label("娱乐", at=START + MINUTE)
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_stale_reading_starts_the_dwell_anew_also_while_a_consent_is_in_force() -> None:
    day = granted().reads(500).wait(MINUTE).reads(1500).wait(HOUR // 2).reads(1500)
    began = day.now
    day.reads(999, at=began - MINUTE)
    assert day.account().dwell_from == began


def test_a_stale_word_from_before_the_dwell_is_forgotten_where_its_cure_came_before_it() -> None:
    day = Day().reads(1500).wait(2 * MINUTE).reads(1500).wait(MINUTE).label("财经")
    day.reads(999, at=START + MINUTE)
    assert day.wait(HOUR).said() == [ISSUED]


def test_every_reading_of_the_dwell_has_to_be_over_the_line() -> None:
    day = begun().wait(HOUR - 1).reads(999)
    assert day.wait(DAY).said() == []
    day.reads(1000)
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_readings_over_the_line_do_not_begin_the_dwell_anew() -> None:
    day = begun().wait(HOUR // 2).reads(1400).wait(HOUR // 4).reads(9000)
    assert day.wait(HOUR // 4).said() == [ISSUED]


def test_a_flapping_account_is_never_invited() -> None:
    day = Day().label("财经")
    for _ in range(48):
        day.reads(1001).wait(HOUR // 2).reads(999).wait(HOUR // 2)
    assert day.said() == []


@pytest.mark.parametrize("cause", ["correction", "platform_purge"])
def test_a_correction_or_purge_neither_opens_a_dwell_nor_prolongs_one(cause: str) -> None:
    day = Day().label("财经").reads(1500, cause=cause)
    assert day.wait(DAY).said() == []
    assert day.reads(1500).wait(HOUR).said() == [ISSUED]
    day = begun().wait(HOUR // 2).reads(1500, cause=cause)
    assert day.wait(HOUR // 2).said() == [ISSUED], "it does not end one either"
    day = begun().wait(HOUR // 2).reads(900, cause=cause)
    assert day.wait(DAY).said() == [], "but the count is what it says"


def test_an_owner_purge_is_like_any_other_reading() -> None:
    assert Day().label("财经").reads(1500, cause="owner_purge").wait(HOUR).said() == [ISSUED]


def test_between_exit_line_and_line_nothing_changes() -> None:
    day = invited().reads(900)
    assert day.wait(30 * DAY).said() == []
    assert day.account().eligibility.name == "INSIDE"


def test_below_the_exit_line_for_leave_after_is_outside() -> None:
    day = invited().reads(899)
    assert day.account().eligibility.name == "LEAVING"
    assert day.wait(7 * DAY - 1).said() == []
    assert day.wait(1).said() == ["cancelled left"]


def test_a_reading_not_below_the_exit_line_ends_the_leaving() -> None:
    day = invited().reads(899).wait(6 * DAY).reads(900)
    assert day.account().eligibility.name == "INSIDE"
    assert day.wait(30 * DAY).said() == []


def test_leaving_counts_from_the_first_reading_below() -> None:
    day = invited().reads(899).wait(6 * DAY).reads(800)
    assert day.wait(DAY).said() == ["cancelled left"]


def test_leaving_defers_what_is_adverse_and_coming_back_lets_it_act() -> None:
    day = delivered().wait(DAY).reads(10)
    assert day.wait(5 * DAY).said() == []
    applied = ["applied recommend-feed no_answer", "applied tips no_answer"]
    assert day.reads(1500).run_timers().said() == ["expired no_answer", *applied]


def test_a_leave_after_of_pt0s_is_outside_at_once() -> None:
    day = invited(policy(stability=stability(leave_after=0))).reads(899)
    assert day.run_timers().said() == ["cancelled left"]


def test_keep_means_that_falling_changes_nothing_once_invited() -> None:
    kept = policy(keep_on_fall_below=True)
    day = delivered(kept).reads(10)
    assert day.wait(30 * DAY).said()[:2] == ["reminded reminder", "expired no_answer"]
    assert Day(kept).label("财经").reads(1500).reads(10).wait(DAY).said() == [], "not before"
    day = delivered(kept).reads(10).change("exempted")
    assert day.said() == ["cancelled exempted"], "only falling"


def test_kept_below_no_second_cycle_begins() -> None:
    day = expired(policy(keep_on_fall_below=True)).reads(10)
    said = day.wait(20 * DAY).said()
    assert said[-2:] == ["lifted recommend-feed ended", "lifted tips ended"]
    assert day.wait(100 * DAY).said() == []


@pytest.mark.parametrize("label", ["旅游", "日常生活", None])
def test_an_unknown_exempt_or_missing_label_is_not_covered(label: str | None) -> None:
    day = Day().label(label) if label else Day()
    assert day.reads(1500).wait(DAY).said() == []
    day = invited().label(label)
    assert day.said() == ["cancelled label"]


def test_a_label_of_an_uncovered_field_is_not_covered() -> None:
    narrow = policy(covered=frozenset({Field.LAW}))
    assert Day(narrow).label("财经").reads(1500).wait(DAY).said() == []
    assert Day(narrow).label("法律").reads(1500).wait(DAY).said() == [ISSUED]


def test_covered_any_is_any_field_of_the_map_and_no_other_label() -> None:
    assert Day(policy(covered=None)).label("法律").reads(1500).wait(DAY).said() == [ISSUED]
    assert Day(policy(covered=None)).label("旅游").reads(1500).wait(DAY).said() == []


def test_from_one_covered_label_to_another_the_dwell_goes_on() -> None:
    day = begun().wait(HOUR // 2).label("法律")
    assert day.wait(HOUR // 2).said() == [ISSUED]
    assert day.events[-1]["field"] == "law"
    assert day.label("财经").wait(DAY).said() == []


def test_a_label_lost_for_a_moment_begins_the_dwell_anew() -> None:
    day = begun().wait(HOUR // 2).label(None).wait(MINUTE).label("财经")
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_an_expired_label_cancels_and_never_invites() -> None:
    until = "2024-01-02T00:00:00Z"
    day = Day().label("财经", valid_until=until).reads(1500).wait(HOUR)
    assert day.said() == [ISSUED]
    assert day.wait(23 * HOUR - 1).said() == []
    assert day.wait(1).said() == ["cancelled label"]
    day = Day().label("财经", valid_until="2024-01-01T00:30:00Z").reads(1500)
    assert day.wait(DAY).said() == []
    assert Day().label("财经", valid_until=until).wait(DAY).reads(1500).wait(DAY).said() == []


def test_the_text_of_an_unknown_label_is_kept_nowhere() -> None:
    day = invited().label("张三的频道")
    assert day.said() == ["cancelled label"]
    kept = b"".join(raw for store in day.tables.state.values() for raw in store.values())
    sent = b"".join(value or b"" for _, _, value, _ in day.tables.raw)
    assert "张三".encode() not in kept + sent


def test_exemption_is_outside_at_once_and_its_end_begins_the_dwell_anew() -> None:
    day = begun().wait(HOUR // 2).change("exempted")
    assert day.wait(DAY).said() == []
    day.change("exemption_ended")
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_reopened_account_needs_fresh_facts() -> None:
    day = begun().change("closed").wait(HOUR).change("reopened")
    assert day.wait(DAY).said() == []
    day.reads(1500)
    assert day.wait(DAY).said() == []
    assert day.label("财经").wait(HOUR).said() == [ISSUED]


def test_an_owner_change_leaves_the_count_and_the_label() -> None:
    day = invited().change("owner_changed")
    assert day.said() == ["cancelled owner_changed"]
    assert day.wait(10 * DAY - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_phase_begins_at_its_instant_and_the_dwell_counts_from_there() -> None:
    later = replace(policy().phases[0], starts_at=START + DAY)
    day = Day(policy(phases=(later,))).label("财经").reads(1500)
    assert day.wait(DAY + HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]
    never = replace(policy().phases[0], starts_at=None)
    assert Day(policy(phases=(never,))).label("财经").reads(1500).wait(99 * DAY).said() == []


def test_a_second_phase_lowers_the_line_for_those_below_the_first() -> None:
    first, second = policy().phases[0], replace(policy().phases[0], name="second", followers=500)
    phases = (first, replace(second, starts_at=START + DAY, answer_by=START + 20 * DAY))
    day = Day(policy(phases=phases)).label("财经").reads(600)
    assert day.wait(DAY + HOUR).said() == [ISSUED]
    assert day.events[-1]["phase"] == "second"
    assert day.events[-1]["line"] == 500
    assert day.events[-1]["answer_by"] == "2024-01-21T00:00:00.000Z"


def test_stale_facts_hold_back_until_a_fresh_reading_and_cancel_nothing() -> None:
    aging = policy(stability=stability(max_age=DAY))
    day = delivered(aging)
    assert day.wait(20 * DAY).said() == []
    assert day.account().deferred == "invitation.expired:stale"
    assert day.reads(1500).run_timers().said()[0] == "expired no_answer"
    day = Day(aging).label("财经").reads(1500, at=START - 2 * DAY)
    assert day.wait(DAY).said() == []
    assert day.reads(1500).run_timers().said() == [ISSUED]


@pytest.mark.parametrize(("max_age", "expires"), [(DEADLINE, True), (DEADLINE - 1, False)])
def test_facts_of_exactly_max_age_are_not_older_than_it(max_age: int, expires: bool) -> None:
    day = delivered(policy(stability=stability(max_age=max_age))).wait(WINDOW)
    assert ("expired no_answer" in day.said()) is expires


def test_a_label_that_came_before_an_operators_word_is_still_the_latest() -> None:
    day = Day(brief()).label("财经").control("unhold").label("日常生活").reads(1500)
    assert day.wait(DAY).said() == [], "an exempt label replaced the covered one"


def test_coming_back_over_a_higher_line_takes_a_dwell_again() -> None:
    """A shadow phase is wider than the enforcing one; a spike over the latter invites nobody."""
    day = Day(
        policy(
            phases=(
                Phase("first", 1000, START - 30 * DAY, None, None),
                Phase("wider", 500, START - 20 * DAY, None, Mode.SHADOW),
            )
        )
    )
    day.label("财经").reads(1500).wait(2 * HOUR).receipt().control("lift").wait(HOUR)
    day.reads(600).wait(15 * DAY)
    assert "issued over_line (shadow)" in day.said()
    day.reads(1000).wait(HOUR - 1)
    assert ISSUED not in day.said()
    assert day.wait(1).said() == [ISSUED]


def test_a_correction_does_not_open_a_dwell_through_a_new_line_either() -> None:
    day = Day().label("财经").reads(920).wait(HOUR).reads(1200, cause="correction").wait(3 * HOUR)
    lines = (*policy().phases, Phase("second", 950, START - 20 * DAY, None, None))
    day.open(policy(version=2, phases=lines))
    assert day.wait(2 * HOUR).said() == []
    assert day.reads(1200).wait(HOUR).said() == [ISSUED]
