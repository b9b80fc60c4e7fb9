"""Labels and counts, sentence by sentence.

schemas/CONTRACT.md, "Labels and counts".
"""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.oracle.given import ENFORCE, Story, at, delivered, invited

DWELLING = ENFORCE.but(dwell=timedelta(minutes=20))


@pytest.mark.parametrize(
    "text", ["财经", " 财经 ", "财\u200b经", "\ufeff财经", "财经\ufe0f", "财\U000e0100经", "法律"]
)
def test_labels_are_compared_folded(text: str) -> None:
    assert Story().label(0, text).reads(0, 1000).then() == ["issued over_line"]


def test_a_compatibility_form_is_the_same_label() -> None:
    policy = ENFORCE.but(labels={"ＬＡＷ": "law"})
    assert Story(policy).label(0, "LAW").reads(0, 1000).then() == ["issued over_line"]


@pytest.mark.parametrize("text", [" ", "\u200b", "\ufe0f"])
def test_an_empty_label_is_unknown(text: str) -> None:
    assert Story().label(0, text).reads(0, 1000).then() == []


def test_an_invisible_character_cancels_nothing() -> None:
    assert invited().label(5, "财经\u200d").then() == []


def test_two_labels_of_one_instant_are_contradictory_until_a_newer_one() -> None:
    story = invited().label(5, "财经").label(6, "法律", observed_at=at(5))
    assert story.then() == ["cancelled label"]
    assert story.label(7, "法律", observed_at=at(5)).until(40).then() == []
    assert story.label(41, "法律").then() == ["issued over_line"]


def test_of_a_contradictory_label_nothing_ends() -> None:
    """A label that entered after its `valid_until` waits for no end; seed 2945."""
    story = invited(ENFORCE.but(cool_down=timedelta(0)))
    story.label(5, "财经").label(6, "法律", observed_at=at(5), valid_until=at(9)).then()
    for entered, text in ((12, "财经"), (20, "旅游")):
        value = {"category": text, "observed_at": at(entered)}
        story.life.receive(at(30), "category-changes", value, entered=at(entered))
    assert story.then() == ["issued over_line", "cancelled label"]


def test_two_unknown_labels_of_one_instant_contradict_nothing_that_counts() -> None:
    story = Story().label(0, "foo").label(0, "bar", observed_at=at(0)).reads(0, 1000)
    assert not story.life.facts.contradictory
    assert story.label(1).then() == ["issued over_line"]


def test_a_stored_unknown_read_again_under_its_own_text_contradicts_nothing() -> None:
    story = Story().label(0, "新").reads(0, 1000)
    assert story.policy(5, ENFORCE.but(labels={**ENFORCE.labels, "新": "law"})).then() != []
    again = Story().label(0, "新").reads(0, 1000)
    again.life.policy = ENFORCE.but(labels={"新": "law"})
    assert again.label(5, "新", observed_at=at(0)).then() == ["issued over_line"]


def test_of_two_ends_of_one_label_the_earlier_counts() -> None:
    for first, second in ((20, 30), (30, 20), (None, 20), (20, None)):
        story = Story().label(0, valid_until=first and at(first)).reads(0, 1000)
        story.label(1, observed_at=at(0), valid_until=second and at(second))
        assert story.until(19).then() == ["issued over_line"]
        assert story.until(20).then() == ["cancelled label"]


def test_of_two_counts_of_one_instant_the_lower_counts() -> None:
    wide = ENFORCE.but(exit_ratio=Decimal("0.9"))
    assert Story(wide).label(0).reads(0, 999).reads(1, 1000, observed_at=at(0)).then() == []
    story = invited().reads(5, 1000).reads(6, 10, observed_at=at(5))
    story.reads(7, 1000, observed_at=at(5))
    assert story.until(15).then() == ["cancelled left"]


def test_a_label_not_newer_than_the_removed_one_is_stale() -> None:
    story = Story().label(5).label(6, None).reads(6, 1000)
    assert story.label(7, observed_at=at(5)).then() == []
    assert story.label(8, observed_at=at(6)).then() == ["issued over_line"]


def test_a_stale_reading_below_the_line_starts_the_dwell_anew() -> None:
    story = Story(DWELLING).label(0).reads(0, 1000).reads(10, 1000)
    story.reads(15, 999, observed_at=at(5))
    assert story.until(29).then() == []
    assert story.until(30).then() == ["issued over_line"]


def test_a_stale_reading_from_before_the_dwell_changes_nothing() -> None:
    story = Story(DWELLING).label(5).reads(5, 1000).reads(15, 10, observed_at=at(4))
    assert story.until(25).then() == ["issued over_line"]


@pytest.mark.parametrize("text", ["娱乐", "日常", "nobody knows"])
def test_a_stale_label_that_is_not_covered_starts_the_dwell_anew(text: str) -> None:
    story = Story(DWELLING).label(0).reads(0, 1000).label(10)
    story.label(12, text, observed_at=at(5))
    assert story.until(29).then() == []
    assert story.until(30).then() == ["issued over_line"]


def test_before_any_dwell_a_stale_word_against_the_account_counts_as_well() -> None:
    story = Story(DWELLING).reads(0, 1000).reads(10, 1000).reads(12, 999, observed_at=at(5))
    assert story.label(13, observed_at=at(0)).until(29).then() == []
    assert story.until(30).then() == ["issued over_line"]
    story = Story(DWELLING).label(0).label(10).label(12, "娱乐", observed_at=at(5))
    assert story.reads(13, 1000, observed_at=at(0)).until(29).then() == []
    assert story.until(30).then() == ["issued over_line"]


def test_a_dwell_that_was_over_but_invited_nobody_is_begun_anew_too() -> None:
    story = Story(DWELLING).switch(0, "invitations_off", True).label(0).reads(0, 1000).until(25)
    story.reads(26, 1000).reads(27, 999, observed_at=at(3)).switch(28, "invitations_off", False)
    assert story.until(45).then() == []
    assert story.until(46).then() == ["issued over_line"]


def test_once_invited_a_stale_reading_is_stale_and_no_more() -> None:
    story = Story(DWELLING).label(0).reads(0, 1000).until(20).reads(21, 1000)
    assert story.reads(22, 10, observed_at=at(10)).until(50).then() == ["issued over_line"]


def test_a_dwell_runs_by_observed_at_from_when_all_conditions_hold() -> None:
    story = Story(DWELLING).reads(0, 1000).reads(10, 1000).label(11, observed_at=at(5))
    assert story.until(24.9).then() == []
    assert story.until(25).then() == ["issued over_line"]


def test_a_reading_older_than_the_applied_one_at_all_is_stale() -> None:
    assert delivered().reads(5, 10, observed_at=at(-0.001)).until(30).then() == []
