"""Controls and appeals, sentence by sentence.

schemas/CONTRACT.md, "Controls and appeals".
"""

import pytest

from streams.core.model.account import MOST_CONTROLS
from streams.core.model.instants import rfc3339
from streams.core.model.marks import count
from streams.core.rules.controls import MOST_APPEALS
from tests.core.given import DAY, HOUR, MINUTE, PLATFORM, START, Day, policy
from tests.core.states import (
    DEADLINE,
    STATES,
    WINDOW,
    declined,
    delivered,
    expired,
    granted,
    invited,
    lifted,
    undelivered,
    unreadable,
)


def ignored(day: Day) -> str | None:
    """What the last decision says of why its input counted for nothing."""
    decided = [record["ignored"] for record in day.decisions if record["kind"] == "decision"]
    return decided[-1] if decided else None


def deferred(day: Day) -> set[str]:
    """What the adverse events of the account wait for."""
    return {one for _, by in day.account().waiting for one in by}


# ---- controls are remembered ---------------------------------------------------------------------


def test_a_control_alike_in_every_field_counts_once() -> None:
    day = delivered().wait(HOUR)
    at = day.now
    day.control("hold", control_id="x", at=at).wait(HOUR).control("unhold")
    day.control("hold", control_id="x", at=at)
    assert (day.account().hold, ignored(day)) == (None, "duplicate")


@pytest.mark.parametrize(
    "changed", [{"actor": "two"}, {"reason": "incident"}, {"bulk_id": "b"}, {"expires_at": None}]
)
def test_another_content_under_a_known_id_is_applied(changed: dict[str, str | None]) -> None:
    day = delivered().wait(HOUR)
    at, expires_at = day.now, rfc3339(day.now + 9 * DAY)
    day.control("hold", control_id="x", at=at, expires_at=expires_at).wait(HOUR).control("unhold")
    day.control("hold", control_id="x", at=at, **{"expires_at": expires_at, **changed})
    assert day.account().hold is not None
    assert day.partition.counts["control_id_reused", PLATFORM] == 1


def test_the_controls_with_the_latest_time_are_remembered() -> None:
    day = delivered().wait(HOUR)
    day.control("lift", control_id="early", account="b2", at=START + 1)
    day.control("hold", control_id="late", account="b2", at=day.now)
    for number in range(MOST_CONTROLS - 1):
        day.control("settle", control_id=f"s{number}", account="b2", at=START + 2 + number)
    day.control("hold", control_id="late", account="b2", at=day.now)
    assert day.partition.counts["ignored", "controls", "duplicate"] == 1
    day.control("lift", control_id="early", account="b2", at=START + 1)
    assert day.partition.counts["ignored", "controls", "duplicate"] == 1
    kept = day.account("b2").heard
    assert kept is not None
    assert count(kept.controls, 24) == MOST_CONTROLS


# ---- by time -------------------------------------------------------------------------------------


def test_a_rejection_older_than_its_opening_does_nothing() -> None:
    day = delivered().wait(DAY).control("appeal_opened", appeal_id="a")
    day.control("appeal_rejected", appeal_id="a", at=day.now - 1)
    assert ignored(day) == "stale"
    assert deferred(day.wait(3 * DAY)) == {"appeal"}
    day.control("appeal_rejected", appeal_id="a").run_timers()
    assert deferred(day) == set()


def test_a_reissue_older_than_the_last_issue_does_nothing() -> None:
    day = undelivered().control("reissue", at=START + HOUR - 1)
    assert (day.said(), ignored(day)) == ([], "stale")
    assert day.control("reissue").said() == ["issued reissued"]


# ---- reissue and extend wait ---------------------------------------------------------------------


@pytest.mark.parametrize("state", [delivered, expired])
def test_a_reissue_waits_until_the_state_takes_it_and_sends_once(state) -> None:  # type: ignore[no-untyped-def]
    day = state().control("reissue").control("reissue")
    assert (day.said(), ignored(day)) == ([], "waits")
    assert "issued reissued" in day.wait(MINUTE).receipt("failed").said()
    assert day.account().live.state.name == "INVITED"
    assert day.wait(MINUTE).receipt("failed").said() == ["undeliverable other"]


