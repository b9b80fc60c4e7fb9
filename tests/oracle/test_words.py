"""Which word is the newest, sentence by sentence.

schemas/CONTRACT.md, "Which word is the newest".
"""

import pytest

from tests.oracle.given import ENFORCE, Story, at, delivered, expired, granted, invited

LIFTED = ["lifted granted hot-search", "lifted granted tips"]


def test_a_time_is_never_later_than_its_entry() -> None:
    story = delivered().answers(2, "granted", occurred_at=at(6))
    assert story.last("answered_at") == at(2)
    assert story.answers(3, "withdrawn").then() == ["granted answer", "withdrawn answer"]


@pytest.mark.parametrize("stated", [at(9), at(-60 * 24 * 365 * 25)])
def test_a_time_far_ahead_or_before_2005_is_replaced_by_the_entry(stated) -> None:
    story = delivered().answers(3, "granted", occurred_at=stated)
    assert (story.then(), story.last("answered_at")) == (["granted answer"], at(3))


def test_a_fast_clock_makes_no_true_word_stale() -> None:
    story = delivered().answers(5, "granted", occurred_at=at(500)).answers(6, "withdrawn")
    assert story.then() == ["granted answer", "withdrawn answer"]


def test_a_brake_put_on_after_one_stamped_ahead_counts() -> None:
    story = delivered().switch(10, "adverse_off", True, issued_at=at(14))
    story.switch(11, "adverse_off", False, issued_at=at(15)).switch(12, "adverse_off", True)
    story.then()
    assert story.until(90).waits() == {"expired": ["adverse_off"], "applied": ["adverse_off"]}


def test_a_switch_turned_off_before_it_was_turned_on_is_stale() -> None:
    story = delivered().switch(10, "adverse_off", True)
    assert story.switch(20, "adverse_off", False, issued_at=at(9)).until(99).then() == []
    assert story.switch(100, "adverse_off", False).then() == ["extended pause"]


def test_an_unhold_older_than_the_newest_hold_does_nothing() -> None:
    story = delivered().control(10, "hold").control(20, "unhold", issued_at=at(9))
    assert (story.until(99).then(), story.life.brakes.stopped) == ([], True)


def test_a_hold_counts_however_old_it_is() -> None:
    story = delivered().control(10, "hold").control(20, "unhold")
    story.then()
    assert story.control(30, "hold", issued_at=at(5)).life.brakes.stopped


def test_a_protecting_word_is_stale_only_beyond_the_skew() -> None:
    for minute, events in ((-2.9, ["withdrawn answer"]), (-3.1, [])):
        assert granted().answers(9, "withdrawn", occurred_at=at(minute)).then() == events


@pytest.mark.parametrize(
    ("word", "undo"), [("exempted", "exemption_ended"), ("closed", "reopened")]
)
def test_what_undoes_a_protection_is_stale_before_it(word: str, undo: str) -> None:
    story = delivered().change(10, word).change(20, undo, observed_at=at(9))
    story.then()
    assert story.label(21).reads(21, 1500).until(99).then() == []
    assert story.change(100, undo).label(101).reads(101, 1500).then() == ["issued over_line"]


def test_at_one_time_the_later_in_the_log_counts() -> None:
    story = delivered().change(10, "exempted", observed_at=at(10))
    story.change(11, "exemption_ended", observed_at=at(10)).then()
    assert not story.life.facts.exempt
    story.change(12, "exempted", observed_at=at(9.9))
    assert story.life.facts.exempt


def test_of_answers_of_one_time_the_withdrawal_counts() -> None:
    story = granted().answers(10, "withdrawn", occurred_at=at(9))
    story.then()
    assert story.answers(11, "granted", occurred_at=at(9)).then() == []
    assert delivered().answers(9, "granted").answers(9, "withdrawn").then()[-1] == (
        "withdrawn answer"
    )


