"""Answers that do not fit and words that cannot be read, sentence by sentence.

schemas/CONTRACT.md, "Answers, receipts, unclear words".
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from streams.core.model.instants import rfc3339
from streams.core.model.marks import count
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, START, Day, policy
from tests.core.states import (
    DEADLINE,
    STATES,
    WINDOW,
    delivered,
    expired,
    granted,
    invited,
    lifted,
    none,
    unreadable,
)

SKEW = 5 * MINUTE


def ignored(day: Day) -> str | None:
    """What the last decision says of why its input counted for nothing."""
    decided = [record["ignored"] for record in day.decisions if record["kind"] == "decision"]
    return decided[-1] if decided else None


def is_unclear(day: Day, account: str = ACCOUNT) -> bool:
    """Whether an unclear word holds everything adverse of the account back."""
    kept = day.account(account)
    cycle = kept.live.cycle
    words = kept.heard is not None and bool(kept.heard.unclear)
    return words or (cycle is not None and cycle.unclear is not None)


def taken_up(day: Day, *versions: tuple[str, bool]) -> Day:
    """Notices are taken up one after the other: version, and whether it voids older consents."""
    for number, (version, renew) in enumerate(versions, 2):
        changed = policy(version=number)
        notice = replace(changed.notice, version=version, renew=renew)
        day.wait(MINUTE).open(replace(changed, notice=notice))
        day.run_timers()
    return day.wait(MINUTE)


# ---- whose answer it is --------------------------------------------------------------------------


def test_an_answer_without_an_invitation_belongs_to_the_open_cycle_or_the_consent() -> None:
    assert delivered().answer("granted").said() == ["granted answer"]
    assert granted().wait(MINUTE).answer("declined").said() == ["withdrawn answer"]


@pytest.mark.parametrize("word", ["granted", "declined"])
def test_but_not_when_it_is_of_clearly_before_the_first_issue(word: str) -> None:
    day = invited().wait(1).answer(word, at=START + HOUR - SKEW - 1)
    assert (day.said(), ignored(day)) == ([], "unclear")
    assert invited().answer(word, at=START + HOUR - SKEW).said() == [
        "delivered answer",
        f"{word} answer",
    ]


@pytest.mark.parametrize("state", ["DELIVERED", "EXPIRED", "GRANTED"])
@pytest.mark.parametrize("word", ["granted", "declined"])
def test_one_naming_another_cycle_is_an_unclear_word(word: str, state: str) -> None:
    day = STATES[state]().wait(MINUTE).answer(word, invitation_id="an-old-link")
    assert (day.said(), ignored(day), is_unclear(day)) == ([], "unclear", True)


def test_a_withdrawal_always_belongs() -> None:
    day = granted().wait(MINUTE).answer("withdrawn", invitation_id="x", notice_version="9")
    assert day.said() == ["withdrawn answer"]
    assert not is_unclear(delivered().answer("withdrawn", invitation_id="x"))


def test_a_repeat_that_does_not_belong_is_not_unclear() -> None:
    day = granted().answer("withdrawn").wait(20 * DAY)
    assert day.said()[-1] == "issued over_line"
    day.answer("granted", at=START + HOUR + 2 * MINUTE)
    assert (ignored(day), is_unclear(day)) == ("duplicate", False)


def test_what_entered_before_the_first_issue_is_not_unclear() -> None:
    day = none().answer("granted").answer("declined", invitation_id="x")
    assert (ignored(day), is_unclear(day)) == ("no_cycle", False)


def test_nobody_answers_a_shadow_notice() -> None:
    from schemas.enums import Mode

    day = Day(policy(mode=Mode.SHADOW)).label("财经").reads(1500).wait(HOUR).answer("granted")
    assert (ignored(day), is_unclear(unreadable(day, "consent-answers"))) == ("no_cycle", False)


# ---- which notice --------------------------------------------------------------------------------


def test_a_grant_counts_for_the_notice_that_it_names_if_it_was_in_force() -> None:
    day = taken_up(delivered(), ("2", False), ("3", False))
    assert day.answer("granted", notice_version="2").said() == ["granted answer"]
    assert day.events[-1]["notice_version"] == "2"
    day = taken_up(delivered(), ("2", False))
    assert day.answer("granted", notice_version="1").events[-1]["notice_version"] == "1"


def test_none_named_is_the_notice_of_the_cycle() -> None:
    day = taken_up(delivered(), ("2", False)).answer("granted")
    assert day.events[-1]["notice_version"] == "1"


def test_a_grant_naming_a_notice_of_before_the_first_issue_is_unclear() -> None:
    day = taken_up(Day(), ("2", False)).label("财经").reads(1500).wait(2 * HOUR)
    assert day.said() == ["issued over_line"]
    day.answer("granted", notice_version="1")
    assert (day.said(), ignored(day), is_unclear(day)) == ([], "unclear", True)


def test_a_grant_naming_a_notice_not_yet_taken_up_is_unclear() -> None:
    day = delivered().answer("granted", notice_version="2")
    assert (day.said(), ignored(day), is_unclear(day)) == ([], "unclear", True)
    assert day.wait(10 * DAY).said() == []


def test_a_refusal_counts_whatever_notice_it_names() -> None:
    assert delivered().answer("declined", notice_version="9").said() == ["declined answer"]


def test_renewing_goes_by_the_notice_that_was_agreed_to() -> None:
    day = taken_up(delivered(), ("2", False)).answer("granted", notice_version="2")
    changed = policy(version=3)
    day.open(replace(changed, notice=replace(changed.notice, version="2", renew=True)))
    assert day.run_timers().said() == ["granted answer"]
    day.open(replace(policy(version=4), notice=replace(changed.notice, version="3", renew=True)))
    assert day.run_timers().said()[0] == "voided notice"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("INVITED", ["delivered answer", "granted answer"]),
        ("UNDELIVERED", ["delivered answer", "granted answer"]),
        ("DELIVERED", ["granted answer"]),
        ("DECLINED", ["granted answer"]),
        ("EXPIRED", ["granted late", *lifted("granted")]),
    ],
)
def test_a_grant_to_a_notice_that_a_renewing_one_replaced_is_void_at_once(
    state: str, said: list[str]
) -> None:
    day = taken_up(STATES[state](), ("2", True), ("3", False))
    assert day.said() == []
    day.answer("granted", notice_version="1")
    assert day.said() == [*said, "voided notice"]
    life = day.account().live
    assert (life.state.name, life.cool_down_until) == ("NONE", None)
    assert day.run_timers().said() == ["issued over_line"]


def test_a_grant_to_the_renewing_notice_stands() -> None:
    day = taken_up(delivered(), ("2", True)).answer("granted", notice_version="2").run_timers()
    assert day.said() == ["granted answer"]


def test_a_later_grant_of_a_newer_notice_is_a_consent_to_that() -> None:
    day = taken_up(granted(), ("2", False))
    day.answer("granted", notice_version="2", at=START + HOUR + 2 * MINUTE)
    assert (day.said(), ignored(day)) == ([], "recorded"), "not later than the grant in force"
    assert day.answer("granted", notice_version="2").said() == ["granted answer"]
    assert day.events[-1]["notice_version"] == "2"
    assert day.wait(MINUTE).answer("granted", notice_version="1").said() == []
    assert day.answer("granted").said() == []
    assert not is_unclear(day)


# ---- receipts ------------------------------------------------------------------------------------


def test_a_receipt_naming_another_invitation_is_ignored() -> None:
    day = invited().receipt(cycle=7)
    assert (day.said(), ignored(day)) == ([], "other_cycle")


def test_a_receipt_alike_in_every_field_counts_once() -> None:
    day = invited().wait(HOUR)
    at = day.now - MINUTE
    day.receipt("failed", at=at, failure="blocked").receipt("failed", at=at, failure="blocked")
    assert (day.said(), ignored(day)) == (["undeliverable blocked"], "duplicate")
    day.receipt("failed", at=at, failure="invalid")
    assert ignored(day) == "recorded", "another failure is another receipt"


def test_100_receipts_of_a_cycle_are_remembered() -> None:
    day = delivered().wait(HOUR)
    for number in range(120):
        day.receipt(at=START + HOUR + 2 * MINUTE + number)
    cycle = day.account().live.cycle
    assert cycle is not None
    assert count(cycle.receipts, 16) == 100
    day.receipt(at=START + HOUR + 2 * MINUTE + 119)
    assert ignored(day) == "duplicate"


# ---- what an unclear word does -------------------------------------------------------------------

UNCLEAR: dict[str, Callable[[Day], Day]] = {
    "a refused answer": lambda day: unreadable(day, "consent-answers"),
    "a refused change": lambda day: unreadable(day, "account-changes"),
    "a refused control": lambda day: unreadable(day, "controls"),
    "an unknown notice": lambda day: day.answer("granted", notice_version="9"),
    "another cycle": lambda day: day.answer("granted", invitation_id="x"),
}


@pytest.mark.parametrize("word", UNCLEAR)
def test_it_defers_everything_adverse_and_stops_the_clock(word: str) -> None:
    day = delivered().wait(HOUR)
    UNCLEAR[word](day).wait(10 * DAY)
    assert day.said() == []
    assert day.partition.counts["deferred", PLATFORM, "invitation.expired", "unclear_answer"] == 1
    day.control("settle").run_timers()
    assert day.said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 10 * DAY)


@pytest.mark.parametrize("word", UNCLEAR)
def test_a_refusal_while_it_stops_the_clock_is_in_time(word: str) -> None:
    """Also the one that ends it."""
    on = replace(policy().consequence, on=frozenset({"declined"}))
    day = UNCLEAR[word](delivered(policy(consequence=on)).wait(HOUR)).wait(10 * DAY)
    day.answer("declined").wait(MINUTE).control("settle").wait(20 * DAY)
    assert day.said()[:5] == [
        "declined answer",
        "extended pause",
        "expired declined",
        "applied recommend-feed declined",
        "applied tips declined",
    ]


@pytest.mark.parametrize("word", UNCLEAR)
def test_it_defers_the_review_of_a_restriction(word: str) -> None:
    day = UNCLEAR[word](expired()).wait(6 * DAY)
    assert day.said() == []
    assert "unclear_answer" in (day.account().deferred or "")
    renewed = ["renewed recommend-feed review", "renewed tips review"]
    assert day.control("settle").run_timers().said() == renewed


def test_the_clock_stops_from_the_time_that_the_word_states() -> None:
    day = delivered().wait(10 * HOUR)
    day.answer("granted", notice_version="9", at=day.now - 2 * HOUR).wait(HOUR).control("settle")
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 3 * HOUR)


def test_what_is_favourable_flows() -> None:
    day = unreadable(expired(), "controls").change("exempted")
    assert day.said() == ["cancelled exempted", *lifted("exempted")]


def test_it_is_counted_and_apart_where_a_consent_is_in_force() -> None:
    day = unreadable(granted(), "consent-answers")
    assert day.partition.counts["unclear", PLATFORM, "consent-answers", "yes"] == 1
    day = delivered().answer("granted", notice_version="9")
    assert day.partition.counts["unclear", PLATFORM, "consent-answers", "no"] == 1
    assert ignored(day) == "unclear"


@pytest.mark.parametrize("state", ["NONE", "INVITED"])
def test_a_refused_answer_is_unclear_only_while_there_is_something_to_answer(state: str) -> None:
    day = unreadable(STATES[state](), "consent-answers")
    assert is_unclear(day) is (state == "INVITED")


@pytest.mark.parametrize("topic", ["account-changes", "controls"])
def test_a_refused_change_or_control_is_unclear_also_of_an_account_that_is_not_tracked(
    topic: str,
) -> None:
    day = unreadable(Day(), topic)
    assert is_unclear(day)
    day.label("财经").reads(1500).wait(DAY)
    assert day.said() == []
    day.control("settle").run_timers()
    assert day.said() == ["issued over_line"]
    unreadable(day, "consent-answers", "nobody")
    assert f"{PLATFORM}:nobody".encode() not in day.tables.state["accounts"]


def test_of_each_kind_the_first_and_the_newest_are_kept() -> None:
    day = delivered()
    for _ in range(50):
        unreadable(day.wait(MINUTE), "controls")
    kept = day.account().heard
    assert kept is not None
    assert kept.unclear["controls"].since == START + HOUR + 2 * MINUTE
    assert kept.unclear["controls"].newest == day.now
    assert list(kept.unclear) == ["controls"]


# ---- how it ends ---------------------------------------------------------------------------------


def test_an_unclear_answer_ends_with_its_cycle_or_consent() -> None:
    day = unreadable(delivered(), "consent-answers").wait(HOUR).change("owner_changed")
    assert not is_unclear(day)
    assert day.wait(10 * DAY).said() == ["cancelled owner_changed", "issued over_line"]
    day = unreadable(granted(), "consent-answers").wait(HOUR).answer("withdrawn")
    assert not is_unclear(day)


@pytest.mark.parametrize("word", ["granted", "declined"])
def test_or_by_a_grant_or_refusal_that_is_applied_and_entered_later(word: str) -> None:
    day = unreadable(delivered(), "consent-answers").wait(HOUR).answer(word)
    assert not is_unclear(day)
    deadline = day.account().live.cycle.deadline_at  # type: ignore[union-attr]
    assert deadline == START + DEADLINE + (HOUR if word == "declined" else 0)


def test_one_that_entered_with_it_is_the_later_in_the_log() -> None:
    assert not is_unclear(unreadable(delivered(), "consent-answers").answer("declined"))


def test_but_not_by_one_that_is_older_than_what_the_unclear_one_states() -> None:
    day = delivered().wait(HOUR).answer("granted", notice_version="9", at=START + 2 * HOUR)
    day.wait(MINUTE).answer("declined", at=START + 2 * HOUR - 1)
    assert (day.said(), is_unclear(day)) == (["declined answer"], True)
    day.answer("declined", at=START + 2 * HOUR)
    assert not is_unclear(day)


def test_and_not_by_a_withdrawal_of_an_open_cycle() -> None:
    assert is_unclear(unreadable(delivered(), "consent-answers").wait(MINUTE).answer("withdrawn"))


def test_what_a_later_answer_would_have_ended_opens_nothing() -> None:
    day = delivered().wait(HOUR).answer("declined")
    key = f"{PLATFORM}:{ACCOUNT}".encode()
    day.partition._hearing.refused(day.tables, day.now, "consent-answers", key, day.now - 1, 7)
    assert not is_unclear(day)
    unreadable(day, "consent-answers")
    assert is_unclear(day)


@pytest.mark.parametrize(
    ("topic", "applied"),
    [
        ("account-changes", lambda day: day.change("exemption_ended")),
        ("controls", lambda day: day.control("unhold")),
    ],
)
def test_a_refused_change_or_control_ends_by_an_applied_one_of_its_topic(topic, applied) -> None:  # type: ignore[no-untyped-def]
    other = "controls" if topic == "account-changes" else "account-changes"
    day = unreadable(unreadable(delivered(), topic), other).wait(WINDOW)
    applied(day)
    kept = day.account().heard
    assert kept is not None
    assert list(kept.unclear) == [other]
    day.answer("declined")
    assert is_unclear(day), "an answer ends only what is unclear of answers"


def test_but_not_by_one_that_counts_for_nothing() -> None:
    day = delivered().control("appeal_opened", appeal_id="a").change("exempted").wait(HOUR)
    day = unreadable(unreadable(day, "controls"), "account-changes")
    day.control("appeal_rejected", appeal_id="b").control("extend")
    day.control("appeal_rejected", appeal_id="a", at=START).change("exemption_ended", at=START)
    kept = day.account().heard
    assert kept is not None
    assert list(kept.unclear) == ["controls", "account-changes"]
