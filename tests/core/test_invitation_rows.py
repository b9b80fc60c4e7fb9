"""Every state of the invitation machine against every input.

schemas/CONTRACT.md, "Invitation".

What is not listed in `ROWS` is *same*, and nothing is said. The table here is written by hand from
the contract, not from the code.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.enums import Mode
from tests.core.given import DAY, MINUTE, START, Day, policy
from tests.core.states import DEADLINE, STATES, lifted, unreadable

OPEN = ("INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED")
PENDING = OPEN[:-1]

INPUTS: dict[str, Callable[[Day], Day]] = {
    "receipt delivered": lambda day: day.receipt(),
    "receipt failed": lambda day: day.receipt("failed", failure="invalid"),
    "receipt for another": lambda day: day.receipt(cycle=9),
    "granted": lambda day: day.answer("granted"),
    "declined": lambda day: day.answer("declined"),
    "withdrawn": lambda day: day.answer("withdrawn"),
    "granted for another": lambda day: day.answer("granted", invitation_id="other"),
    "declined for another": lambda day: day.answer("declined", invitation_id="other"),
    "withdrawn for another": lambda day: day.answer("withdrawn", invitation_id="other"),
    "granted, taken back since": lambda day: _taken_back(day),
    "granted to a newer notice": lambda day: _to_newer(day),
    "granted to an outdated notice": lambda day: _to_outdated(day),
    "granted to a notice never shown": lambda day: day.answer("granted", notice_version="9"),
    "an answer that cannot be read": lambda day: unreadable(day, "consent-answers"),
    "a change that cannot be read": lambda day: unreadable(day, "account-changes"),
    "a control that cannot be read": lambda day: unreadable(day, "controls"),
    "settle": lambda day: day.control("settle"),
    "stale exempted": lambda day: _stale(day, "exempted", "exemption_ended"),
    "stale closed": lambda day: _stale(day, "closed", "reopened"),
    "stale owner changed": lambda day: _stale(day, "owner_changed", "owner_changed"),
    "reissue": lambda day: day.control("reissue"),
    "lift": lambda day: day.control("lift"),
    "appeal upheld": lambda day: day.control("appeal_upheld"),
    "appeal rejected": lambda day: day.control("appeal_rejected"),
    "appeal opened": lambda day: day.control("appeal_opened"),
    "hold": lambda day: day.control("hold"),
    "unhold": lambda day: day.control("unhold"),
    "extend": lambda day: day.control("extend", until="2024-01-20T00:00:00Z"),
    "extend to an earlier instant": lambda day: day.control("extend", until="2024-01-02T00:00:00Z"),
    "extend without until": lambda day: day.control("extend"),
    "left": lambda day: day.reads(10).wait(7 * DAY),
    "label lost": lambda day: day.label("日常生活"),
    "exempted": lambda day: day.change("exempted"),
    "closed": lambda day: day.change("closed"),
    "owner changed": lambda day: day.change("owner_changed"),
    "reopened": lambda day: day.change("reopened"),
    "exemption ended": lambda day: day.change("exemption_ended"),
    "the phase is withdrawn": lambda day: _under(day, mode="off"),
    "a new notice, renewing": lambda day: _under(day, notice="renew"),
    "a new notice, not renewing": lambda day: _under(day, notice="quiet"),
}


def _under(day: Day, mode: str = "enforce", notice: str = "") -> Day:
    changed = policy(version=2, mode=Mode(mode))
    if notice:
        new = replace(changed.notice, version="2", renew=notice == "renew")
        changed = replace(changed, notice=new)
    day.open(changed)
    return day.run_timers()


def _taken_back(day: Day) -> Day:
    """A withdrawal, and then a grant that is older."""
    return day.answer("withdrawn").answer("granted", at=day.now - 1)


def _to_newer(day: Day) -> Day:
    """Another notice is taken up, and agreed to."""
    return _under(day, notice="quiet").wait(1).answer("granted", notice_version="2")


def _to_outdated(day: Day) -> Day:
    """A notice that voids older consents is taken up, and the old one is agreed to."""
    _under(day, notice="renew").said()
    return day.answer("granted", notice_version="1")


def _stale(day: Day, word: str, end: str) -> Day:
    """The end of a state of the account is known, and then its beginning is read."""
    return day.wait(10 * MINUTE).change(end).change(word, at=day.now - 6 * MINUTE)


ROWS: dict[tuple[str, str], tuple[str, list[str]]] = {
    ("INVITED", "receipt delivered"): ("DELIVERED", ["delivered receipt"]),
    ("INVITED", "receipt failed"): ("UNDELIVERED", ["undeliverable invalid"]),
    ("UNDELIVERED", "receipt delivered"): ("DELIVERED", ["delivered receipt"]),
    ("UNDELIVERED", "reissue"): ("INVITED", ["issued reissued"]),
    ("INVITED", "reissue"): ("INVITED", ["issued reissued"]),
    ("EXPIRED", "receipt failed"): (
        "UNDELIVERED",
        ["undeliverable invalid", *lifted("undeliverable")],
    ),
    ("EXPIRED", "granted, taken back since"): ("NONE", [*lifted("granted"), "withdrawn answer"]),
    ("INVITED", "granted"): ("GRANTED", ["delivered answer", "granted answer"]),
    ("UNDELIVERED", "granted"): ("GRANTED", ["delivered answer", "granted answer"]),
    ("INVITED", "declined"): ("DECLINED", ["delivered answer", "declined answer"]),
    ("UNDELIVERED", "declined"): ("DECLINED", ["delivered answer", "declined answer"]),
    ("DELIVERED", "receipt failed"): ("UNDELIVERED", ["undeliverable invalid"]),
    ("DELIVERED", "declined"): ("DECLINED", ["declined answer"]),
    ("DELIVERED", "granted"): ("GRANTED", ["granted answer"]),
    ("DECLINED", "granted"): ("GRANTED", ["granted answer"]),
    ("EXPIRED", "granted"): ("GRANTED", ["granted late", *lifted("granted")]),
    ("GRANTED", "granted to a newer notice"): ("GRANTED", ["granted answer"]),
    ("GRANTED", "granted, taken back since"): ("NONE", ["withdrawn answer"]),
    ("GRANTED", "stale closed"): ("NONE", ["voided closed"]),
    ("GRANTED", "withdrawn"): ("NONE", ["withdrawn answer"]),
    ("GRANTED", "withdrawn for another"): ("NONE", ["withdrawn answer"]),
    ("GRANTED", "declined"): ("NONE", ["withdrawn answer"]),
    ("EXPIRED", "lift"): ("EXPIRED", lifted("operator")),
    ("EXPIRED", "appeal upheld"): ("EXPIRED", lifted("appeal")),
    ("DELIVERED", "extend"): ("DELIVERED", ["extended operator"]),
    ("DECLINED", "extend"): ("DECLINED", ["extended operator"]),
    ("GRANTED", "closed"): ("NONE", ["voided closed"]),
    ("GRANTED", "owner changed"): ("NONE", ["voided owner_changed"]),
    **{(state, "granted, taken back since"): ("NONE", ["withdrawn answer"]) for state in PENDING},
    **{(state, "lift"): ("NONE", ["cancelled operator"]) for state in PENDING},
    **{(state, "appeal upheld"): ("NONE", ["cancelled appeal"]) for state in PENDING},
}
for _input, _reason in {
    "left": "left",
    "label lost": "label",
    "exempted": "exempted",
    "closed": "closed",
    "owner changed": "owner_changed",
    "the phase is withdrawn": "policy",
}.items():
    for _state in PENDING:
        ROWS[_state, _input] = ("NONE", [f"cancelled {_reason}"])
    ROWS["EXPIRED", _input] = ("NONE", [f"cancelled {_reason}", *lifted(_reason)])

for _state in PENDING:
    ROWS[_state, "stale exempted"] = ("NONE", ["cancelled exempted"])
    ROWS[_state, "stale closed"] = ("NONE", ["cancelled closed"])
ROWS["EXPIRED", "stale exempted"] = ("NONE", ["cancelled exempted", *lifted("exempted")])
ROWS["EXPIRED", "stale closed"] = ("NONE", ["cancelled closed", *lifted("closed")])
for _state, _said in {
    "INVITED": ["delivered answer", "granted answer"],
    "UNDELIVERED": ["delivered answer", "granted answer"],
    "DELIVERED": ["granted answer"],
    "DECLINED": ["granted answer"],
    "EXPIRED": ["granted late", *lifted("granted")],
}.items():
    ROWS[_state, "granted to a newer notice"] = ("GRANTED", _said)

RECORDED = ("receipt", "granted", "declined", "withdrawn", "reissue", "lift", "extend", "hold")
SAID_ELSEWHERE = {
    ("DELIVERED", "left"),
    ("DECLINED", "left"),
    ("GRANTED", "a new notice, renewing"),
    *((state, "stale owner changed") for state in STATES),
    *((state, "granted to an outdated notice") for state in STATES),
}
"""Pairs in which more than the row happens meanwhile; the tests below tell them."""


@pytest.mark.parametrize("input_", INPUTS)
@pytest.mark.parametrize("state", STATES)
def test_every_pair(state: str, input_: str) -> None:
    if (state, input_) in SAID_ELSEWHERE:
        return
    day = STATES[state]()
    day.wait(MINUTE)
    assert day.said() == []
    logged = len(day.decisions)
    INPUTS[input_](day).run_timers()
    next_state, said = ROWS.get((state, input_), (state, []))
    assert day.said() == said
    if input_.split()[0] in RECORDED:
        records = [one for one in day.decisions[logged:] if one["kind"] == "decision"]
        assert records[0]["ignored"] or records[0]["transitions"], "an input is never passed over"
    if input_ != "closed":
        assert day.account().live.state.name == next_state
    if next_state == "NONE" and state != "NONE" and input_ != "closed":
        assert day.account().live.cool_down_until == day.now + 10 * DAY


@pytest.mark.parametrize("state", ["DELIVERED", "DECLINED"])
def test_leaving_for_long_enough_cancels_before_anything_expires(state: str) -> None:
    day = STATES[state]().reads(10)
    assert day.wait(7 * DAY - 1).said() == []
    assert day.wait(1).said() == ["cancelled left"]


def test_a_consent_to_an_older_notice_is_void_when_the_policy_renews_and_a_new_cycle_begins() -> (
    None
):
    day = INPUTS["a new notice, renewing"](STATES["GRANTED"]())
    assert day.said() == ["voided notice", "issued over_line"]
    assert day.account().live.cycle_number == 2


def test_a_closed_account_keeps_its_cool_down() -> None:
    day = STATES["DELIVERED"]().change("closed")
    closed_at = day.now
    day.wait(MINUTE).change("reopened").label("财经").reads(1500)
    assert day.account().live.cool_down_until == closed_at + 10 * DAY


@pytest.mark.parametrize("state", STATES)
def test_each_legal_step_can_be_followed_by_every_input(state: str) -> None:
    """After each legal step an illegal one: nothing is impossible but a timer."""
    for first in INPUTS:
        day = STATES[state]()
        INPUTS[first](day).run_timers()
        for second in ("receipt failed", "granted", "withdrawn", "reissue", "extend", "lift"):
            INPUTS[second](day.wait(MINUTE)).run_timers()


def test_delivered_at_is_never_before_the_issue_and_answer_by_only_prolongs() -> None:
    day = STATES["INVITED"]().receipt(at=START)
    assert day.events[-1]["delivered_at"] == "2024-01-01T01:00:00.000Z"
    assert day.events[-1]["deadline_at"] == "2024-01-04T01:00:00.000Z"
    phase = policy().phases[0]
    for answer_by, deadline in ((START + 20 * DAY, "2024-01-21"), (START + DAY, "2024-01-04")):
        later = policy(phases=(replace(phase, answer_by=answer_by),))
        day = Day(later).label("财经").reads(1500).wait(60 * MINUTE).receipt()
        assert day.events[-1]["deadline_at"].startswith(deadline)


def test_an_answer_stands_for_the_receipt_at_its_own_instant() -> None:
    day = STATES["UNDELIVERED"]().wait(DAY).answer("declined", at=START + 2 * 60 * MINUTE)
    shown = next(event for event in day.events if event["event"] == "invitation.delivered")
    assert shown["delivered_at"] == "2024-01-01T02:00:00.000Z"
    assert shown["deadline_at"] == "2024-01-04T02:00:00.000Z"


@pytest.mark.parametrize("state", ["DELIVERED", "EXPIRED"])
def test_a_failure_clearly_before_the_delivery_says_nothing_about_it(state: str) -> None:
    delivered_at = START + 61 * MINUTE
    day = STATES[state]().wait(MINUTE).receipt("failed", at=delivered_at - 5 * MINUTE - 1)
    assert day.said() == []
    assert day.decisions[-2]["ignored"] == "before_delivery"
    assert day.receipt("failed", at=delivered_at - 5 * MINUTE).said()[0] == "undeliverable other"


def test_a_delivery_not_after_the_last_failure_is_recorded_only() -> None:
    day = STATES["UNDELIVERED"]().wait(MINUTE)
    assert day.receipt(at=START + 61 * MINUTE).said() == []
    day.receipt("failed", at=START + 61 * MINUTE + 2).receipt(at=START + 61 * MINUTE + 1)
    assert day.said() == [], "also a failure that was recorded only is the last one"
    assert day.receipt(at=START + 61 * MINUTE + 3).said() == ["delivered receipt"]


@pytest.mark.parametrize("word", ["declined", "granted"])
def test_a_failure_after_the_expiry_frees_nobody_who_had_answered(word: str) -> None:
    day = STATES["DECLINED"]() if word == "declined" else STATES["EXPIRED"]()
    if word == "declined":
        day.wait(4 * DAY).said()
    else:
        day.answer("declined").said()
    assert day.wait(MINUTE).receipt("failed").said() == []
    assert day.account().live.state.name == "EXPIRED"


def test_a_second_delivery_never_ends_earlier_than_was_said() -> None:
    day = STATES["DELIVERED"]().control("extend", until="2024-01-20T00:00:00Z")
    day.wait(MINUTE).receipt("failed").wait(MINUTE).receipt()
    assert day.said() == ["extended operator", "undeliverable other", "delivered receipt"]
    assert day.events[-1]["deadline_at"] == "2024-01-20T00:00:00.000Z"


def test_a_refusal_does_not_shorten_the_window() -> None:
    day = STATES["DECLINED"]()
    assert day.wait(START + DEADLINE - day.now - 1).said() == []
    applied = ["applied recommend-feed declined", "applied tips declined"]
    assert day.wait(1).said() == ["expired declined", *applied]


def test_silence_expires_at_the_deadline_after_a_reminder() -> None:
    day = STATES["DELIVERED"]()
    assert day.wait(2 * DAY - 1).said() == []
    assert day.wait(1).said() == ["reminded reminder"]
    assert day.wait(DAY - 1).said() == []
    applied = ["applied recommend-feed no_answer", "applied tips no_answer"]
    assert day.wait(1).said() == ["expired no_answer", *applied]


@pytest.mark.parametrize(("on", "restricts"), [("declined", False), ("no_answer", True)])
def test_expiry_restricts_only_for_the_reasons_that_the_terms_name(
    on: str, restricts: bool
) -> None:
    named = replace(policy().consequence, on=frozenset({on}))
    day = Day(policy(consequence=named)).label("财经").reads(1500).wait(60 * MINUTE).receipt()
    said = day.wait(3 * DAY).said()
    assert ("applied tips no_answer" in said) is restricts
    assert "expired no_answer" in said


def test_an_answer_given_in_time_beats_the_deadline_however_late_the_worker_runs() -> None:
    day = STATES["DELIVERED"]()
    day.now = START + DEADLINE + DAY
    day.answer("granted", at=START + DEADLINE - 1).run_timers()
    assert day.said() == ["granted answer"]


def test_a_grant_after_expiry_is_in_time_or_late_by_its_own_instant() -> None:
    for at, reason in ((START + DEADLINE, "in_time"), (START + DEADLINE + 1, "late")):
        day = STATES["EXPIRED"]().wait(DAY).answer("granted", at=at)
        assert day.said() == [f"granted {reason}", *lifted("granted")]


def test_withdrawal_restricts_nothing_and_only_a_new_full_cycle_may() -> None:
    day = STATES["GRANTED"]().wait(DAY).answer("withdrawn")
    assert day.wait(10 * DAY - 1).said() == ["withdrawn answer"]
    assert day.wait(1).said() == ["issued over_line"]
    assert day.receipt(cycle=2).wait(3 * DAY).said()[-1] == "applied tips no_answer"


def test_a_spared_cycle_stays_expired_until_the_account_leaves() -> None:
    day = STATES["EXPIRED"]().control("lift")
    assert day.said() == lifted("operator")
    assert day.wait(100 * DAY).said() == []
    assert day.change("exempted").said() == ["cancelled exempted"]
