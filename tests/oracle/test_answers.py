"""Answers, receipts, unclear words, sentence by sentence.

schemas/CONTRACT.md, "Answers, receipts, unclear words".
"""

import pytest

from schemas.enums import Ignored
from tests.oracle.given import ENFORCE, Story, at, delivered, expired, granted, invited
from tests.oracle.test_model import declined, undelivered

V2 = ENFORCE.but(notice_version="2")
V2_RENEWS = V2.but(renew=True)
UNCLEAR = {"expired": ["unclear_answer"], "applied": ["unclear_answer"]}


def unclear(story: Story) -> bool:
    """Whether an unclear word of the account stands."""
    return bool(story.life.brakes.unclear)


@pytest.mark.parametrize(("minute", "heard"), [(-5, True), (-5.1, False)])
def test_an_answer_from_before_the_first_issue_does_not_belong(minute: float, heard: bool) -> None:
    story = delivered().answers(2, "granted", occurred_at=at(minute))
    assert (story.then() == ["granted answer"], unclear(story)) == (heard, not heard)


def test_one_that_names_the_cycle_belongs_however_old_it_is() -> None:
    story = delivered().answers(2, "granted", occurred_at=at(-60), invitation_id="enforce-1")
    assert story.then() == ["granted answer"]


@pytest.mark.parametrize("more", [{"invitation_id": "other"}, {"notice_version": "9"}, {}])
def test_a_withdrawal_always_belongs(more: dict) -> None:
    assert granted().answers(3, "withdrawn", **more).then() == ["withdrawn answer"]


@pytest.mark.parametrize(("version", "notice"), [(None, "1"), ("1", "1"), ("2", "2")])
def test_a_grant_counts_for_the_notice_in_force_that_it_names(version, notice: str) -> None:
    story = delivered().policy(5, V2).answers(6, "granted", notice_version=version)
    assert (story.then(), story.last("notice_version")) == (["granted answer"], notice)


def test_a_notice_out_of_force_before_the_first_issue_is_none_of_the_cycle() -> None:
    story = Story().policy(1, V2).label(2).reads(2, 1000).receipt(3)
    story.then()
    assert story.answers(4, "granted", notice_version="1").then() == []
    assert unclear(story)


def test_a_grant_to_a_notice_that_is_to_be_renewed_is_voided_at_once() -> None:
    story = expired().policy(62, V2_RENEWS).answers(63, "granted", notice_version="1")
    lifted = ["lifted granted hot-search", "lifted granted tips"]
    assert story.then() == ["granted late", *lifted, "voided notice", "issued over_line"]
    story = delivered().policy(5, V2_RENEWS).policy(6, ENFORCE.but(notice_version="3"))
    assert story.answers(7, "granted").then()[:2] == ["granted answer", "voided notice"]


def test_a_grant_to_the_renewing_notice_stays() -> None:
    story = delivered().policy(5, V2_RENEWS).answers(6, "granted", notice_version="2")
    assert (story.then(), story.until(999).then()) == (["granted answer"], [])


def test_a_newer_notice_may_be_granted_while_a_consent_is_in_force() -> None:
    story = granted().policy(5, V2)
    assert story.answers(6, "granted").answers(7, "granted", notice_version="1").then() == []
    assert story.answers(8, "granted", notice_version="2").then() == ["granted answer"]
    assert story.last("notice_version") == "2"
    assert story.answers(9, "granted", notice_version="2").then() == []
    assert story.policy(10, V2_RENEWS).then() == []


def test_one_not_later_than_the_consent_in_force_changes_nothing() -> None:
    story = granted().policy(5, V2).answers(6, "granted", notice_version="2", occurred_at=at(2))
    assert story.then() == []


# ---- receipts ----------------------------------------------------------------------------------


def test_a_receipt_alike_in_every_field_counts_once() -> None:
    story = delivered().receipt(5, "failed").receipt(6)
    assert story.then() == ["undeliverable other", "delivered receipt"]
    assert story.receipt(7, "failed", occurred_at=at(5)).then() == []
    assert story.receipt(8, "failed").then() == ["undeliverable other"]


def test_a_delivery_not_later_than_the_last_failure_is_none() -> None:
    story = undelivered()
    assert story.receipt(5, occurred_at=at(1)).then() == []
    assert story.receipt(6, "failed", occurred_at=at(4)).receipt(7, occurred_at=at(3)).then() == []
    assert story.receipt(8, occurred_at=at(4.1)).then() == ["delivered receipt"]


