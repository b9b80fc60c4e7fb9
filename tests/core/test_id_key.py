"""The setting ID_KEY: invitation ids and digests of dead letters that nobody else can compute.

schemas/CONTRACT.md, "Outputs".
"""

import hashlib
import hmac
from typing import Any

from streams.core.model.ids import derive, key_name
from streams.letters.origins import OTHER_KEY, _found
from streams.letters.reading import Letter, Origin
from streams.operate.audit.inputs import _digest
from tests.core.given import ACCOUNT, DAY, HOUR, PLATFORM, Day, GivenRecord, policy

ONE, TWO = b"the first key of sixteen", b"the second key of sixteen"
PLAIN = derive(PLATFORM, ACCOUNT, "enforce", 1, "invitation")


def keyed(cycle: int, key: bytes) -> str:
    text = f"{PLATFORM}\n{ACCOUNT}\nenforce\n{cycle}\ninvitation"
    return hmac.digest(key, text.encode(), "sha256").hex()[:32]


def opened(key: bytes | None) -> Day:
    day = Day()
    return reopened(day, key)


def reopened(day: Day, key: bytes | None) -> Day:
    day.id_key = key
    day.open(policy())
    return day


def invited(key: bytes | None) -> Day:
    return opened(key).label("财经").reads(1500).wait(HOUR).reads(1500)


def ids(day: Day) -> set[str]:
    return {event["invitation_id"] for event in day.events}


def told(day: Day, number: str, outcome: str = "delivered") -> Day:
    receipt: dict[str, Any] = {
        "platform": PLATFORM,
        "account_id": ACCOUNT,
        "invitation_id": number,
        "outcome": outcome,
        "occurred_at": "2024-01-01T02:00:00Z",
    }
    return day.put("notice-receipts", f"{PLATFORM}:{ACCOUNT}", receipt)


def test_an_id_under_a_key_is_an_hmac_that_account_and_cycle_do_not_give_away() -> None:
    assert ids(invited(None)) == {PLAIN}
    assert ids(invited(ONE)) == {keyed(1, ONE)} != ids(invited(TWO))


def test_who_only_knows_the_account_cannot_say_that_notice_reached_it() -> None:
    day = told(invited(ONE), PLAIN)
    assert "invitation.delivered" not in {event["event"] for event in day.events}
    assert day.decisions[-2]["ignored"] == "other_cycle"
    told(day, keyed(1, ONE))
    assert day.events[-1]["event"] == "invitation.delivered"


def test_an_answer_that_names_a_computed_id_is_no_answer_to_this_invitation() -> None:
    day = told(invited(ONE), keyed(1, ONE))
    day.answer("declined", invitation_id=PLAIN, notice_version="1")
    assert "consent.declined" not in {event["event"] for event in day.events}
    day.answer("declined", invitation_id=keyed(1, ONE), notice_version="1")
    assert "consent.declined" in {event["event"] for event in day.events}


def test_an_open_cycle_keeps_its_id_when_the_key_is_set_changed_or_taken_away() -> None:
    for before, after in ((None, ONE), (ONE, TWO), (ONE, None)):
        day = invited(before)
        (first,) = ids(day)
        reopened(day, after)
        told(day, first).wait(4 * DAY)
        assert {"invitation.delivered", "throttle.applied"} <= {it["event"] for it in day.events}
        assert ids(day) == {first}


def test_the_next_cycle_has_an_id_under_the_new_key() -> None:
    day = invited(ONE)
    day.change("owner_changed").wait(HOUR)
    reopened(day, TWO).wait(10 * DAY).label("财经").reads(1500).wait(HOUR).reads(1500)
    issued = [it for it in day.events if it["event"] == "invitation.issued"]
    assert [it["invitation_id"] for it in issued] == [keyed(1, ONE), keyed(2, TWO)]


def test_what_is_kept_of_a_closed_account_is_found_again_after_the_key_changes() -> None:
    day = told(invited(ONE), keyed(1, ONE)).answer("withdrawn").control("hold").change("closed")
    reopened(day, TWO).wait(11 * DAY).change("reopened").label("财经").reads(1500)
    account = day.account()
    assert account.hold is not None
    assert account.live.cycle_number == 1


def test_digests_of_a_dead_letter_are_made_under_the_key_which_they_name() -> None:
    for key in (None, ONE):
        day = opened(key).put("controls", "no key", b"{")
        (letter,) = day.dead_letters
        plain = hashlib.sha256(b"{").hexdigest()
        own = plain if key is None else hmac.digest(key, b"{", "sha256").hex()
        assert letter["value_digest"] == own
        assert letter.get("digest_key") == (None if key is None else key_name(key))
        _, at, _, _ = next(it for it in day.tables.outputs if it[0] == "dead-letters")
        made = hashlib.sha256 if key is None else lambda data: hmac.new(ONE, data, hashlib.sha256)
        assert at == made(b"no key").hexdigest().encode()


def test_the_auditor_makes_the_same_digest_and_none_without_the_key() -> None:
    name = key_name(ONE)
    assert _digest(b"{", None, None) == hashlib.sha256(b"{").hexdigest()
    assert _digest(b"{", name, ONE) == hmac.digest(ONE, b"{", "sha256").hex()
    assert _digest(b"{", name, TWO) is None
    assert _digest(b"{", name, None) is None


def test_a_letter_under_another_key_is_sent_again_with_that_key_alone() -> None:
    record = GivenRecord(7, 0, b"weibo:a", b"{")
    digest = hmac.digest(ONE, b"{", "sha256").hex()
    letter = Letter(
        Origin("controls", 0, 7), b"weibo:a", 0, "bad_json", None, digest, 1, "", None
    )._replace(digest_key=key_name(ONE))
    assert _found(letter, record, ONE).gone is None
    for other in (TWO, None):
        gone = _found(letter, record, other).gone
        assert gone is not None
        assert gone.startswith(OTHER_KEY)
    assert _found(letter, record._replace(value=b"["), ONE).gone is not None