@pytest.mark.parametrize("word", ["declined", "withdrawn"])
def test_a_reissue_waits_no_longer_once_an_answer_is_applied(word: str) -> None:
    day = delivered().control("reissue").wait(MINUTE).answer(word)
    cycle = day.account().live.cycle
    assert cycle is not None
    assert not cycle.reissue_wanted


@pytest.mark.parametrize("state", [invited, undelivered])
def test_before_a_delivery_extend_sets_what_no_deadline_will_be_before(state) -> None:  # type: ignore[no-untyped-def]
    day = state().control("extend", until="2024-01-20T00:00:00Z").wait(MINUTE)
    assert day.said() == []
    day.receipt()
    assert day.events[-1]["deadline_at"] == "2024-01-20T00:00:00.000Z"
    day.wait(MINUTE).receipt("failed").wait(MINUTE).receipt()
    assert day.events[-1]["deadline_at"] == "2024-01-20T00:00:00.000Z"


def test_an_extend_read_with_the_receipt_after_it_is_not_lost() -> None:
    day = invited().control("extend", until="2024-01-20T00:00:00Z").answer("declined")
    assert day.events[-2]["deadline_at"] == "2024-01-20T00:00:00.000Z"


def test_after_the_expiry_extend_waits_for_another_delivery() -> None:
    day = expired().control("extend", until="2024-01-20T00:00:00Z")
    assert (day.said(), ignored(day)) == ([], "waits")
    day.wait(MINUTE).receipt("failed").wait(MINUTE).receipt()
    assert day.events[-1]["deadline_at"] == "2024-01-20T00:00:00.000Z"


def test_an_extend_waits_no_longer_once_an_answer_is_applied() -> None:
    day = expired().control("extend", until="2024-01-20T00:00:00Z").answer("withdrawn")
    day.wait(MINUTE).receipt("failed").wait(MINUTE).receipt()
    assert day.events[-1]["deadline_at"] == rfc3339(day.now + WINDOW)


# ---- appeals -------------------------------------------------------------------------------------


def test_a_verdict_ends_the_appeal_of_its_id_and_no_other() -> None:
    day = delivered().control("appeal_opened", appeal_id="a").control("appeal_opened")
    day.control("appeal_rejected", appeal_id="b")
    assert ignored(day) == "other_appeal"
    day.control("appeal_rejected", appeal_id="a")
    assert deferred(day.wait(4 * DAY)) == {"appeal"}, "that without an id is open"
    day.control("appeal_rejected").run_timers()
    assert deferred(day) == set()


def test_the_pause_of_each_appeal_counts_for_the_clock() -> None:
    day = delivered().wait(HOUR).control("appeal_opened", appeal_id="a").wait(HOUR)
    day.control("appeal_opened", appeal_id="b").wait(HOUR)
    day.control("appeal_rejected", appeal_id="a").wait(HOUR)
    day.control("appeal_rejected", appeal_id="b")
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 3 * HOUR)


@pytest.mark.parametrize("state", STATES)
def test_an_upheld_appeal_takes_effect_whatever_is_open(state: str) -> None:
    day = STATES[state]().control("appeal_upheld", appeal_id="never-opened")
    freed = lifted("appeal") if state == "EXPIRED" else ["cancelled appeal"]
    assert day.said() == ([] if state in ("NONE", "GRANTED") else freed)
    heard = day.account().heard
    assert heard is not None
    assert heard.upheld_at == day.now


def upheld() -> Day:
    """An appeal was upheld, and the cool-down is over."""
    day = delivered().control("appeal_upheld").wait(30 * DAY)
    assert day.said() == ["cancelled appeal"]
    return day


def test_after_an_upheld_appeal_no_new_cycle_begins() -> None:
    assert deferred(upheld()) == {"appeal_upheld"}


@pytest.mark.parametrize("reason", ["test", "owner_request"])
def test_an_unhold_for_another_reason_does_not_end_the_mark(reason: str) -> None:
    day = upheld().control("unhold", reason=reason)
    assert day.run_timers().said() == []


def test_an_unhold_for_reason_appeal_that_is_later_ends_the_mark_and_no_hold() -> None:
    day = upheld().control("hold").control("unhold", reason="appeal", at=START + 2 * HOUR)
    assert day.account().hold is not None
    assert deferred(day.run_timers()) == {"hold"}
    day.control("unhold").run_timers()
    assert day.said() == ["issued over_line"]


