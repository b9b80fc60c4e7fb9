"""A late or sleeping worker never does worse for a person than a punctual one.

Each named case of issue 12, part 1: the same records, read as they came in or all together later.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.enums import Mode
from schemas.inputs import INPUT_MODELS, InputName
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, START, Day, GivenRecord, policy
from tests.core.states import DEADLINE, WINDOW, delivered, expired, invited, undelivered

Happened = list[tuple[int, InputName, dict[str, Any]]]
"""When something entered, in which topic, and what; each states the instant of its entry."""

ORDER: list[InputName] = list(INPUT_MODELS)
CLOCK = {
    "switches": "issued_at",
    "controls": "issued_at",
    "notice-receipts": "occurred_at",
    "consent-answers": "occurred_at",
}
ABOUT = {"platform": PLATFORM, "account_id": ACCOUNT}
INVITATION = invitation_id(PLATFORM, ACCOUNT, Mode.ENFORCE, 1)


def _record(day: Day, entered: int, topic: InputName, more: dict[str, Any]) -> GivenRecord:
    whose = {"scope": PLATFORM} if topic == "switches" else {**ABOUT}
    value: dict[str, Any] = {**whose, **more}
    value.setdefault(CLOCK.get(topic, "observed_at"), rfc3339(entered))
    if topic == "controls":
        value = {"control_id": f"k{entered}", **value}
    if topic in ("controls", "switches"):
        value = {"actor": "op", "reason": "test", **value}
    key = f"{value['scope']}:{value['switch']}" if topic == "switches" else f"{PLATFORM}:{ACCOUNT}"
    offset = day._offsets[topic]
    day._offsets[topic] += 1
    return GivenRecord(offset, entered, key.encode(), msgspec.json.encode(value))


def punctual(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when each record is read at its entry."""
    day.said()
    for entered, topic, more in happened:
        day.wait(entered - day.now)
        record = _record(day, entered, topic, more)
        day.partition.step(day.tables, day.now, [(topic, [record])])
    return day.wait(until - day.now).said()


