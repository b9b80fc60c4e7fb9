"""Reminders: numbered by their place and delivery, one at a time.

schemas/CONTRACT.md, "Outputs" and "Timers".
"""

from dataclasses import replace

from schemas.enums import Event, Mode
from streams.core.model.account import decode_account, encode
from streams.core.model.ids import derive
from streams.core.model.policy import Notice, Policy
from streams.core.model.ports import ACCOUNTS
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, Day, policy
from tests.core.states import invited


def reminding(*before: int, window: int = 10 * DAY) -> Policy:
    """A window of ten days, and reminders so long before the deadline."""
    return replace(policy(), notice=Notice("weibo-notice", "1", False, window, before))


def reminder(ordinal: int) -> str:
    """The id of a reminder of the first live cycle."""
    event = Event.INVITATION_REMINDED
    return derive(PLATFORM, ACCOUNT, Mode.ENFORCE, 1, event, "", ordinal)


def ids(day: Day) -> list[str]:
    """The ids of all reminders so far."""
    return [one["event_id"] for one in day.events if one["event"] == Event.INVITATION_REMINDED]


def test_a_reminders_number_is_its_place_in_the_pinned_list_longest_first() -> None:
    day = invited(reminding(DAY, 5 * DAY, 3 * DAY)).receipt().wait(9 * DAY)
    assert ids(day) == [reminder(1), reminder(2), reminder(3)]


def test_of_several_due_at_once_the_last_alone_is_sent() -> None:
    day = invited(reminding(DAY, 5 * DAY, 3 * DAY)).receipt()
    day.now += 8 * DAY
    assert day.run_timers().said() == ["delivered receipt", "reminded reminder"]
    assert ids(day) == [reminder(2)]
    day.wait(2 * DAY - 1)
    assert ids(day) == [reminder(2), reminder(3)]


def test_after_a_hold_the_last_due_alone_is_sent() -> None:
    day = (
        invited(reminding(DAY, 2 * DAY, 3 * DAY))
        .receipt()
        .wait(HOUR)
        .switch("answers_paused", True)
    )
    day.wait(20 * DAY)
    assert ids(day) == []
    day.switch("answers_paused", False).run_timers()
    assert ids(day) == [], "the deadline moved with the pause"
    day.wait(10 * DAY - 2 * HOUR)
    assert ids(day) == [reminder(1), reminder(2), reminder(3)]


def test_each_delivery_has_its_own_reminders_ten_numbers_on() -> None:
    day = invited(reminding(DAY, 3 * DAY)).wait(MINUTE).receipt().wait(8 * DAY)
    assert ids(day) == [reminder(1)]
    delivered_at = day.account().live.cycle.delivered_at
    day.receipt("failed", at=delivered_at + MINUTE).control("reissue").run_timers().wait(MINUTE)
    assert day.account().live.state.name == "INVITED"
    day.receipt().wait(10 * DAY)
    assert ids(day) == [reminder(1), reminder(11), reminder(12)]


def test_a_reminder_not_after_the_delivery_is_none_and_keeps_its_place() -> None:
    day = invited(reminding(10 * DAY, 9 * DAY)).receipt().wait(10 * DAY)
    assert ids(day) == [reminder(2)]


def test_none_is_sent_once_the_deadline_has_passed() -> None:
    day = invited(reminding(DAY, 3 * DAY)).receipt()
    day.now += 11 * DAY
    assert "reminded reminder" not in day.run_timers().said()


def test_a_list_longer_than_any_policy_may_have_stops_no_worker() -> None:
    """Terms of the first edition may hold hundreds."""
    day = invited(reminding())
    key = f"{PLATFORM}:{ACCOUNT}".encode()
    account = decode_account(day.tables.state[ACCOUNTS][key])
    account.live.cycle.terms.reminders = tuple(HOUR * hour for hour in range(230, 0, -1))
    day.tables.state[ACCOUNTS][key] = encode(account)
    day.receipt()
    day.now += 9 * DAY
    assert len([words for words in day.run_timers().said() if words.startswith("reminded")]) == 1