def test_a_failure_not_later_than_the_last_one_undoes_no_delivery() -> None:
    story = undelivered().receipt(5)
    story.then()
    assert story.receipt(6, "failed", occurred_at=at(0.5)).then() == []


@pytest.mark.parametrize(("minute", "believed"), [(-4, True), (-4.1, False), (70, True)])
def test_a_failure_after_the_expiry_lifts(minute: float, believed: bool) -> None:
    story = expired().receipt(71, "failed", occurred_at=at(minute))
    lifted = ["lifted undeliverable hot-search", "lifted undeliverable tips"]
    assert story.then() == (["undeliverable other", *lifted] if believed else [])
    again = story.receipt(80).until(140).then()
    assert again == ["delivered receipt", "expired no_answer", *APPLIED] if believed else not again


APPLIED = ["applied no_answer hot-search", "applied no_answer tips"]


def test_a_failure_after_an_answer_of_the_cycle_changes_nothing() -> None:
    story = expired().answers(70, "declined").receipt(71, "failed")
    assert (story.then(), story.life.state) == ([], "EXPIRED")


ALONE = ENFORCE.but(on=frozenset({"declined"}))
"""Silence restricts nothing: delivered at 1, deadline at 61, and the cycle is over at 311."""
BOUNCED = ["undeliverable other", "delivered answer", "declined answer"]


def bounce_read_late(story: Story, minute: float, wakes: float = 900) -> list[str]:
    """A bounce that a worker reads before the deadline has acted, and a refusal long after it."""
    story.sleeps().receipt(minute, "failed").answers(800, "declined").wakes(wakes)
    return story.until(1100).then()[: len(BOUNCED)]


def test_a_bounce_after_the_end_of_a_silent_cycle_opens_nothing_however_late_it_is_read() -> None:
    assert bounce_read_late(delivered(ALONE), 312) == ["declined answer", "expired declined"]
    story = delivered(ALONE).sleeps().receipt(312, "failed").wakes(320)
    assert story.then() == ["expired no_answer"]
    assert story.receipt(321, "failed", occurred_at=at(312)).then() == []
    assert story.life.ignored == {Ignored.REPEAT: 1}


def test_nor_does_one_where_the_deadline_acted_late() -> None:
    story = delivered(ALONE).sleeps().wakes(200)
    assert story.then() == ["expired no_answer"]
    story.receipt(312, "failed").answers(330, "declined")
    # The late end of the cycle is at 450; a refusal that had reopened it would restrict by then.
    assert story.until(449).then() == []


def test_so_it_is_where_the_present_policy_alone_spares_silence_once_that_has_acted() -> None:
    for milder in (ALONE, ENFORCE.but(surfaces={})):
        story = delivered().policy(5, milder).sleeps().receipt(312, "failed").wakes(320)
        # Of a stricter policy that came before the deadline acts the bounce is still the proof.
        assert story.then() == ["undeliverable other"]
        story = delivered().policy(5, milder).sleeps().wakes(200)
        assert story.then() == ["expired no_answer"]
        assert story.receipt(312, "failed").until(320).then() == []


def test_so_it_is_where_the_present_policy_ends_sooner() -> None:
    story = delivered(ALONE).policy(5, ALONE.but(expires_after=ENFORCE.window)).sleeps()
    assert story.receipt(122, "failed").wakes(130).then() == ["expired no_answer"]


def test_a_bounce_read_late_counts_where_silence_restricts_or_the_cycle_was_not_over() -> None:
    assert bounce_read_late(delivered(), 312) == BOUNCED
    assert bounce_read_late(delivered(ALONE), 311) == BOUNCED
    assert bounce_read_late(delivered(ALONE.but(expires_after=None)), 312) == BOUNCED


def test_it_counts_by_the_deadline_with_its_pauses_and_while_the_clock_stands_still() -> None:
    story = delivered(ALONE).control(11, "hold").control(21, "unhold")
    assert story.then() == ["extended pause"]
    assert bounce_read_late(story, 321) == BOUNCED
    story = delivered(ALONE).control(11, "hold").sleeps().receipt(400, "failed").wakes(410)
    assert story.then() == ["undeliverable other"]


def test_it_counts_in_a_cycle_that_a_person_spared() -> None:
    story = expired().control(62, "lift").receipt(70, "failed").receipt(80)
    assert story.then()[-1] == "delivered receipt"
    assert story.sleeps().receipt(700, "failed").wakes(710).then() == ["undeliverable other"]


# ---- unclear words -----------------------------------------------------------------------------


