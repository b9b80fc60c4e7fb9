"""Terms are pinned; the milder of pinned and present counts.

schemas/CONTRACT.md, "Terms" and "Eligibility".
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.oracle.given import ENFORCE, Story, at, delivered, expired, granted, invited
from tests.oracle.policy import OraclePhase

WIDE = ENFORCE.but(exit_ratio=Decimal("0.9"), leave_after=timedelta(minutes=10))
HALF = OraclePhase("half", 500, at(20))
LEFT = ["cancelled left"]
APPLIED = ["applied no_answer hot-search", "applied no_answer tips"]


def test_the_start_of_the_second_phase_takes_nobody_back_who_is_leaving_the_first() -> None:
    story = delivered(WIDE.but(phases=(*WIDE.phases, HALF))).reads(15, 800).until(25)
    assert story.then() == LEFT


def test_a_lower_line_later_does_not_lower_the_exit_line_of_an_open_cycle() -> None:
    story = delivered(WIDE.but(phases=(*WIDE.phases, HALF))).until(30).reads(31, 800).until(41)
    assert story.then() == LEFT


@pytest.mark.parametrize("ratio", ["0.8", "0.95"])
def test_the_higher_exit_line_counts(ratio: str) -> None:
    story = delivered(WIDE).policy(5, WIDE.but(exit_ratio=Decimal(ratio)))
    assert story.reads(6, 890).until(16).then() == LEFT
    story = delivered(WIDE).policy(5, WIDE.but(exit_ratio=Decimal(ratio))).reads(6, 940).until(16)
    assert story.then() == (LEFT if ratio == "0.95" else [])


@pytest.mark.parametrize("minutes", [3, 30])
def test_the_shorter_leave_after_counts(minutes: int) -> None:
    present = WIDE.but(leave_after=timedelta(minutes=minutes))
    story = delivered(WIDE).policy(5, present).reads(6, 10)
    assert story.until(6 + min(minutes, 10) - 0.1).then() == []
    assert story.until(6 + min(minutes, 10)).then() == LEFT


@pytest.mark.parametrize(("pinned", "present"), [(30, None), (None, 30), (30, 90), (90, 30)])
def test_the_shorter_max_age_counts_and_absent_is_longest(pinned, present) -> None:
    ages = [age and timedelta(minutes=age) for age in (pinned, present)]
    story = delivered(ENFORCE.but(max_age=ages[0])).policy(5, ENFORCE.but(max_age=ages[1]))
    assert story.until(70).waits() == {"expired": ["stale"], "applied": ["stale"]}


@pytest.mark.parametrize("keep", [True, False])
def test_close_comes_before_keep(keep: bool) -> None:
    story = delivered(WIDE.but(keep=keep)).policy(5, WIDE.but(keep=not keep)).reads(6, 10).until(16)
    assert story.then() == LEFT


def test_where_a_policy_puts_an_account_into_leaving_it_counts_from_the_taking_up() -> None:
    story = delivered(WIDE.but(keep=True)).reads(5, 10).policy(20, WIDE)
    assert story.until(29.9).then() == []
    assert story.until(30).then() == LEFT


def test_no_policy_takes_an_account_back_from_leaving_only_a_reading_does() -> None:
    strict = WIDE.but(exit_ratio=Decimal(1))
    story = delivered(WIDE).policy(5, strict).reads(6, 950).policy(7, WIDE)
    assert story.life.facts.state == "LEAVING"
    assert story.reads(8, 950).life.facts.state == "INSIDE"


def test_leaving_exists_only_while_a_cycle_is_open() -> None:
    story = granted(WIDE).reads(5, 950)
    assert story.life.facts.state == "OUTSIDE"
    story = delivered(WIDE).reads(5, 10).control(6, "lift")
    assert story.life.facts.state == "OUTSIDE"


def test_without_an_open_cycle_a_reading_below_the_line_leads_outside_at_once() -> None:
    story = Story(WIDE).switch(0, "invitations_off", True).label(0).reads(0, 1000).reads(1, 950)
    assert story.switch(2, "invitations_off", False).then() == []
    story = delivered(WIDE).reads(5, 950).control(6, "lift").until(99)
    assert story.then() == ["cancelled operator"]


def test_a_phase_is_known_by_its_name() -> None:
    renamed = ENFORCE.but(phases=(replace(ENFORCE.phases[0], name="other"),))
    for policy in (renamed, ENFORCE.but(phases=(replace(ENFORCE.phases[0], start=at(999)),))):
        assert invited().policy(5, policy).then() == ["cancelled policy"]


@pytest.mark.parametrize(("pinned", "present"), [(250, 300), (300, 250), (None, 250), (250, None)])
def test_a_restriction_ends_by_the_shorter_of_pinned_and_present(pinned, present) -> None:
    lengths = [one and timedelta(minutes=one) for one in (pinned, present)]
    story = expired(ENFORCE.but(expires_after=lengths[0]))
    story.policy(70, ENFORCE.but(expires_after=lengths[1])).until(310.9)
    assert not any("ended" in one for one in story.then())
    assert story.until(311).then() == ["lifted ended hot-search", "lifted ended tips"]


def test_an_expired_cycle_that_restricts_nothing_ends_after_as_long() -> None:
    policy = ENFORCE.but(on=frozenset({"declined"}))
    story = expired(policy).until(340.9)
    assert (story.then(), story.life.state) == ([], "NONE")
    assert story.until(341).then() == ["issued over_line"]
    assert expired(policy.but(expires_after=None)).until(9999).life.state == "EXPIRED"


def test_one_that_a_person_lifted_does_not() -> None:
    story = expired().control(70, "lift").until(9999)
    assert story.life.state == "EXPIRED"


def test_a_cycle_that_a_person_lifted_never_restricts_again() -> None:
    story = expired().control(70, "lift").receipt(71, "failed").receipt(72).until(200)
    assert story.then()[-2:] == ["delivered receipt", "expired no_answer"]


def test_a_milder_level_frees_the_surface_at_once() -> None:
    milder = ENFORCE.but(surfaces={**ENFORCE.surfaces, "tips": ("limited", None)})
    assert expired().policy(70, milder).then() == ["lifted policy tips"]


def test_keep_means_that_falling_below_changes_nothing_once_invited() -> None:
    story = delivered(WIDE.but(keep=True)).reads(5, 10)
    assert (story.life.facts.state, story.until(61).then()) == (
        "INSIDE",
        ["expired no_answer", *APPLIED],
    )