def test_an_unhold_for_reason_appeal_that_is_earlier_ends_nothing() -> None:
    day = delivered().control("appeal_upheld")
    day.control("unhold", reason="appeal", at=day.now - 1).wait(30 * DAY)
    assert day.said() == ["cancelled appeal"]
    day.control("unhold", reason="appeal").run_timers()
    assert day.said() == ["issued over_line"]


@pytest.mark.parametrize("last", ["appeal_upheld", "unhold"])
def test_of_one_instant_the_later_in_the_log_sets_or_ends_the_mark(last: str) -> None:
    day = delivered()
    for command in {"unhold": ["appeal_upheld", "unhold"]}.get(last, ["unhold", "appeal_upheld"]):
        day.control(command, reason="appeal")
    day.wait(30 * DAY)
    assert ("issued over_line" in day.said()) is (last == "unhold")


def test_a_later_owner_ends_the_mark() -> None:
    assert upheld().change("owner_changed").wait(HOUR).said() == ["issued over_line"]


def test_a_later_word_that_is_read_first_ends_the_mark_too() -> None:
    day = delivered().wait(HOUR).change("owner_changed").wait(11 * DAY)
    assert day.said() == ["cancelled owner_changed", "issued over_line"]
    day.control("appeal_upheld", at=START + 90 * MINUTE).wait(11 * DAY)
    assert day.said() == ["cancelled appeal", "issued over_line"]


def test_another_owner_ends_appeals_opened_before() -> None:
    day = invited().control("appeal_opened", appeal_id="old").wait(HOUR)
    day.control("appeal_opened", appeal_id="new").change("owner_changed", at=day.now)
    heard = day.account().heard
    assert heard is not None
    assert list(heard.appeals) == ["new"]


def test_16_appeals_are_open_and_a_further_one_is_an_unclear_word_that_only_settle_ends() -> None:
    day = delivered()
    for number in range(MOST_APPEALS):
        day.control("appeal_opened", appeal_id=f"a{number}")
    day.wait(MINUTE).control("appeal_opened", appeal_id="one-more")
    assert ignored(day) == "unclear"
    day.control("appeal_opened", appeal_id="a0")
    assert ignored(day) == "recorded", "one that is known is not one more"
    for number in range(MOST_APPEALS):
        day.control("appeal_rejected", appeal_id=f"a{number}")
    day.control("appeal_rejected", appeal_id="one-more").wait(5 * DAY)
    assert deferred(day) == {"unclear_answer"}
    day.control("settle", at=START + HOUR).run_timers()
    assert deferred(day) == {"unclear_answer"}, "a settle that is older ends nothing"
    day.control("settle").run_timers()
    assert deferred(day) == set()


# ---- settle --------------------------------------------------------------------------------------


def test_settle_ends_unclear_words_not_later_than_it_and_nothing_else() -> None:
    day = delivered().control("hold").control("appeal_opened").wait(HOUR)
    for topic in ("consent-answers", "account-changes", "controls"):
        unreadable(day, topic)
    day.wait(MINUTE).control("settle", at=day.now - MINUTE - 1)
    assert "unclear_answer" in deferred(day.wait(4 * DAY))
    day.control("settle").run_timers()
    assert deferred(day) == {"hold", "appeal"}


def test_a_settle_that_is_older_clears_up_no_unreadable_control_either() -> None:
    day = unreadable(delivered(), "controls").wait(HOUR)
    day.control("settle", at=day.now - 2 * HOUR).wait(4 * DAY)
    assert deferred(day) == {"unclear_answer"}


def test_verdicts_end_appeals_only_and_unhold_holds_only() -> None:
    day = declined().control("hold").control("appeal_opened").control("unhold")
    assert deferred(day.wait(WINDOW)) == {"appeal"}
    day.control("hold").control("appeal_rejected").run_timers()
    assert deferred(day) == {"hold"}


def test_a_mark_defers_issued_alone() -> None:
    day = granted().control("appeal_upheld").wait(HOUR)
    assert day.said() == []
    assert day.answer("withdrawn").wait(30 * DAY).said() == ["withdrawn answer"]
    shadow = Day(policy()).label("财经").reads(1500).control("appeal_upheld").wait(DAY)
    assert shadow.said() == []
