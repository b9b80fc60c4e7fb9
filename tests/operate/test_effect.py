"""A word that can have no effect says so, and is never called done."""

import asyncio
import json

import pytest

from schemas.enums import Command, ControlReason
from streams.core.model.ports import ACCOUNTS
from streams.operate.audit.records import HOUR, iso
from streams.operate.bulk import BulkOrder
from streams.operate.clients import consumer, producer
from streams.operate.effect import changelog_ends, effect, judged, pointless
from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.core.given import DAY
from tests.operate.recording import Tape, invited
from tests.operate.test_audit_on_kafka import committed

WHO = ("--actor", "op.1", "--reason", "incident")
OPEN = "an open invitation"


def against(tape: Tape, account: str, command: Command, **more: str) -> list[str]:
    """What stands against an effect on an account."""
    reason = ControlReason(more.pop("reason", "test"))
    order = BulkOrder(command, "op.1", reason, tape.now, **more)
    raw = tape.tables.state[ACCOUNTS].get(f"weibo:{account}".encode())
    return list(judged(order, {f"weibo:{account}": raw}).reasons)


def test_a_word_about_an_account_that_nobody_knows_says_so_and_some_are_kept() -> None:
    tape = Tape()
    (hold,) = against(tape, "nobody", Command.HOLD)
    assert "no worker knows the account" in hold
    assert "kept until it comes" in hold
    (lift,) = against(tape, "nobody", Command.LIFT)
    assert "nothing to act on" in lift
    order = BulkOrder(Command.HOLD, "op.1", ControlReason.TEST, tape.now)
    assert not judged(order, {"weibo:nobody": None}).none
    order = BulkOrder(Command.LIFT, "op.1", ControlReason.TEST, tape.now)
    assert judged(order, {"weibo:nobody": None}).none


def test_words_about_the_open_invitation_need_one() -> None:
    tape = invited(Tape(), "a1").receipt(account="a1")
    later = iso(tape.now + 30 * DAY)
    assert against(tape, "a1", Command.LIFT) == []
    assert against(tape, "a1", Command.EXTEND, until=later) == []
    sooner = iso(tape.now + HOUR)
    (why,) = against(tape, "a1", Command.EXTEND, until=sooner)
    assert "its deadline is later already" in why
    tape.answer("granted", "a1")
    assert against(tape, "a1", Command.LIFT) == ["no invitation is open (it stands at GRANTED)"]


def test_a_reissue_of_a_delivered_notice_only_waits() -> None:
    tape = invited(Tape(), "a1")
    assert against(tape, "a1", Command.REISSUE) == []
    (why,) = against(tape.receipt(account="a1"), "a1", Command.REISSUE)
    assert why == (
        "its notice was delivered: it is sent again only if it turns out to be undelivered"
    )
    tape.wait(HOUR).receipt("failed", "a1", failure="blocked")
    assert against(tape, "a1", Command.REISSUE) == []


def test_what_ends_something_needs_it_to_be_there() -> None:
    tape = invited(Tape(), "a1").receipt(account="a1")
    assert against(tape, "a1", Command.UNHOLD) == ["no hold is in force"]
    assert against(tape.control("hold", "a1"), "a1", Command.UNHOLD) == []
    assert against(tape, "a1", Command.SETTLE) == ["no unclear word is there to settle"]
    tape.put("controls", "weibo:a1", b"nonsense")
    assert against(tape, "a1", Command.SETTLE) == []
    (why,) = against(tape, "a1", Command.APPEAL_REJECTED, appeal_id="a-7")
    assert why == "no such appeal is open (open: none)"
    tape.control("appeal_opened", "a1", appeal_id="a-8")
    (why,) = against(tape, "a1", Command.APPEAL_REJECTED, appeal_id="a-7")
    assert why == "no such appeal is open (open: 'a-8')"
    assert against(tape, "a1", Command.APPEAL_REJECTED, appeal_id="a-8") == []
    (why,) = against(tape, "a1", Command.UNHOLD, reason="appeal")
    assert why == "no upheld appeal has left a mark to end"
    tape.control("appeal_upheld", "a1", appeal_id="a-8")
    assert against(tape, "a1", Command.UNHOLD, reason="appeal") == []


def test_a_time_that_is_past_makes_a_word_useless() -> None:
    now = Tape().now
    past, ahead = iso(now - 1), iso(now + 1)
    extend = BulkOrder(Command.EXTEND, "op.1", ControlReason.TEST, now, until=past)
    assert "is past: a deadline only ever moves later" in (pointless(extend, now) or "")
    hold = BulkOrder(Command.HOLD, "op.1", ControlReason.TEST, now, expires_at=past)
    assert "is past: the hold would have ended" in (pointless(hold, now) or "")
    good = BulkOrder(Command.EXTEND, "op.1", ControlReason.TEST, now, until=ahead)
    assert pointless(good, now) is None


def test_what_is_past_is_not_sent(byline: Byline, monkeypatch: pytest.MonkeyPatch) -> None:
    said = byline("control", "extend", "weibo:a1", *WHO, "--until", "2020-01-01T00:00:00Z")
    assert said.code == 1
    assert "is past: a deadline only ever moves later; nothing was sent" in said.err
    wrong = byline("control", "extend", "weibo:a1", *WHO, "--until", "tomorrow")
    assert wrong.code == 2
    assert "no time like 2026-01-31T12:00:00+08:00" in wrong.err


@pytest.mark.kafka
def test_what_a_worker_wrote_after_the_word_was_sent_does_not_stand_against_it(
    on_kafka: Settings,
) -> None:
    tape = invited(Tape(), "a1").receipt(account="a1")
    key = b"weibo:a1"
    before = tape.tables.state[ACCOUNTS][key]
    after = tape.answer("granted", "a1").tables.state[ACCOUNTS][key]
    lift = BulkOrder(Command.LIFT, "op.1", ControlReason.TEST, tape.now)

    async def run() -> list[bool]:
        await create(on_kafka, 2, 1)
        changelog = f"{on_kafka.application_id}-accounts-changelog"
        async with producer(on_kafka) as writer, consumer(on_kafka) as client:
            await writer.send_and_wait(changelog, before, key=key, partition=0)
            ends = await changelog_ends(client, on_kafka)
            await writer.send_and_wait(changelog, after, key=key, partition=0)
            later = await changelog_ends(client, on_kafka)
            looked = [
                await effect(client, on_kafka, lift, ["weibo:a1"], it) for it in (ends, later)
            ]
        return [it.none for it in looked]

    assert asyncio.run(run()) == [False, True]


@pytest.mark.kafka
def test_the_command_sends_it_and_says_that_it_can_have_no_effect(
    on_kafka: Settings, byline: Byline
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    lift = byline("control", "lift", "weibo:nobody", *WHO)
    assert (lift.code, "lift: 1 sent" in lift.out) == (1, True)
    assert "no worker knows the account; is the id right?" in lift.err
    assert "as far as the workers know it can have no effect" in lift.err
    hold = byline("control", "hold", "weibo:nobody", *WHO, "--json")
    assert hold.code == 0
    plain = json.loads(hold.out)["effect"]
    assert plain["none"] is False
    assert len(plain["reasons"]) == 1
    assert len(asyncio.run(committed(on_kafka, "controls"))) == 2
