"""Work-lists from the state of the core: who waits for a person, and who would be restricted."""

from dataclasses import replace

import pytest

from schemas.enums import Deferral, Level, Mode, Surface, Switch
from streams.core.model.policy import Consequence, Guards, Restriction
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.records import HOUR, Record, iso
from streams.operate.in_force import SwitchesInForce
from streams.operate.worklists import Row, WorkList, WorkLists, topics_of
from tests.core.given import DAY, MINUTE, policy, stability
from tests.operate.recording import Tape, invited

ALWAYS = 0


def lists(tape: Tape, which: WorkList = "undeliverable") -> WorkLists:
    """The lists as `byline worklist` reads them: the changelog, then the topics."""
    found = WorkLists()
    for number, (key, value) in enumerate(tape.tables.state["accounts"].items()):
        found.feed(Record(CHANGELOG, 0, number, tape.now, key, value))
    for record in tape.records():
        if record.topic in topics_of(which):
            found.feed(record)
    return found


def rows(tape: Tape, which: WorkList, within: int = ALWAYS) -> list[Row]:
    return lists(tape, which).rows(which, tape.now, within)


def pending(tape: Tape, within: int = DAY) -> list[Row]:
    return rows(tape, "pending", within)


def at_stake(tape: Tape | None = None) -> Tape:
    """Account p1 would be restricted within a day."""
    tape = invited(tape or Tape(), "p1").receipt(account="p1")  # type: ignore[assignment]
    return tape.wait(2 * DAY + HOUR)  # type: ignore[return-value]


def test_an_undeliverable_notice_waits_until_it_is_reissued() -> None:
    tape = invited(Tape(), "u1").receipt("failed", "u1", failure="invalid")
    (row,) = rows(tape, "undeliverable")
    assert (row.account, row.reason) == ("weibo:u1", "invalid")
    assert row.surfaces == ("recommend-feed", "tips")
    assert row.invitation_id == tape.events[0]["invitation_id"]
    tape.control("reissue", "u1")
    assert rows(tape, "undeliverable") == []


def test_who_failed_after_a_delivery_is_listed_apart_and_last() -> None:
    tape = invited(Tape(), "a1").receipt(account="a1").wait(MINUTE)
    tape.receipt("failed", "a1", failure="blocked", at=tape.now - MINUTE)
    invited(tape, "u1").receipt("failed", "u1")
    found = rows(tape, "undeliverable")
    assert [(row.account, row.after_delivery) for row in found] == [
        ("weibo:u1", False),
        ("weibo:a1", True),
    ]


def test_a_notice_that_fails_again_after_a_reissue_failed_after_no_delivery() -> None:
    tape = invited(Tape(), "a1").receipt(account="a1").wait(MINUTE)
    tape.receipt("failed", "a1", failure="blocked", at=tape.now - MINUTE)
    tape.control("reissue", "a1").wait(HOUR).receipt("failed", "a1", failure="other")
    assert [row.after_delivery for row in rows(tape, "undeliverable")] == [False]


def test_an_invitation_of_which_nothing_was_heard_is_unconfirmed_after_its_time() -> None:
    tape = invited(Tape(), "q1").wait(22 * HOUR + 59 * MINUTE)
    assert rows(tape, "unconfirmed", DAY) == []
    (row,) = rows(tape.wait(2 * HOUR), "unconfirmed", DAY)
    assert (row.account, row.since) == ("weibo:q1", tape.events[0]["decided_at"])
    tape.receipt(account="q1")
    assert rows(tape, "unconfirmed", DAY) == []


def test_the_gauge_counts_what_is_unconfirmed() -> None:
    tape = invited(invited(Tape(), "q1").wait(HOUR), "q2")
    assert tape.partition.unconfirmed(tape.now - 2 * HOUR) == {"weibo": 1}
    assert tape.partition.unconfirmed(tape.now) == {"weibo": 2}
    tape.open(policy())
    assert tape.partition.unconfirmed(tape.now) == {"weibo": 2}, "also after a restart"
    tape.receipt(account="q1").change("closed", "q2")
    assert tape.partition.unconfirmed(tape.now) == {}


