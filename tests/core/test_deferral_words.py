"""What an adverse event waits for: the words of the contract, in their order, each by itself."""

import pytest

from schemas.enums import Deferral, Event
from streams.core.limits.cluster import CLUSTER
from streams.core.model.account import Account, encode
from streams.core.model.instants import rfc3339
from streams.core.model.ports import ACCOUNTS
from tests.core.given import DAY, HOUR, Day, policy, stability
from tests.core.states import begun, delivered

ORDER = [str(one) for one in Deferral]


def waits_for(day: Day) -> list[str]:
    """The grounds of the account's first deferred event."""
    return [str(one) for _, by in day.account().waiting[:1] for one in by]


def test_all_grounds_at_once_are_named_in_the_order_of_the_words() -> None:
    day = delivered(policy(stability=stability(max_age=2 * DAY))).wait(HOUR).reads(10)
    for switch in ("answers_paused", "throttles_off", "adverse_off"):
        day.switch(switch, True)
    day.control("appeal_opened").control("hold")
    day.put("consent-answers", "weibo:a1", b"{")
    day.partition.cluster_changed(day.now)
    day.wait(4 * DAY)
    assert waits_for(day) == [
        "adverse_off",
        "throttles_off",
        "answers_paused",
        "cluster_changed",
        "hold",
        "appeal",
        "unclear_answer",
        "leaving",
        "stale",
    ]
    assert waits_for(day) == sorted(waits_for(day), key=ORDER.index)


def test_a_changed_cluster_is_noted_though_no_input_comes() -> None:
    day = begun()
    day.partition.cluster_changed(day.now)
    assert not day.partition.step(day.tables, day.now, [])
    assert day.tables.get(ACCOUNTS, CLUSTER) is not None
    day.partition.before_commit(day.tables, day.now, {})
    (*_, (topic, _, record, _)) = day.tables.outputs
    assert (topic, record["kind"], record["steps"]) == ("decisions", "transaction", [])
    assert record["cluster_changed"] == rfc3339(day.now)


def test_refusals_stand_between_the_switches_and_the_cluster() -> None:
    day = begun()
    day.put("consent-answers", "weibo:", b"{")
    day.partition.cluster_changed(day.now)
    day.wait(HOUR)
    assert waits_for(day) == ["refusals", "cluster_changed"]


def test_a_cap_comes_last_and_the_mark_of_an_upheld_appeal_defers_the_issue_alone() -> None:
    day = begun(policy(invitations_per_day=0)).wait(HOUR)
    assert waits_for(day) == ["cap"]
    day = delivered().control("appeal_opened").control("appeal_upheld").wait(30 * DAY)
    assert waits_for(day) == ["appeal_upheld"]
    assert day.account().deferred == "invitation.issued:appeal_upheld"


def test_when_a_ground_ends_conditions_are_checked_anew() -> None:
    day = begun().control("hold").wait(2 * HOUR).reads(10).control("unhold").run_timers()
    assert day.said() == []


def test_what_waits_is_stored_as_the_text_of_before_and_read_as_closed_words() -> None:
    """The state's format has a text there: recorded bytes stay what they are."""
    both = ((Event.INVITATION_EXPIRED, (Deferral.HOLD, Deferral.STALE)),)
    both += ((Event.THROTTLE_APPLIED, (Deferral.CAP,)),)
    account = Account(deferred=Account.waiting_text(both))
    assert account.deferred == "invitation.expired:hold+stale;throttle.applied:cap"
    assert account.waiting == both
    assert (account.deferred or "").encode() in encode(account)
    assert Account(deferred=Account.waiting_text([])) == Account()
    assert Account().waiting == ()


def test_a_word_that_is_not_of_the_list_is_no_ground() -> None:
    with pytest.raises(ValueError, match="weather"):
        print(Account(deferred="invitation.expired:weather").waiting)