def late(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and reads them all in one batch."""
    day.said()
    day.now = until
    batches: dict[InputName, list[GivenRecord]] = {topic: [] for topic in ORDER}
    for entered, topic, more in happened:
        batches[topic].append(_record(day, entered, topic, more))
    day.partition.step(day.tables, day.now, list(batches.items()))
    return day.run_timers().said()


def one_by_one(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and reads each by itself before any timer acts."""
    day.said()
    day.now = until
    for entered, topic, more in happened:
        record = _record(day, entered, topic, more)
        day.partition.step(day.tables, day.now, [(topic, [record])])
    return day.run_timers().said()


def backwards(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and what it fetched first is what entered last."""
    return one_by_one(day, happened[::-1], until)


def controls_first(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and fetched controls before all else."""
    return one_by_one(day, sorted(happened, key=lambda one: one[1] != "controls"), until)


def restricted(said: list[str]) -> set[str]:
    """The surfaces that were restricted."""
    return {words.split()[1] for words in said if words.startswith("applied")}


def freed(said: list[str]) -> set[str]:
    """The surfaces that were freed."""
    return {words.split()[1] for words in said if words.startswith("lifted")}


def reading(followers: int) -> dict[str, Any]:
    """A count."""
    return {"followers": followers}


def receipt(outcome: str) -> dict[str, Any]:
    """The notifier's word."""
    return {"invitation_id": INVITATION, "outcome": outcome}


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


def test_a_bounce_read_after_the_deadline_restricts_nobody() -> None:
    day = delivered()
    day.now += WINDOW + DAY
    at = START + HOUR + MINUTE
    day.entered(at + HOUR).receipt("failed", at=at)
    assert "expired no_answer" not in day.run_timers().said()


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
    consequence = replace(policy().consequence, on=frozenset({"declined"}))
    day = delivered(policy(consequence=consequence))
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
    consequence = replace(policy().consequence, on=frozenset({"declined"}))
    day = invited(policy(consequence=consequence)).wait(2 * WINDOW)
    said = day.answer("declined", at=day.now - WINDOW - HOUR).wait(HOUR).said()
    assert not restricted(said)


def test_a_refusal_after_a_bounce_past_the_expiry_is_within_its_own_window() -> None:
    consequence = replace(policy().consequence, on=frozenset({"declined"}))
    day = delivered(policy(consequence=consequence)).wait(WINDOW)
    day.receipt("failed", at=day.now - HOUR).wait(HOUR).answer("declined")
    said = day.wait(WINDOW).said()
    assert restricted(said) == {"recommend-feed", "tips"}, said


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
    consequence = replace(policy().consequence, on=frozenset({"declined"}))
    day = invited(policy(consequence=consequence))
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
    consequence = replace(policy().consequence, on=frozenset({"declined"}))
    day = invited(policy(consequence=consequence))
    early = {**receipt("delivered"), "occurred_at": rfc3339(day.now + HOUR)}
    refused = day.now + WINDOW + 5 * HOUR
    happened: Happened = [
        (day.now + DAY, "notice-receipts", receipt("delivered")),
        (refused, "consent-answers", {"answer": "declined"}),
        (refused + HOUR, "notice-receipts", early),
    ]
    assert restricted(how(day, happened, refused + 2 * WINDOW)) == {"recommend-feed", "tips"}


def test_a_refusal_in_time_read_before_its_receipt_restricts() -> None:
    consequence = replace(policy().consequence, on=frozenset({"declined"}))
    day = invited(policy(consequence=consequence))
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
    day = invited(policy(consequence=replace(policy().consequence, on=frozenset({"declined"}))))
    first, delivered_at = day.now + 2 * HOUR, day.now + HOUR
    happened: Happened = [
        (first, "consent-answers", {"answer": "declined"}),
        (first + WINDOW + HOUR, "consent-answers", {"answer": "declined"}),
        (delivered_at, "notice-receipts", receipt("delivered")),
    ]
    if how is punctual:
        happened.sort(key=lambda one: one[0])
    assert restricted(how(day, happened, first + 3 * WINDOW)) == {"recommend-feed", "tips"}


REFUSAL_ALONE = policy(consequence=replace(policy().consequence, on=frozenset({"declined"})))
"""Silence restricts nobody under it; so what restricts is a refusal."""


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
def test_a_bounce_that_entered_after_the_end_of_an_expired_cycle_does_not_revive_it(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """A refusal behind it would be one to an invitation that was over."""
    day = delivered(REFUSAL_ALONE).wait(WINDOW)
    over = day.now + REFUSAL_ALONE.consequence.expires_after
    refused = {"answer": "declined", "invitation_id": INVITATION}
    happened: Happened = [
        (over + HOUR, "notice-receipts", receipt("failed")),
        (over + 2 * HOUR, "consent-answers", refused),
    ]
    said = how(day, happened, over + 2 * HOUR + 2 * WINDOW)
    assert not restricted(said)
    assert "undeliverable other" not in said


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
def test_nor_does_it_before_the_expiry_was_decided(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """A worker sleeps over the whole cycle (history 980,734 of late, seed 1)."""
    day = delivered(REFUSAL_ALONE)
    over = START + DEADLINE + REFUSAL_ALONE.consequence.expires_after
    bounce: Happened = [(over + HOUR, "notice-receipts", receipt("failed"))]
    said = how(day, bounce, over + 2 * HOUR)
    said += day.answer("declined", invitation_id=INVITATION).wait(2 * WINDOW).said()
    assert not restricted(said)
    assert "undeliverable other" not in said


def test_nor_does_it_where_the_expiry_was_decided_late() -> None:
    """The worker's own end of the cycle lies later by as much."""
    day = delivered(REFUSAL_ALONE)
    over = START + DEADLINE + REFUSAL_ALONE.consequence.expires_after
    day.now = over - HOUR
    assert day.run_timers().said()[-1] == "expired no_answer"
    said = punctual(day, [(over + HOUR, "notice-receipts", receipt("failed"))], over + 2 * HOUR)
    said += day.answer("declined", invitation_id=INVITATION).wait(2 * WINDOW).said()
    assert not restricted(said)
    assert "undeliverable other" not in said


def test_a_bounce_counts_where_a_stricter_policy_may_come_before_the_expiry() -> None:
    """Silence restricts nothing for now, and a switch holds the expiry back."""
    first = policy()
    day = delivered(first)
    day.open(replace(first, version=2, consequence=replace(first.consequence, surfaces={})))
    day.switch("throttles_off", True).wait(first.consequence.expires_after + 2 * WINDOW)
    day.receipt("failed", at=day.now - HOUR)
    day.open(replace(first, version=3))
    said = day.switch("throttles_off", False).wait(2 * WINDOW).said()
    assert not restricted(said), said


@pytest.mark.parametrize(
    ("on", "early"), [({"declined"}, HOUR), ({"declined", "no_answer"}, -HOUR)]
)
def test_a_bounce_before_that_end_or_where_silence_restricts_counts_for_a_late_worker(
    on: set[str], early: int
) -> None:
    day = delivered(policy(consequence=replace(policy().consequence, on=frozenset(on))))
    over = START + DEADLINE + policy().consequence.expires_after
    said = late(day, [(over - early, "notice-receipts", receipt("failed"))], over + 2 * HOUR)
    assert "undeliverable other" in said
    assert not restricted(said)


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
def test_a_refusal_after_a_bounce_in_time_is_within_its_own_window(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """No deadline runs while the notice has not arrived: none can have passed."""
    day = delivered(REFUSAL_ALONE)
    deadline = START + DEADLINE
    happened: Happened = [
        (deadline - HOUR, "notice-receipts", receipt("failed")),
        (deadline + HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert restricted(how(day, happened, deadline + 2 * WINDOW)) == {"recommend-feed", "tips"}


@pytest.mark.parametrize("how", [punctual, late])
def test_a_refusal_read_behind_a_later_bounce_belongs_to_the_window_that_it_ended(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """The invitation had expired in silence; receipts are read before answers."""
    day = delivered(REFUSAL_ALONE).wait(WINDOW + MINUTE)
    happened: Happened = [
        (day.now + HOUR, "consent-answers", {"answer": "declined"}),
        (day.now + 2 * HOUR, "notice-receipts", receipt("failed")),
        (day.now + 3 * HOUR, "notice-receipts", receipt("delivered")),
    ]
    assert not restricted(how(day, happened, day.now + 2 * WINDOW))


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


TO_ANOTHER = {"answer": "declined", "invitation_id": "x"}
"""An unclear word."""
STOPS: dict[str, tuple[InputName, dict[str, Any], dict[str, Any]]] = {
    "settle": ("consent-answers", TO_ANOTHER, {"command": "settle"}),
    "unhold": ("controls", {"command": "hold"}, {"command": "unhold"}),
    "verdict": ("controls", {"command": "appeal_opened"}, {"command": "appeal_rejected"}),
}


@pytest.mark.parametrize("how", [punctual, late, one_by_one, backwards, controls_first])
@pytest.mark.parametrize("read_before", [True, False], ids=["read before", "read with it"])
@pytest.mark.parametrize("word", STOPS)
def test_a_refusal_after_a_stop_that_had_ended_is_late_however_it_is_read(
    word: str, read_before: bool, how: Callable[[Day, Happened, int], list[str]]
) -> None:
    """What ended the stop is read after the refusal, but entered an hour after the stop began."""
    topic, begins, ends = STOPS[word]
    day = delivered(REFUSAL_ALONE)
    began, deadline = day.now + HOUR, START + DEADLINE + HOUR
    happened: Happened = [(began, topic, begins)]
    if read_before:
        punctual(day, happened, began)
        happened = []
    happened += [
        (began + HOUR, "controls", ends),
        (deadline + HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert not restricted(how(day, happened, deadline + WINDOW))


@pytest.mark.parametrize("how", [punctual, late])
def test_what_was_settled_while_something_else_stopped_the_clock_makes_no_refusal_of_silence(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    day = delivered(REFUSAL_ALONE).wait(HOUR).control("hold")
    happened: Happened = [
        (day.now + HOUR, "consent-answers", TO_ANOTHER),
        (day.now + 2 * HOUR, "controls", {"command": "settle"}),
        (day.now + 3 * HOUR, "controls", {"command": "unhold"}),
        (START + DEADLINE + 4 * HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert not restricted(how(day, happened, START + DEADLINE + 2 * WINDOW))


@pytest.mark.parametrize("how", [punctual, late])
@pytest.mark.parametrize("word", STOPS)
def test_a_refusal_before_the_end_of_a_stop_is_in_time(
    word: str, how: Callable[[Day, Happened, int], list[str]]
) -> None:
    topic, begins, ends = STOPS[word]
    day = delivered(REFUSAL_ALONE)
    happened: Happened = [
        (day.now + HOUR, topic, begins),
        (START + DEADLINE + HOUR, "consent-answers", {"answer": "declined"}),
        (START + DEADLINE + 2 * HOUR, "controls", ends),
    ]
    if topic == "controls" and how is late:
        punctual(day, happened[:1], day.now + HOUR)
        happened = happened[1:]
    said = how(day, happened, START + DEADLINE + 3 * WINDOW)
    assert restricted(said) == {"recommend-feed", "tips"}, said


DATED_BEFORE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("adverse_off", {"on": True}, {"on": False}),
    ("answers_paused", {"on": True}, {"on": False}),
    ("refusals_settled", {"on": False}, {"on": True}),
]


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
@pytest.mark.parametrize("ended", ["before the refusal", "after it", "before, and a word between"])
@pytest.mark.parametrize(("switch", "begins", "ends"), DATED_BEFORE, ids=lambda it: str(it))
def test_a_switch_dated_before_a_deadline_that_had_passed_when_it_entered_stops_it_no_more(
    switch: str,
    begins: dict[str, Any],
    ends: dict[str, Any],
    ended: str,
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """A punctual worker had expired the invitation in silence; so the refusal is late."""
    day = delivered(REFUSAL_ALONE)
    deadline = START + DEADLINE
    on = {"switch": switch, "issued_at": rfc3339(deadline - HOUR), **begins}
    off = {"switch": switch, **ends}
    happened: Happened = [(deadline + HOUR, "switches", on)]
    if ended != "after it":
        happened.append((deadline + 2 * HOUR, "switches", off))
    if "between" in ended and how is not punctual:
        happened.append((deadline - MINUTE, "notice-receipts", receipt("delivered")))
    happened.append((deadline + 3 * HOUR, "consent-answers", {"answer": "declined"}))
    if ended == "after it":
        happened.append((deadline + 4 * HOUR, "switches", off))
    said = how(day, happened, deadline + 2 * WINDOW)
    assert not restricted(said), said