def test_unclear_words_stand_first_where_a_consent_is_in_force() -> None:
    tape = invited(invited(Tape(), "w1"), "w2")
    for account in ("w1", "w2"):
        tape.receipt(account=account)
    tape.answer("granted", "w2").wait(MINUTE)
    for account in ("w1", "w2"):
        tape.put("consent-answers", f"weibo:{account}", b"{}").wait(MINUTE)
    tape.put("account-changes", "weibo:x9", b"{}")
    found = rows(tape, "unclear")
    assert [(row.account, row.reason, row.consent) for row in found] == [
        ("weibo:w2", "consent-answers", True),
        ("weibo:w1", "consent-answers", False),
        ("weibo:x9", "account-changes", False),
    ]
    for account in ("w1", "w2", "x9"):
        tape.control("settle", account)
    assert rows(tape, "unclear") == []


def test_a_restriction_is_pending_within_a_day_of_its_deadline() -> None:
    tape = invited(Tape(), "p1").receipt(account="p1")
    assert pending(tape) == []
    tape.wait(2 * DAY + HOUR)
    (row,) = pending(tape)
    assert row.due_at == iso(tape.now + DAY - HOUR)
    assert pending(tape, 10 * HOUR) == []
    tape.wait(DAY)
    assert pending(tape) == [], "it has been restricted"


def test_a_refusal_keeps_it_pending_and_a_consent_does_not() -> None:
    tape = at_stake().answer("declined", "p1")
    assert [row.reason for row in pending(tape)] == ["declined"]
    tape.answer("granted", "p1")
    assert pending(tape) == []


def test_only_what_the_policy_lets_follow_is_pending() -> None:
    consequence = policy().consequence
    after_refusal = replace(consequence, on=frozenset({"declined"}))
    tape = at_stake(Tape(policy(consequence=after_refusal)))
    assert pending(tape) == [], "nothing follows from silence"
    tape.answer("declined", "p1")
    assert [row.reason for row in pending(tape)] == ["declined"]
    tape = at_stake()
    tape.open(policy(version=2, consequence=after_refusal))
    assert pending(tape) == [], "the present policy is milder than the terms"


def test_only_surfaces_that_would_be_restricted_are_named() -> None:
    surfaces = {
        Surface.RECOMMEND_FEED: Restriction(Level.LIMITED, None),
        Surface.TIPS: Restriction(Level.OFF, Mode.SHADOW),
    }
    consequence = Consequence(surfaces, frozenset({"no_answer"}), 5 * DAY, 20 * DAY)
    assert [row.surfaces for row in pending(at_stake(Tape(policy(consequence=consequence))))] == [
        ("recommend-feed",)
    ]


def test_what_people_stopped_is_named_with_what_it_waits_for() -> None:
    tape = at_stake().control("hold", "p1").control("appeal_opened", "p1")
    assert [row.waits_for for row in pending(tape)] == [("hold", "appeal")]
    tape.control("unhold", "p1")
    assert [row.waits_for for row in pending(tape, 3 * DAY)] == [("appeal",)]


def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    tape = at_stake().control("hold", "p1")
    tape.control("hold", "p1", expires_at=iso(tape.now + HOUR)).wait(2 * HOUR)
    assert [row.waits_for for row in pending(tape)] == [("hold",)]
    assert tape.wait(2 * DAY).events[-1]["event"] != "throttle.applied"
    assert [row.waits_for for row in pending(tape)] == [("hold",)]


def test_a_control_that_was_refused_is_not_in_force() -> None:
    tape = at_stake(Tape(require_approvals=True)).control("unhold", "p1", bulk_id="b1")
    assert [it["reason"] for it in tape.dead_letters] == ["not_approved"]
    assert [row.waits_for for row in pending(tape)] == [()]
    assert rows(tape, "appeals") == []


def tripped(tape: Tape) -> None:
    """A record of which nobody knows whose it is."""
    tape.put("consent-answers", "weibo:p1", {"platform": "weibo", "account_id": "other"})


def unclear(tape: Tape) -> None:
    """An answer that cannot be read."""
    tape.put("consent-answers", "weibo:p1", b"{}")


def changed(tape: Tape) -> None:
    """The cluster has changed under the worker."""
    tape.partition.cluster_changed(tape.now)
    tape.reads(1, "nobody")


def leaving(tape: Tape) -> None:
    """The count fell below the exit line."""
    tape.reads(899, "p1")


def aged(tape: Tape) -> None:
    """The policy asks for fresher facts than there are."""
    tape.open(policy(version=2, stability=stability(max_age=HOUR)))