@pytest.mark.parametrize("begin", [invited, delivered, declined, expired])
def test_a_refused_answer_is_unclear_while_a_cycle_is_open(begin) -> None:
    story = begin().refused(62)
    assert unclear(story)
    assert not unclear(story.control(63, "lift").control(64, "settle"))


def test_an_unclear_answer_stops_the_clock_and_defers() -> None:
    story = delivered().refused(11).until(90)
    assert (story.then(), story.waits()) == ([], UNCLEAR)
    assert story.answers(91, "declined").then() == ["declined answer", "extended pause"]
    assert story.last("deadline_at") == at(61 + 80)


def test_without_a_cycle_a_refused_answer_is_a_dead_letter_and_no_more() -> None:
    assert Story().refused(0).label(1).reads(1, 1000).then() == ["issued over_line"]


def test_in_a_shadow_life_nobody_answers_and_nothing_is_unclear() -> None:
    story = Story(ENFORCE.but(mode="shadow")).label(0).reads(0, 1000)
    assert not unclear(story.refused(1).answers(2, "granted", invitation_id="other"))


@pytest.mark.parametrize("answer", ["granted", "declined"])
def test_an_answer_to_another_invitation_is_unclear(answer: str) -> None:
    story = delivered().answers(5, answer, invitation_id="other")
    assert (story.then(), unclear(story)) == ([], True)
    assert story.until(90).waits() == UNCLEAR
    assert story.life.brakes.running == [at(5)]


def test_one_that_entered_before_the_first_issue_is_not_unclear() -> None:
    story = Story().reads(5, 1000).sleeps().label(6).answers(4, "granted", invitation_id="other")
    assert not unclear(story.wakes(10))


def test_a_repeat_is_not_unclear() -> None:
    story = granted().answers(3, "withdrawn").until(34).receipt(35)
    story.then()
    assert not unclear(story.answers(36, "granted", occurred_at=at(2)))


def test_a_grant_naming_a_notice_never_in_force_is_unclear_from_its_time() -> None:
    story = delivered().answers(9, "granted", notice_version="7", occurred_at=at(8))
    assert unclear(story)
    assert story.life.brakes.running == [at(8)]


def test_unclear_answers_end_with_the_cycle_or_the_consent() -> None:
    assert not unclear(delivered().refused(5).control(6, "lift"))
    assert not unclear(granted().refused(5).answers(6, "withdrawn"))


def test_an_applied_answer_that_is_older_than_the_unclear_one_does_not_end_it() -> None:
    story = delivered().answers(9, "granted", notice_version="7")
    assert unclear(story.answers(10, "declined", occurred_at=at(8)))
    assert not unclear(story.answers(11, "declined"))


def test_a_withdrawal_recorded_only_ends_no_unclear_answer() -> None:
    assert unclear(delivered().refused(5).answers(6, "withdrawn"))


@pytest.mark.parametrize("topic", ["account-changes", "controls"])
def test_a_refused_word_is_unclear_at_any_time_tracked_or_not(topic: str) -> None:
    story = Story().refused(0, topic).label(1).reads(1, 1000)
    assert (story.then(), story.waits()) == ([], {"issued": ["unclear_answer"]})


def test_it_ends_by_an_applied_word_of_its_topic_and_no_other() -> None:
    story = delivered().refused(5, "account-changes").refused(5, "controls")
    assert unclear(story.answers(6, "declined").control(7, "hold").control(8, "unhold"))
    assert not unclear(story.change(9, "reopened"))


def test_a_stale_word_ends_no_unclear_one() -> None:
    story = delivered().change(3, "exempted").refused(5, "account-changes")
    assert unclear(story.change(6, "exemption_ended", observed_at=at(2)))


def test_it_outlives_the_cycle() -> None:
    story = delivered().refused(5, "account-changes").control(6, "lift").until(99)
    assert story.waits() == {"issued": ["unclear_answer"]}


def test_settle_must_not_be_older_than_the_newest() -> None:
    story = delivered().refused(5).refused(9)
    assert unclear(story.control(10, "settle", issued_at=at(8)))
    assert not unclear(story.control(11, "settle", issued_at=at(9)))


def test_a_window_that_only_the_present_policy_gives_makes_no_refusal_of_silence() -> None:
    alone = ENFORCE.but(on=frozenset({"declined"}))
    longer = alone.but(window=10 * ENFORCE.window, version=2)
    story = delivered(alone).policy(5, longer).answers(100, "declined")
    story.until(700)
    assert [words for words in story.then() if words.startswith("applied")] == []
    story = delivered(alone).policy(5, longer).answers(50, "declined")
    story.until(700)
    assert [words for words in story.then() if words.startswith("applied")] != []