def test_a_copy_of_the_newest_word_is_a_repeat() -> None:
    story = granted().answers(3, "withdrawn").until(34)
    story.then()
    assert story.receipt(35).answers(36, "granted").answers(37, "withdrawn").then() == [
        "delivered receipt",
        "granted answer",
        "withdrawn answer",
    ]
    assert story.answers(38, "withdrawn", occurred_at=at(37)).then() == []


def test_a_copy_of_a_grant_is_no_repeat_when_it_names_another_notice() -> None:
    story = delivered().answers(2, "granted", notice_version="9")
    assert (story.then(), story.waits(), bool(story.life.brakes.unclear)) == ([], {}, True)
    assert story.answers(3, "granted", occurred_at=at(2)).then() == ["granted answer"]


def test_a_protecting_word_whose_time_was_replaced_is_never_a_repeat() -> None:
    policy = ENFORCE.but(cool_down=ENFORCE.dwell)
    story = invited(policy).change(5, "owner_changed", observed_at=at(900))
    story.change(6, "owner_changed", observed_at=at(900))
    cancelled = ["cancelled owner_changed", "issued over_line"]
    assert story.then() == cancelled * 2


def test_a_stale_exemption_cancels_what_was_issued_before_it_and_does_nothing_else() -> None:
    story = expired().change(70, "exemption_ended").change(71, "exempted", observed_at=at(3))
    lifted = ["lifted exempted hot-search", "lifted exempted tips"]
    assert story.then() == ["cancelled exempted", *lifted]
    assert not story.life.facts.exempt


@pytest.mark.parametrize(
    ("word", "undo"), [("closed", "reopened"), ("exempted", "exemption_ended")]
)
def test_a_stale_account_change_ends_only_what_began_by_then(word: str, undo: str) -> None:
    for issued, ended in ((0, True), (6, False)):
        story = Story().label(issued).reads(issued, 1000)
        story.then()
        story.change(20, undo, observed_at=at(19)).change(21, word, observed_at=at(0.9))
        assert story.then() == ([f"cancelled {word}"] if ended else [])


def test_a_stale_closing_voids_a_consent_given_before_it_and_an_exemption_does_not() -> None:
    story = granted().change(20, "reopened").change(21, "closed", observed_at=at(3))
    assert story.then() == ["voided closed"]
    story = granted().change(20, "exemption_ended").change(21, "exempted", observed_at=at(3))
    assert story.then() == []


def test_a_grant_read_after_a_later_withdrawal_ends_the_cycle_without_consent() -> None:
    story = expired().answers(70, "withdrawn").answers(71, "granted", occurred_at=at(65))
    assert story.then() == [*LIFTED, "withdrawn answer"]
    assert (story.last("answered_at"), story.life.state) == (at(70), "NONE")
    assert story.until(101).then() == ["issued over_line"]


def test_a_grant_read_after_a_later_refusal_ends_the_cycle_likewise() -> None:
    story = delivered().answers(20, "declined").answers(21, "granted", occurred_at=at(10))
    assert story.then() == ["declined answer", "withdrawn answer"]
    assert story.last("answered_at") == at(20)


def test_a_pause_runs_from_the_earlier_to_the_later_of_both() -> None:
    story = delivered().switch(20, "answers_paused", True, issued_at=at(18))
    story.switch(40, "answers_paused", False, issued_at=at(37))
    assert (story.then(), story.last("deadline_at")) == (["extended pause"], at(61 + 22))


def test_more_than_64_stops_join_over_the_shortest_gap() -> None:
    story = delivered(ENFORCE.but(window=ENFORCE.window * 100))
    for number in range(65):
        begin = 10 * number + (13 if number == 1 else 10)
        story.control(begin, "hold").control(begin + 4, "unhold")
    stops = story.life.brakes.stretches()
    assert len(stops) == 64
    assert stops[:2] == [(at(10), at(14)), (at(23), at(34))]
