"""Caps, shared over the partitions, and the share of a roll-out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.enums import Mode
from streams.core.limits.caps import share
from streams.core.model.ids import bucket
from streams.core.model.instants import day_of
from tests.core.given import DAY, HOUR, MINUTE, PLATFORM, Day, policy
from tests.core.states import ISSUED, WINDOW, brief

ACCOUNTS = [f"a{number}" for number in range(1, 7)]


@given(st.integers(0, 10_000), st.integers(1, 64), st.integers(0, 40_000))
def test_the_shares_of_all_partitions_sum_to_the_cap(cap: int, partitions: int, day: int) -> None:
    parts = [share(cap, number, partitions, day) for number in range(partitions)]
    assert sum(parts) == cap
    assert max(parts) - min(parts) <= 1


@given(st.integers(0, 100), st.integers(1, 16), st.integers(0, 40_000), st.integers(0, 15))
def test_remainders_rotate_by_day_so_that_nobody_is_always_last(
    cap: int, partitions: int, day: int, number: int
) -> None:
    partition = number % partitions
    total = sum(share(cap, partition, partitions, day + shift) for shift in range(partitions))
    assert total == cap


def crowd(day: Day, accounts: list[str]) -> Day:
    """Several accounts over the line, a minute apart."""
    for account in accounts:
        day.label("财经", account).reads(1500, account).wait(MINUTE)
    return day


def issued(day: Day) -> list[str]:
    """Whose invitation was issued since the last call."""
    said = day.said()
    fresh = day.events[len(day.events) - len(said) :]
    return [event["account_id"] for event in fresh if event["event"] == "invitation.issued"]


def test_what_exceeds_the_cap_of_the_day_waits_for_the_next_and_the_first_comes_first() -> None:
    day = crowd(Day(policy(invitations_per_day=2)), ACCOUNTS)
    assert issued(day.wait(2 * HOUR)) == ["a1", "a2"]
    midnight = 16 * HOUR - (day.now % DAY)
    assert issued(day.wait(midnight - 1)) == []
    assert issued(day.wait(1)) == ["a3", "a4"], "midnight in Shanghai"
    assert issued(day.wait(DAY)) == ["a5", "a6"]


@pytest.mark.parametrize("partition", [0, 1, 2])
def test_a_partition_keeps_to_its_share(partition: int) -> None:
    day = Day(policy(invitations_per_day=4), partition=partition, partition_count=3)
    crowd(day, ACCOUNTS).wait(HOUR)
    allowed = share(4, partition, 3, day_of(day.now))
    assert len(issued(day)) == allowed


def test_a_cap_of_zero_invites_nobody() -> None:
    day = crowd(Day(policy(invitations_per_day=0)), ACCOUNTS[:1])
    assert day.wait(5 * DAY).said() == []
    assert day.account().deferred == "invitation.issued:cap"


def test_a_cap_is_remembered_over_a_restart() -> None:
    rule = policy(invitations_per_day=1)
    day = crowd(Day(rule), ACCOUNTS[:2]).wait(HOUR)
    assert issued(day) == ["a1"]
    day.open(rule)
    assert issued(day.wait(2 * HOUR)) == []


def test_the_throttle_cap_counts_accounts_an_hour_and_defers_expiry_with_it() -> None:
    rule = brief(throttles_per_hour=1)
    day = Day(rule)
    for account in ACCOUNTS[:3]:
        day.label("财经", account).reads(1500, account).receipt("delivered", account)
    day.said()
    day.wait(WINDOW)
    expired = ["expired no_answer", "applied recommend-feed no_answer", "applied tips no_answer"]
    assert [words for words in day.said() if "reminded" not in words] == expired
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == expired
    day.answer("granted", "a3")
    assert day.said() == ["granted answer"], "who waited for the cap answers in time"


def test_a_throttle_cap_stops_neither_lifts_nor_renewals() -> None:
    day = Day(brief(throttles_per_hour=1)).label("财经").reads(1500).receipt().wait(WINDOW)
    day.said()
    assert day.wait(5 * DAY).said() == ["renewed recommend-feed review", "renewed tips review"]


def test_expiry_alone_needs_no_place_under_the_throttle_cap() -> None:
    refusals = replace(policy().consequence, on=frozenset({"declined"}))
    day = Day(brief(throttles_per_hour=0, consequence=refusals)).label("财经").reads(1500)
    assert day.receipt().wait(WINDOW).said()[-1] == "expired no_answer"


def test_a_shadow_life_has_a_count_of_its_own() -> None:
    day = Day(brief(mode=Mode.SHADOW, invitations_per_day=1))
    crowd(day, ACCOUNTS[:2])
    assert len(day.said()) == 2
    day.open(brief(version=2, invitations_per_day=1))
    assert "issued over_line" in day.wait(0).run_timers().said()


def test_a_roll_out_is_sticky() -> None:
    names = [f"account-{number}" for number in range(150)]

    def invited(percent: int) -> set[str]:
        day = Day(brief(rollout_percent=percent))
        for name in names:
            day.label("财经", name).reads(1500, name)
        return {event["account_id"] for event in day.events}

    five, ten = invited(5), invited(10)
    assert five < ten
    assert invited(0) == set()
    assert invited(100) == set(names)
    assert five == {name for name in names if bucket(PLATFORM, name) < 5}


def test_raising_the_share_invites_those_who_came_in_and_lowering_it_cancels_nobody() -> None:
    name = next(f"b{number}" for number in range(500) if 5 <= bucket(PLATFORM, f"b{number}") < 10)
    day = Day(brief(rollout_percent=5)).label("财经", name).reads(1500, name)
    assert day.wait(DAY).said() == []
    day.open(brief(rollout_percent=10, version=2))
    assert day.run_timers().said() == [ISSUED]
    day.open(brief(rollout_percent=0, version=3))
    assert day.wait(DAY).said() == []