def capped(tape: Tape) -> None:
    """Nobody may be restricted this hour."""
    tape.open(policy(version=2, throttles_per_hour=0))


def guarded(tape: Tape) -> None:
    """A guard has closed."""
    guards = Guards(DAY, 1, None, None, None, 1)
    tape.open(policy(version=2, guards=guards))
    invited(tape, "g1", 4000).reads(1500, "g1")


@pytest.mark.parametrize(
    ("word", "happens"),
    [
        (Deferral.ADVERSE_OFF, lambda tape: tape.switch("adverse_off", True)),
        (Deferral.THROTTLES_OFF, lambda tape: tape.switch("throttles_off", True, scope="weibo")),
        (Deferral.ANSWERS_PAUSED, lambda tape: tape.switch("answers_paused", True)),
        (Deferral.REFUSALS, tripped),
        (Deferral.CLUSTER_CHANGED, changed),
        (Deferral.HOLD, lambda tape: tape.control("hold", "p1")),
        (Deferral.APPEAL, lambda tape: tape.control("appeal_opened", "p1")),
        (Deferral.UNCLEAR_ANSWER, unclear),
        (Deferral.LEAVING, leaving),
        (Deferral.STALE, aged),
        (Deferral.GUARD, guarded),
        (Deferral.CAP, capped),
    ],
    ids=lambda it: str(it) if isinstance(it, Deferral) else "",
)
def test_every_deferral_is_named_with_the_word_of_the_decision_log(word, happens) -> None:  # type: ignore[no-untyped-def]
    tape = at_stake()
    happens(tape)
    listed = [row.waits_for for row in pending(tape) if row.account == "weibo:p1"]
    assert [it for it in listed if word in it], listed
    tape.wait(2 * DAY)
    logged = {
        it
        for decision in tape.decisions
        if decision.get("account_id") == "p1"
        for deferral in decision["deferrals"]
        if deferral["event"] == "invitation.expired"
        for it in deferral["by"]
    }
    assert word in logged, "what the list named is what the log says"


def test_no_deferral_that_can_hold_a_restriction_back_goes_unnamed() -> None:
    named = {
        mark.args[1][number][0]
        for mark in test_every_deferral_is_named_with_the_word_of_the_decision_log.pytestmark
        for number in range(len(mark.args[1]))
    }
    assert set(Deferral) - named == {Deferral.INVITATIONS_OFF, Deferral.APPEAL_UPHELD}


def test_a_brake_of_a_platform_that_nobody_knows_was_refused() -> None:
    tape = invited(Tape(), "p1").switch("adverse_off", True, scope="nowhere")
    levers = SwitchesInForce()
    for record in tape.records():
        levers.feed(record)
    assert len(tape.dead_letters) == 1
    assert levers.brakes()[1] == []


def test_refusals_that_wait_are_in_force_until_they_are_settled() -> None:
    tape = invited(Tape(), "p1").switch("refusals_settled", False, scope="weibo")
    tape.switch("refusals_settled", False, scope="*").switch("adverse_off", True)

    def in_force() -> list[tuple[str, str]]:
        levers = SwitchesInForce()
        for record in tape.records():
            levers.feed(record)
        return [(it.scope, it.switch) for it in levers.brakes()[1]]

    settled = Switch.REFUSALS_SETTLED
    assert in_force() == [("*", "adverse_off"), ("*", settled), ("weibo", settled)]
    tape.switch("refusals_settled", True, scope="weibo")
    assert in_force() == [("*", "adverse_off"), ("*", settled)]
    tape.switch("refusals_settled", False, scope="weibo").switch("refusals_settled", True)
    assert in_force() == [("*", "adverse_off")]


def test_appeals_are_open_until_a_verdict_on_each() -> None:
    tape = invited(Tape(), "v1").receipt(account="v1")
    tape.control("appeal_opened", "v1", appeal_id="first").control("appeal_opened", "v1")
    tape.control("appeal_opened", "v2").control("appeal_upheld", "v2")
    assert [(row.account, row.appeal_id) for row in rows(tape, "appeals")] == [
        ("weibo:v1", None),
        ("weibo:v1", "first"),
    ]
    tape.control("appeal_rejected", "v1", appeal_id="first")
    assert [row.appeal_id for row in rows(tape, "appeals")] == [None]
