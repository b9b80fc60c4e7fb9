"""Inputs: twice, late, refused; approvals, guards, and what is kept for good."""

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.enums import Mode
from streams.core.model.account import decode_account
from streams.core.model.ids import pseudonym
from streams.core.model.instants import rfc3339
from streams.core.model.ports import ACCOUNTS, CATEGORIES
from streams.stop_worker import StopWorker
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, START, Day, policy
from tests.core.states import (
    ISSUED,
    STATES,
    begun,
    delivered,
    expired,
    granted,
    invited,
    lifted,
    undelivered,
)

KEY = f"{PLATFORM}:{ACCOUNT}".encode()


# ---- twice -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda day: day.receipt(at=START + HOUR),
        lambda day: day.receipt("failed", at=START + HOUR + MINUTE),
        lambda day: day.answer("granted", at=START + HOUR + MINUTE),
        lambda day: day.answer("declined", at=START + HOUR + MINUTE),
        lambda day: day.answer("withdrawn", at=START + HOUR + MINUTE),
        lambda day: day.reads(1500, at=START + HOUR),
        lambda day: day.reads(10, at=START + HOUR),
        lambda day: day.label("财经", at=START + HOUR),
        lambda day: day.label(None),
        lambda day: day.change("exempted", at=START + HOUR),
        lambda day: day.change("closed", at=START + HOUR),
        lambda day: day.change("owner_changed", at=START + HOUR),
        lambda day: day.control("lift", control_id="x"),
        lambda day: day.control("extend", control_id="x", until=rfc3339(START + 9 * DAY)),
        lambda day: day.switch("adverse_off", True, at=START + HOUR),
    ],
)
@pytest.mark.parametrize("state", STATES)
def test_an_input_delivered_twice_adds_nothing(state: str, act: Any) -> None:
    day = STATES[state]().wait(MINUTE)
    act(day).run_timers()
    day.said()
    act(act(day)).run_timers()
    assert day.said() == []


def test_another_content_under_a_known_control_id_is_applied_and_counted() -> None:
    day = delivered().control("hold", control_id="x").wait(DAY)
    day.control("unhold", control_id="x")
    assert day.account().hold is None
    assert day.partition.counts["control_id_reused", PLATFORM] == 1


def test_a_whole_life_sent_again_adds_nothing() -> None:
    day = begun()

    def told(day: Day) -> Day:
        day.label("财经", at=START).reads(1500, at=START)
        day.receipt(at=START + 2 * HOUR).answer("declined", at=START + 3 * HOUR)
        return day.answer("granted", at=START + 4 * HOUR)

    told(day.wait(5 * HOUR))
    assert day.said()[-1] == "granted answer"
    assert told(day).run_timers().said() == []
    day.answer("withdrawn").wait(MINUTE)
    assert day.said() == ["withdrawn answer"]
    assert told(day).run_timers().said() == []


def test_receipts_told_again_do_not_deliver_a_notice_that_bounced() -> None:
    day = invited().wait(HOUR)

    def told(at: int) -> list[str]:
        day.receipt(at=at + 1).receipt(at=at + 2).receipt("failed", at=at + 3, failure="blocked")
        return day.said()

    at = day.now - MINUTE
    assert told(at) == ["delivered receipt", "undeliverable blocked"]
    day.wait(HOUR)
    assert told(at) == []
    assert day.wait(5 * DAY).said() == []


def test_a_refusal_that_was_recorded_only_does_not_refuse_the_next_invitation() -> None:
    day = expired()
    said_at = day.now
    day.answer("declined").wait(31 * DAY)
    assert day.said()[-1] == ISSUED
    assert day.answer("declined", at=said_at).wait(5 * DAY).said() == []


def test_nobody_answers_an_invitation_before_it_is_issued() -> None:
    day = granted().wait(HOUR)
    said_at = day.now
    day.change("owner_changed").wait(10 * DAY)
    assert day.said() == ["voided owner_changed", ISSUED]
    assert day.answer("granted", at=said_at).answer("declined", at=said_at).said() == []
    assert day.answer("granted", at=day.now - 6 * MINUTE).said() == [], "another person's word"
    assert day.answer("granted").said() == ["delivered answer", "granted answer"]


def test_an_answer_a_little_before_the_issue_is_another_clocks() -> None:
    day = invited()
    assert day.answer("declined", at=day.now - 4 * MINUTE).said()[-1] == "declined answer"


