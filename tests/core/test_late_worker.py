"""A late or sleeping worker never does worse for a person than a punctual one.

Each named case of issue 12, part 1: the same records, read as they came in or all together later.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy
from tests.core.sleeping import (
    REFUSAL_ALONE,
    Happened,
    backwards,
    freed,
    late,
    one_by_one,
    punctual,
    reading,
    receipt,
    restricted,
)
from tests.core.states import DEADLINE, WINDOW, delivered, expired, invited, undelivered


def _leave_end() -> tuple[Happened, int]:
    at = expired().now
    happened: Happened = [
        (at + HOUR, "follower-counts", reading(10)),
        (at + 8 * DAY, "follower-counts", reading(1500)),
    ]
    return happened, at + 9 * DAY


def _label_end() -> tuple[Happened, int]:
    at = expired().now
    ends = {"category": "财经", "valid_until": rfc3339(at + DAY)}
    happened: Happened = [
        (at + HOUR, "category-changes", ends),
        (at + 2 * DAY, "category-changes", {"category": "财经"}),
    ]
    return happened, at + 3 * DAY


def _failed_then_reissue() -> tuple[Happened, int]:
    at = invited().now
    happened: Happened = [
        (at + HOUR, "notice-receipts", receipt("failed")),
        (at + 2 * HOUR, "controls", {"command": "reissue"}),
    ]
    return happened, at + 3 * HOUR


def _extend_with_receipt() -> tuple[Happened, int]:
    at = invited().now
    happened: Happened = [
        (at + HOUR, "notice-receipts", receipt("delivered")),
        (at + 2 * HOUR, "controls", {"command": "extend", "until": rfc3339(at + 20 * DAY)}),
    ]
    return happened, at + 10 * DAY


def _extend_before_receipt() -> tuple[Happened, int]:
    at = invited().now
    happened: Happened = [
        (at + HOUR, "controls", {"command": "extend", "until": rfc3339(at + 20 * DAY)}),
        (at + 2 * HOUR, "notice-receipts", receipt("delivered")),
    ]
    return happened, at + 10 * DAY


def _granted_then_owner_changed() -> tuple[Happened, int]:
    at = expired().now
    happened: Happened = [
        (at + HOUR, "consent-answers", {"answer": "granted"}),
        (at + 2 * HOUR, "account-changes", {"change": "owner_changed"}),
    ]
    return happened, at + DAY


CASES: dict[str, tuple[Callable[[], Day], Callable[[], tuple[Happened, int]]]] = {
    "the end of leaving": (expired, _leave_end),
    "the end of a label": (expired, _label_end),
    "failed, then reissue": (invited, _failed_then_reissue),
    "extend with the receipt": (invited, _extend_with_receipt),
    "extend before the receipt": (invited, _extend_before_receipt),
    "granted, then owner_changed": (expired, _granted_then_owner_changed),
}


@pytest.mark.parametrize("case", CASES)
def test_the_late_worker_restricts_nothing_more_and_frees_nothing_less(case: str) -> None:
    begin, of = CASES[case]
    happened, until = of()
    on_time, afterwards = (told(begin(), happened, until) for told in (punctual, late))
    assert restricted(afterwards) <= restricted(on_time)
    assert freed(on_time) <= freed(afterwards)


@pytest.mark.parametrize(
    "case", ["the end of leaving", "the end of a label", "failed, then reissue"]
)
def test_and_says_the_same_in_these_cases(case: str) -> None:
    begin, of = CASES[case]
    happened, until = of()
    assert late(begin(), happened, until) == punctual(begin(), happened, until)


def test_an_extension_read_with_the_receipt_is_not_lost() -> None:
    happened, until = _extend_with_receipt()
    for told in (punctual, late):
        day = invited()
        told(day, happened, until)
        assert day.account().live.cycle.deadline_at == START + HOUR + 20 * DAY


def test_what_was_undelivered_and_given_up_is_freed_all_the_same() -> None:
    day = undelivered()
    day.now += 30 * DAY
    day.entered(START + 2 * HOUR).change("closed", at=START + 2 * HOUR)
    assert day.run_timers().said() == ["cancelled closed"]


@pytest.mark.parametrize("how", [punctual, late], ids=["punctual", "late"])
@pytest.mark.parametrize("on", [{"declined"}, {"no_answer"}, {"declined", "no_answer"}])
def test_a_refusal_that_entered_after_the_deadline_restricts_where_silence_does_too(
    how: Callable[[Day, Happened, int], list[str]], on: set[str]
) -> None:
    """At the deadline a punctual worker has heard nothing: a late one must not know better."""
    consequence = replace(policy().consequence, on=frozenset(on))
    day = delivered(policy(consequence=consequence))
    deadline = day.now + WINDOW
    happened: Happened = [(deadline + MINUTE, "consent-answers", {"answer": "declined"})]
    said = how(day, happened, deadline + HOUR)
    restricted = any(word.startswith("applied") for word in said)
    if how is punctual:
        assert restricted is ("no_answer" in on), said
    else:
        assert restricted is (on == {"declined", "no_answer"}), said


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
@pytest.mark.parametrize("word", ["extend", "hold"])
def test_what_entered_after_the_deadline_makes_no_refusal_of_silence(
    how: Callable[[Day, Happened, int], list[str]], word: str
) -> None:
    """The word moves the deadline of a late worker, and the refusal is before that one."""
    day = delivered(REFUSAL_ALONE)
    deadline = day.now + WINDOW
    words: dict[str, dict[str, Any]] = {
        "extend": {"command": "extend", "until": rfc3339(deadline + 2 * DAY)},
        "hold": {
            "command": "hold",
            "issued_at": rfc3339(deadline - HOUR),
            "expires_at": rfc3339(deadline + DAY),
        },
    }
    happened: Happened = [
        (deadline + MINUTE, "controls", words[word]),
        (deadline + HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert not restricted(how(day, happened, deadline + 4 * DAY))


def test_a_refusal_of_before_its_own_window_restricts_only_where_silence_does_too() -> None:
    """Read before the receipt of the same batch, and dated a window before its entry."""
    day = invited(REFUSAL_ALONE).wait(2 * WINDOW)
    said = day.answer("declined", at=day.now - WINDOW - HOUR).wait(HOUR).said()
    assert not restricted(said)


def test_what_ends_between_a_round_s_instant_and_its_now_lets_nothing_adverse_happen() -> None:
    """A round of a slow worker acts up to an instant that may lie long before its own `now`."""
    deadline = START + DEADLINE
    day = delivered().wait(MINUTE).label("财经", valid_until=rfc3339(deadline + MINUTE))
    day.now = deadline + 2 * MINUTE
    assert day.run_timers(as_of=deadline).said() == [], "decided now it came after the label's end"
    assert day.run_timers(as_of=deadline).said() == []
    assert day.run_timers().said()[-1] == "cancelled label"


def test_what_ends_after_a_round_s_now_holds_nothing_back() -> None:
    deadline = START + DEADLINE
    day = delivered().wait(MINUTE).label("财经", valid_until=rfc3339(deadline + 3 * MINUTE))
    day.now = deadline + 2 * MINUTE
    assert "expired no_answer" in day.run_timers(as_of=deadline).said()


@pytest.mark.parametrize("how", [punctual, late, one_by_one, backwards])
def test_a_refusal_read_before_an_earlier_receipt_makes_no_refusal_of_silence(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """Its owner refused within the window, and it entered after the end of that."""
    day = invited(REFUSAL_ALONE)
    delivered_at = day.now + HOUR
    deadline = delivered_at + WINDOW
    refused = {"answer": "declined", "occurred_at": rfc3339(deadline - HOUR)}
    happened: Happened = [
        (delivered_at, "notice-receipts", receipt("delivered")),
        (deadline + MINUTE, "consent-answers", refused),
    ]
    assert not restricted(how(day, happened, deadline + 2 * WINDOW))


@pytest.mark.parametrize("how", [punctual, late])
def test_a_receipt_that_entered_after_the_refusal_makes_it_no_later(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """It speaks of a delivery before the one that the refusal answers."""
    day = invited(REFUSAL_ALONE)
    early = {**receipt("delivered"), "occurred_at": rfc3339(day.now + HOUR)}
    refused = day.now + WINDOW + 5 * HOUR
    happened: Happened = [
        (day.now + DAY, "notice-receipts", receipt("delivered")),
        (refused, "consent-answers", {"answer": "declined"}),
        (refused + HOUR, "notice-receipts", early),
    ]
    assert restricted(how(day, happened, refused + 2 * WINDOW)) == {"recommend-feed", "tips"}


def test_a_refusal_in_time_read_before_its_receipt_restricts() -> None:
    day = invited(REFUSAL_ALONE)
    happened: Happened = [
        (day.now + HOUR, "notice-receipts", receipt("delivered")),
        (day.now + 2 * HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert restricted(backwards(day, happened, day.now + 3 * WINDOW))


@pytest.mark.parametrize("how", [punctual, one_by_one])
def test_a_second_refusal_that_is_late_for_an_earlier_delivery_makes_the_first_no_later(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """The one in force entered in time; those behind it are recorded only."""
    day = invited(REFUSAL_ALONE)
    first, delivered_at = day.now + 2 * HOUR, day.now + HOUR
    happened: Happened = [
        (first, "consent-answers", {"answer": "declined"}),
        (first + WINDOW + HOUR, "consent-answers", {"answer": "declined"}),
        (delivered_at, "notice-receipts", receipt("delivered")),
    ]
    if how is punctual:
        happened.sort(key=lambda one: one[0])
    assert restricted(how(day, happened, first + 3 * WINDOW)) == {"recommend-feed", "tips"}


@pytest.mark.parametrize("how", [punctual, late])
def test_a_refusal_read_behind_a_later_receipt_belongs_to_its_own_window(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """It proves the delivery at its own time, and entered after the window of that."""
    day = invited(REFUSAL_ALONE)
    entered = day.now + WINDOW + 2 * HOUR
    refused = {"answer": "declined", "occurred_at": rfc3339(day.now + HOUR)}
    happened: Happened = [
        (entered, "consent-answers", refused),
        (entered + MINUTE, "notice-receipts", receipt("delivered")),
    ]
    assert not restricted(how(day, happened, entered + 2 * WINDOW))
