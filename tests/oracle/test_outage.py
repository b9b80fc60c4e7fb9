"""A worker that was away judges as a punctual one would have.

schemas/CONTRACT.md, "Eligibility" and "The moment of entry".
"""

from datetime import timedelta
from decimal import Decimal

from tests.oracle.given import ENFORCE, Story, at, delivered, expired, invited

LIFTED_LEFT = ["cancelled left", "lifted left hot-search", "lifted left tips"]
APPLIED = ["applied no_answer hot-search", "applied no_answer tips"]


def test_a_reading_that_entered_after_the_end_of_leaving_does_not_undo_it() -> None:
    story = expired().reads(70, 10).sleeps().reads(85, 1500).wakes(100)
    assert story.then() == LIFTED_LEFT
    assert story.until(130).then() == ["issued over_line"]


def test_one_that_entered_before_it_takes_the_account_back() -> None:
    story = expired().reads(70, 10).sleeps().reads(79, 1500).wakes(100)
    assert (story.then(), story.life.facts.state) == ([], "INSIDE")


def test_the_kept_reading_may_be_below_the_line_too() -> None:
    story = expired().reads(70, 10).sleeps().reads(85, 1500).reads(90, 20).wakes(100)
    assert (story.then(), story.life.facts.followers) == (LIFTED_LEFT, 20)


def test_a_label_that_entered_after_the_old_ones_end_does_not_undo_it() -> None:
    story = Story().label(0, valid_until=at(50)).reads(0, 1000).receipt(1)
    story.then()
    story.sleeps().label(55).wakes(58)
    assert story.then() == ["cancelled label"]
    assert story.until(88).then() == ["issued over_line"]


def test_a_label_that_entered_before_it_prolongs() -> None:
    story = Story().label(0, valid_until=at(50)).reads(0, 1000).receipt(1)
    story.then()
    assert story.sleeps().label(45).wakes(58).then() == []


def test_an_answer_after_the_last_end_of_a_restriction_comes_after_it() -> None:
    story = expired().sleeps().answers(320, "granted").wakes(330)
    assert story.then() == ["lifted ended hot-search", "lifted ended tips"]
    assert story.until(360).then() == ["issued over_line"]


def test_an_answer_before_it_still_counts() -> None:
    story = expired().sleeps().answers(300, "granted").wakes(330)
    assert story.then()[0] == "granted late"


def test_an_answer_after_the_end_of_an_expired_cycle_comes_after_it() -> None:
    policy = ENFORCE.but(on=frozenset({"declined"}))
    story = expired(policy).sleeps().answers(320, "granted").wakes(330)
    assert (story.then(), story.life.state) == ([], "NONE")


def test_an_answer_given_in_time_beats_the_deadline_however_late_it_is_read() -> None:
    assert delivered().sleeps().answers(60, "granted").wakes(500).then() == ["granted answer"]


def test_inputs_read_together_go_by_topic_the_receipt_before_the_extension() -> None:
    story = invited().sleeps().control(2, "extend", until=at(200)).receipt(3).wakes(100)
    assert story.then() == ["delivered receipt", "extended operator"]


def test_timers_act_in_due_order_the_label_before_the_deadline() -> None:
    story = Story().label(0, valid_until=at(60)).reads(0, 1000).receipt(1)
    story.then()
    assert story.sleeps().wakes(99).then() == ["cancelled label"]


def test_the_end_of_a_label_leaves_out_what_was_adverse_and_due_before_it() -> None:
    story = Story().label(0, valid_until=at(70)).reads(0, 1000).receipt(1)
    story.then()
    assert story.sleeps().wakes(69).then()[0] == "expired no_answer"
    story = Story().label(0, valid_until=at(70)).reads(0, 1000).receipt(1)
    story.then()
    assert story.sleeps().wakes(99).then() == ["cancelled label"]


def test_a_leaving_that_was_over_before_the_label_ended_says_left() -> None:
    for label_ends, reason in ((62, "left"), (60, "label"), (58, "label")):
        story = Story().label(0, valid_until=at(label_ends)).reads(0, 1000).receipt(1)
        story.reads(50, 10).then()
        assert story.sleeps().wakes(99).then() == [f"cancelled {reason}"]


def test_a_label_that_is_over_when_it_is_read_ends_after_what_was_due_before() -> None:
    story = expired().sleeps().label(320, valid_until=at(325)).wakes(330)
    assert story.then() == ["lifted ended hot-search", "lifted ended tips"]
    story = expired().sleeps().label(300, valid_until=at(305)).wakes(330)
    assert story.then()[0] == "cancelled label"


def test_of_several_reminders_due_at_once_only_the_last_is_sent() -> None:
    reminders = tuple(timedelta(minutes=number) for number in (50, 40, 10))
    story = delivered(ENFORCE.but(reminders=reminders)).sleeps().wakes(55)
    assert (story.then(), story.last("ordinal")) == (["reminded reminder"], 3)
    story = delivered(ENFORCE.but(reminders=reminders)).control(2, "hold").until(40)
    assert story.control(41, "unhold").then() == ["extended pause"]
    assert story.until(99).then() == ["reminded reminder", "reminded reminder", "reminded reminder"]


def test_each_delivery_has_its_own_reminders() -> None:
    policy = ENFORCE.but(reminders=(timedelta(minutes=50), timedelta(minutes=10)))
    story = delivered(policy).until(11).receipt(12, "failed").receipt(13)
    told = [event.get("ordinal") for event in story.until(99).life.events]
    assert [one for one in told if one] == [1, 11, 12]


def test_a_round_of_favourable_timers_leaves_the_adverse_ones() -> None:
    story = Story().label(0, valid_until=at(90)).reads(0, 1000).receipt(1)
    story.then()
    story.life.round(at(70), at(70), favourable_only=True)
    assert story.then() == []
    story.life.round(at(95), at(95), favourable_only=True)
    assert story.then() == ["cancelled label"]


def test_a_favourable_timer_passes_an_adverse_one_that_waits() -> None:
    policy = ENFORCE.but(exit_ratio=Decimal("0.9"))
    story = delivered(policy).control(2, "hold").reads(50, 10).until(60)
    assert story.then() == ["cancelled left"]


def test_a_refusal_after_the_deadline_restricts_only_where_silence_does_too() -> None:
    declined_alone = ENFORCE.but(on=frozenset({"declined"}))
    story = delivered(declined_alone).sleeps().answers(70, "declined").wakes(80)
    assert story.then() == ["declined answer", "expired declined"]
    story = delivered(declined_alone).sleeps().answers(60, "declined").wakes(80)
    assert len(story.then()) == 4
    story = delivered().sleeps().answers(70, "declined").wakes(80)
    assert len(story.then()) == 4
    assert len(story.policy(81, declined_alone).then()) == 2


def test_what_a_round_for_favourable_events_passed_over_is_looked_at_in_the_next_one() -> None:
    """The cool-down ends between two rounds, and the first of them could not look at the topics."""
    story = invited().change(2, "owner_changed")
    assert story.then() == ["cancelled owner_changed"]
    life = story.life
    life.round(at(33), at(33), favourable_only=True)
    assert story.then() == []
    assert [due for due, *_ in life.due_timers() if due <= at(33)] != []
    life.round(at(34), at(34))
    assert story.then() == ["issued over_line"]