def test_the_newest_word_counts_also_when_it_changed_nothing() -> None:
    day = delivered().wait(HOUR)
    day.answer("declined", at=day.now - 2).answer("declined", at=day.now)
    assert day.answer("granted", at=day.now).said() == ["declined answer", "granted answer"]
    day = delivered().wait(HOUR)
    day.answer("declined", at=day.now - 2).answer("declined", at=day.now)
    assert day.answer("granted", at=day.now - 1).said() == ["declined answer", "withdrawn answer"]


def test_of_one_instant_a_withdrawal_wins_over_a_grant() -> None:
    day = delivered().wait(HOUR)
    at = day.now
    assert day.answer("granted", at=at).answer("withdrawn", at=at).said() == [
        "granted answer",
        "withdrawn answer",
    ]
    day = delivered().wait(HOUR)
    assert day.answer("withdrawn", at=at).answer("granted", at=at).said() == ["withdrawn answer"]
    assert day.account().live.state.name == "NONE"


def test_two_words_of_one_instant_told_again_add_nothing() -> None:
    day = delivered().wait(HOUR)
    at = day.now
    day.answer("declined", at=at).answer("granted", at=at)
    assert day.said() == ["declined answer", "granted answer"]
    assert day.answer("declined", at=at).answer("granted", at=at).said() == []


# ---- late --------------------------------------------------------------------------------------


def test_an_older_reading_or_label_is_stale() -> None:
    day = invited().wait(DAY).reads(1500).reads(10, at=START + HOUR)
    assert day.account().followers == 1500
    day.label("财经").label("日常生活", at=START + HOUR)
    assert day.wait(8 * DAY).said() == []
    assert day.partition.counts["stale", "follower-counts", PLATFORM] == 1
    assert day.partition.counts["stale", "category-changes", PLATFORM] == 1


def test_one_of_the_same_instant_is_not_stale() -> None:
    assert invited().reads(1500).reads(10).account().followers == 10


def test_an_older_label_after_a_tombstone_is_stale() -> None:
    day = Day().label("财经").label(None).label("财经", at=START - 1).reads(1500)
    assert day.wait(DAY).said() == []


@pytest.mark.parametrize("word", ["declined", "withdrawn"])
def test_a_word_that_protects_is_stale_only_when_more_than_the_skew_older(word: str) -> None:
    day = delivered().wait(DAY).answer("granted")
    assert day.answer(word, at=day.now - 5 * MINUTE - 1).said() == ["granted answer"]
    assert day.decisions[-2]["ignored"] == "stale"
    assert day.answer(word, at=day.now - 5 * MINUTE).said() == ["withdrawn answer"]


@pytest.mark.parametrize("state", ["INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED"])
def test_an_older_grant_does_not_undo_a_withdrawal_but_ends_the_cycle(state: str) -> None:
    day = STATES[state]().wait(HOUR)
    day.answer("withdrawn").wait(MINUTE).answer("granted", at=day.now - MINUTE - 1)
    freed = lifted("granted") if state == "EXPIRED" else []
    assert day.said() == [*freed, "withdrawn answer"]
    assert day.events[-1]["answered_at"] == rfc3339(day.now - MINUTE)
    life = day.account().live
    assert (life.state.name, life.cycle, life.cool_down_until) == ("NONE", None, day.now + 10 * DAY)


def test_a_withdrawal_between_two_cycles_outlives_the_next_invitation() -> None:
    day = granted().wait(DAY).answer("withdrawn").wait(HOUR).answer("withdrawn")
    told_at = day.now
    day.wait(40 * DAY)
    assert day.said()[-1] == "issued over_line"
    assert day.answer("granted", at=told_at - 1).said() == []


def test_a_tombstone_of_a_reading_is_ignored() -> None:
    day = invited().put("follower-counts", f"{PLATFORM}:{ACCOUNT}", None)
    assert day.account().followers == 1500
    assert day.dead_letters == []


# ---- what is kept for good ---------------------------------------------------------------------


def test_a_closed_account_leaves_remains_under_a_digest_and_nothing_under_its_name() -> None:
    day = granted().control("hold").change("exempted").change("closed")
    assert all(ACCOUNT.encode() not in key for key in day.tables.state[ACCOUNTS])
    assert KEY not in day.tables.state[CATEGORIES]
    kept = decode_account(day.tables.state[ACCOUNTS][pseudonym(KEY)])
    assert kept.followers is None
    assert kept.label is not None
    assert (kept.label.text, kept.label.removed) == (None, True), "its time alone"
    assert (kept.live.cycle_number, kept.live.sequence, kept.exempt) == (1, 4, True)
    assert kept.hold is not None
    assert kept.live.cycle is None


