"""Controls and appeals, sentence by sentence.

schemas/CONTRACT.md, "Controls and appeals".
"""

import pytest

from tests.oracle.given import at, delivered, expired, granted, invited
from tests.oracle.test_model import declined, undelivered

WAITS = {"expired": ["appeal"], "applied": ["appeal"]}


def test_the_256_controls_with_the_latest_time_are_remembered() -> None:
    story = delivered()
    story.control(2, "extend", control_id="first", until=at(5))
    for number in range(256):
        story.control(3 + number / 1000, "extend", until=at(5))
    assert len(story.life.controls) == 256
    assert all("first" not in digest for _, digest in story.life.controls)


@pytest.mark.parametrize("command", ["unhold", "appeal_rejected"])
def test_a_word_older_than_what_it_would_end_does_nothing(command: str) -> None:
    begin = {"unhold": "hold", "appeal_rejected": "appeal_opened"}[command]
    story = delivered().control(10, begin).control(11, command, issued_at=at(9))
    assert story.life.brakes.stopped
    assert not story.control(12, command).life.brakes.stopped


def test_a_reissue_older_than_the_last_issue_does_nothing() -> None:
    story = undelivered().control(9, "reissue")
    story.then()
    assert story.control(10, "reissue", issued_at=at(8)).then() == []
    assert story.control(11, "reissue").then() == ["issued reissued"]


def test_a_reissue_that_comes_before_the_failure_waits_for_it_and_sends_once() -> None:
    story = delivered().control(5, "reissue")
    assert story.then() == []
    assert story.receipt(6, "failed").then() == ["undeliverable other", "issued reissued"]
    assert story.receipt(7, "failed").then() == ["undeliverable other"]


def test_a_waiting_reissue_ends_with_an_answer() -> None:
    story = delivered().control(5, "reissue").answers(6, "withdrawn").receipt(7, "failed")
    assert story.then() == ["undeliverable other"]


def test_an_extension_before_the_delivery_is_kept_for_it() -> None:
    story = invited().control(1, "extend", until=at(90))
    assert story.receipt(2).then() == ["delivered receipt"]
    assert story.last("deadline_at") == at(90)


def test_an_extension_after_the_expiry_waits_for_a_new_delivery() -> None:
    story = expired().control(70, "extend", until=at(200))
    assert story.then() == []
    story.receipt(71, "failed").receipt(75)
    assert story.then()[-1] == "delivered receipt"
    assert story.last("deadline_at") == at(200)


def test_a_reissue_waits_while_something_defers() -> None:
    story = undelivered().control(5, "hold").control(6, "reissue")
    assert (story.then(), story.waits()) == ([], {"issued": ["hold"]})
    assert story.control(7, "unhold").then() == ["issued reissued"]


def test_a_verdict_ends_the_appeal_of_its_id_and_no_other() -> None:
    story = delivered().control(5, "appeal_opened", appeal_id="a")
    story.control(6, "appeal_opened").control(7, "appeal_rejected", appeal_id="a")
    assert story.until(90).waits() == WAITS
    assert story.control(91, "appeal_rejected").then() == ["extended pause"]


@pytest.mark.parametrize("begin", [invited, undelivered, delivered, declined])
def test_an_upheld_appeal_takes_effect_whatever_is_open(begin) -> None:
    story = begin().control(5, "appeal_opened", appeal_id="a")
    assert story.control(6, "appeal_upheld", appeal_id="b").then() == ["cancelled appeal"]
    assert story.life.brakes.stopped


def test_an_upheld_appeal_lasts_until_a_new_owner_or_a_person_ends_it() -> None:
    for end in ("owner", "person"):
        story = delivered().control(5, "appeal_upheld").until(999)
        assert story.then() == ["cancelled appeal"]
        assert story.waits() == {"issued": ["appeal_upheld"]}
        story.control(1000, "unhold").control(1001, "unhold", reason="appeal", issued_at=at(4.9))
        assert story.then() == []
        if end == "owner":
            story.change(1002, "owner_changed")
        else:
            story.control(1002, "unhold", reason="appeal")
        assert story.then() == ["issued over_line"]


def test_an_unhold_with_reason_appeal_ends_no_hold() -> None:
    story = delivered().control(5, "hold").control(6, "unhold", reason="appeal")
    assert story.life.brakes.stopped


def test_an_upheld_appeal_marks_a_consent_too() -> None:
    story = granted().control(5, "appeal_upheld").answers(6, "withdrawn").until(99)
    assert (story.then(), story.waits()) == (["withdrawn answer"], {"issued": ["appeal_upheld"]})


def test_a_new_owner_ends_the_appeals_opened_before() -> None:
    story = delivered().control(5, "appeal_opened", appeal_id="a")
    story.control(9, "appeal_opened", appeal_id="b").change(10, "owner_changed", observed_at=at(8))
    assert list(story.life.brakes.appeals) == ["b"]


def test_an_opening_that_is_read_after_a_later_new_owner_opens_its_appeal() -> None:
    story = invited().change(5, "owner_changed").control(6, "appeal_opened", issued_at=at(4))
    assert story.life.brakes.appeals
    assert story.until(99).waits() == {"issued": ["appeal"]}


def test_at_most_sixteen_appeals_are_open_a_further_one_is_unclear() -> None:
    story = delivered()
    for number in range(17):
        story.control(5, "appeal_opened", appeal_id=f"a{number}")
    for number in range(17):
        story.control(10, "appeal_rejected", appeal_id=f"a{number}")
    assert story.until(90).waits() == {
        "expired": ["unclear_answer"],
        "applied": ["unclear_answer"],
    }
    assert story.control(91, "hold").control(92, "unhold").waits() != {}
    assert story.control(93, "settle").waits() == {}


def test_settle_ends_what_is_there_and_not_later_than_its_time() -> None:
    story = delivered().refused(10)
    assert story.control(20, "settle", issued_at=at(9)).until(90).waits() != {}
    assert story.control(91, "settle").then() == ["extended pause"]
    assert story.last("deadline_at") == at(61 + 81)


def test_settle_ends_no_hold_and_no_appeal() -> None:
    story = delivered().control(5, "hold").control(6, "appeal_opened").control(7, "settle")
    assert story.until(90).waits() == {
        "expired": ["hold", "appeal"],
        "applied": ["hold", "appeal"],
    }


def test_expires_at_ends_a_hold_and_no_appeal() -> None:
    story = delivered().control(5, "appeal_opened", expires_at=at(9)).until(90)
    assert story.waits() == WAITS
