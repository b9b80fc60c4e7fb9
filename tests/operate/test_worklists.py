"""Work-lists from recorded topics: who waits for a person, and who would be restricted tomorrow."""

from streams.operate.audit.records import HOUR, iso
from streams.operate.in_force import Levers
from streams.operate.worklists import TOPICS, Row, WorkLists
from tests.core.given import DAY
from tests.operate.recording import Tape, invited


def lists(tape: Tape) -> WorkLists:
    found = WorkLists()
    for record in tape.records():
        if record.topic in TOPICS:
            found.feed(record)
    return found


def pending(tape: Tape, within: int = DAY) -> list[Row]:
    return lists(tape).rows("pending", tape.now, within)


def test_an_undeliverable_notice_waits_until_it_is_reissued() -> None:
    tape = invited(Tape(), "u1").receipt("failed", "u1", failure="invalid")
    (row,) = lists(tape).rows("undeliverable", tape.now, 0)
    assert (row.account, row.reason) == ("weibo:u1", "invalid")
    assert row.surfaces == ("recommend-feed", "tips")
    tape.control("reissue", "u1")
    assert lists(tape).rows("undeliverable", tape.now, 0) == []


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
    tape = invited(Tape(), "p1").receipt(account="p1")
    tape.wait(2 * DAY + HOUR).answer("declined", "p1")
    assert [row.reason for row in pending(tape)] == ["declined"]
    tape.answer("granted", "p1")
    assert pending(tape) == []


def test_what_people_stopped_is_named_with_what_it_waits_for() -> None:
    tape = invited(Tape(), "h1").receipt(account="h1")
    tape.wait(2 * DAY + HOUR).control("hold", "h1").control("appeal_opened", "h1")
    assert [row.waits_for for row in pending(tape)] == [("hold", "appeal")]
    tape.control("unhold", "h1")
    assert [row.waits_for for row in pending(tape, 3 * DAY)] == [("appeal",)]


def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    tape = invited(Tape(), "h1").receipt(account="h1")
    tape.wait(2 * DAY + HOUR).control("hold", "h1")
    tape.control("hold", "h1", expires_at=iso(tape.now + HOUR)).wait(2 * HOUR)
    assert [row.waits_for for row in pending(tape)] == [("hold",)]
    assert tape.wait(2 * DAY).events[-1]["event"] != "throttle.applied"
    assert [row.waits_for for row in pending(tape)] == [("hold",)]


def test_a_control_that_was_refused_is_not_in_force() -> None:
    tape = invited(Tape(require_approvals=True), "h1").receipt(account="h1")
    tape.wait(2 * DAY + HOUR).control("hold", "h1", bulk_id="b1")
    tape.control("appeal_opened", "h1", bulk_id="b1")
    assert [it["reason"] for it in tape.dead_letters] == ["not_approved"] * 2
    assert [row.waits_for for row in pending(tape)] == [()]
    assert lists(tape).rows("appeals", tape.now, 0) == []


def test_a_brake_that_stops_what_is_pending_is_named() -> None:
    tape = invited(Tape(), "p1").receipt(account="p1").wait(2 * DAY + HOUR)
    tape.switch("adverse_off", True).switch("throttles_off", True, scope="weibo")
    tape.switch("answers_paused", True, scope="douyin").switch("invitations_off", True)
    tape.control("hold", "p1")
    assert [row.waits_for for row in pending(tape)] == [("hold", "adverse_off", "throttles_off")]
    tape.switch("adverse_off", False).control("unhold", "p1")
    assert [row.waits_for for row in pending(tape)] == [("throttles_off",)]


def test_a_brake_of_a_platform_that_nobody_knows_was_refused() -> None:
    tape = invited(Tape(), "p1").switch("adverse_off", True, scope="nowhere")
    levers = Levers()
    for record in tape.records():
        levers.feed(record)
    assert len(tape.dead_letters) == 1
    assert levers.brakes()[1] == []


def test_appeals_are_open_until_a_verdict() -> None:
    tape = invited(Tape(), "v1").receipt(account="v1").control("appeal_opened", "v1")
    tape.control("appeal_opened", "v2").control("appeal_upheld", "v2")
    assert [row.account for row in lists(tape).rows("appeals", tape.now, 0)] == ["weibo:v1"]


def test_lists_do_not_depend_on_the_order_of_topics() -> None:
    tape = invited(Tape(), "p1").receipt(account="p1").wait(2 * DAY + HOUR)
    tape.answer("declined", "p1")
    found = WorkLists()
    for topic in reversed(TOPICS):
        for record in tape.records():
            if record.topic == topic:
                found.feed(record)
    assert [row.reason for row in found.rows("pending", tape.now, DAY)] == ["declined"]