def test_numbers_go_on_after_reopening() -> None:
    day = invited().change("closed").wait(10 * DAY).change("reopened").label("财经").reads(1500)
    assert day.wait(HOUR).said() == ["cancelled closed", ISSUED]
    assert (day.events[-1]["cycle"], day.events[-1]["sequence"]) == (2, 3)
    assert pseudonym(KEY) not in day.tables.state[ACCOUNTS]


def test_exemption_and_holds_outlive_closing() -> None:
    day = Day().change("exempted").control("hold").change("closed").wait(1).change("reopened")
    day.label("财经").reads(1500)
    assert day.wait(10 * DAY).said() == []
    assert day.change("exemption_ended").wait(10 * DAY).said() == []
    assert day.control("unhold").run_timers().said() == [ISSUED]


def test_while_closed_readings_labels_and_answers_leave_nothing() -> None:
    day = granted().change("closed")
    day.said()
    day.reads(1500).label("财经").answer("granted").receipt().wait(100 * DAY)
    assert day.said() == []
    assert KEY not in day.tables.state[ACCOUNTS]
    assert KEY not in day.tables.state[CATEGORIES]


# ---- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["unhold", "reissue", "settle", "appeal_rejected"])
def test_bulk_controls_that_protect_nobody_need_a_second_person_where_approvals_are_required(
    command: str,
) -> None:
    day = delivered(require_approvals=True)
    for more in ({}, {"approved_by": "op"}, {"approved_by": "OP"}):
        day.control(command, bulk_id="b1", **more)
    assert [letter["reason"] for letter in day.dead_letters] == ["not_approved"] * 3
    day.control(command, bulk_id="b1", approved_by="two").control(command)
    assert len(day.dead_letters) == 3
    assert delivered().control(command, bulk_id="b1").dead_letters == []


def test_a_bulk_of_controls_that_protects_needs_no_second_person() -> None:
    day = delivered(require_approvals=True)
    for command in ("hold", "lift", "extend", "appeal_opened", "appeal_upheld"):
        day.control(command, bulk_id="b1")
    assert day.dead_letters == []
    assert "cancelled operator" in day.said()


def test_only_the_owner_of_partition_0_writes_a_refused_switch() -> None:
    for partition, letters in ((0, 1), (1, 0)):
        day = Day(partition=partition, partition_count=2)
        day.put("switches", "*:adverse_off", b"{}")
        assert len(day.dead_letters) == letters


def test_an_offset_applied_twice_is_a_bug_that_stops_the_worker() -> None:
    day = invited()
    day._offsets["consent-answers"] = 5
    day.answer("granted")
    day._offsets["consent-answers"] = 5
    with pytest.raises(StopWorker) as stopped:
        day.answer("withdrawn")
    assert stopped.value.exit_code == 70


# ---- the log -----------------------------------------------------------------------------------


def test_every_transition_event_and_ignored_input_is_in_the_log() -> None:
    day = expired().answer("granted").answer("granted", at=day_after(3)).wait(DAY)
    logged = [event for record in day.decisions for event in record.get("events", [])]
    assert [event["event_id"] for event in logged] == [event["event_id"] for event in day.events]
    assert any(record.get("ignored") for record in day.decisions)


def day_after(days: int) -> int:
    """An instant."""
    return START + days * DAY


def test_a_number_never_leaves_in_a_statement_but_as_a_band() -> None:
    day = expired()
    statements = [json.dumps(event["statement"]) for event in day.events if "statement" in event]
    assert statements
    assert all("1500" not in statement for statement in statements)


def test_nothing_is_lifted_that_was_not_applied() -> None:
    for state in (undelivered, delivered, granted):
        assert not any("lifted" in words for words in state().change("closed").said())
    assert expired().change("closed").said() == ["cancelled closed", *lifted("closed")]


def test_lives_of_two_accounts_are_islands() -> None:
    day = granted().label("财经", "b2").reads(1500, "b2").wait(HOUR)
    assert day.said() == [ISSUED]
    day.change("closed", "b2")
    assert day.account().live.state.name == "GRANTED"
    assert replace(policy(), mode=Mode.SHADOW).mode is Mode.SHADOW


# ---- bad luck ----------------------------------------------------------------------------------


def test_a_platform_whose_file_is_gone_is_refused_not_died_of() -> None:
    day = Day(policy(), replace(policy(), platform="zhihu"))
    value = {"platform": "zhihu", "account_id": "z1", "followers": 1500}
    day.put("follower-counts", "zhihu:z1", {**value, "observed_at": rfc3339(day.now)})
    day.open(policy())
    day.put("follower-counts", "zhihu:z1", {**value, "observed_at": rfc3339(day.now)})
    assert [letter["reason"] for letter in day.dead_letters] == ["unknown_platform"]
