"""Guards: rates at which a platform's adverse events stop by themselves, until a quiet window."""

from dataclasses import replace
from typing import Any

import pytest

from streams.core.limits.guards import Guard, GuardBook, GuardTally
from streams.core.model.policy import Guards
from tests.core.given import DAY, HOUR, MINUTE, START, Day
from tests.core.states import ISSUED, brief


def guarded(**limits: int) -> Any:
    """A policy whose guards close over a window of a day, from two cases on."""
    none = dict.fromkeys(("undelivered", "overturned", "sudden_eligible", "sudden_drop"))
    ppm = {f"{name}_ppm": limits.get(name) for name in none}
    return brief(guards=Guards(DAY, 2, **ppm))


def some(day: Day, count: int, first: int = 1) -> list[str]:
    """Several accounts over the line."""
    names = [f"g{number}" for number in range(first, first + count)]
    for name in names:
        day.label("财经", name).reads(1500, name)
    return names


def test_bounced_notices_close_the_guard_until_a_quiet_window_has_passed() -> None:
    day = Day(guarded(undelivered=400_000))
    for name in some(day, 4):
        day.wait(MINUTE).receipt("failed", name)
    closed_at = day.now
    day.said()
    some(day, 1, first=9)
    assert day.wait(closed_at + DAY - 1 - day.now).said() == [], "issues wait"
    assert day.wait(1).said() == [ISSUED]


def test_a_closed_guard_lets_favourable_events_flow() -> None:
    day = Day(guarded(undelivered=400_000))
    for name in some(day, 4):
        day.wait(MINUTE).receipt("failed", name)
    day.said()
    assert day.answer("granted", "g1").said() == ["delivered answer", "granted answer"]
    assert day.answer("withdrawn", "g1", at=day.now + 1).said() == ["withdrawn answer"]


def test_upheld_appeals_close_the_guard() -> None:
    day = Day(guarded(overturned=400_000))
    for name in some(day, 4):
        day.receipt("delivered", name)
    day.wait(3 * DAY).said()
    day.control("appeal_upheld", "g1").control("appeal_upheld", "g2")
    day.said()
    assert some(day, 1, first=9)
    assert day.said() == []


def test_rejected_appeals_are_cases_too() -> None:
    day = Day(guarded(overturned=400_000))
    for name in some(day, 5):
        day.receipt("delivered", name)
    day.wait(3 * DAY).said()
    for number in (1, 2, 3):
        day.control("appeal_rejected", f"g{number}")
    day.control("appeal_upheld", "g4").control("appeal_upheld", "g5").said()
    some(day, 1, first=9)
    assert day.said() == [ISSUED], "two of five are not over 40 %"


@pytest.mark.parametrize(("partition_count", "least_cases"), [(1, 50), (8, 7), (32, 3)])
def test_partitions_share_out_the_minimum_but_one_or_two_are_chance(
    partition_count: int, least_cases: int
) -> None:
    policy = brief(guards=replace(guarded(undelivered=200_000).guards, minimum=50))
    book, now = GuardBook(), 0

    def bounced() -> bool:
        return book.count(policy, Guard.UNDELIVERED, now, 1, 1, 0, partition_count)

    assert [bounced() for _ in range(least_cases)] == [False] * (least_cases - 1) + [True]


def test_a_collectors_fault_closes_the_guard() -> None:
    day = Day(guarded(sudden_drop=500_000))
    names = some(day, 4)
    day.said()
    for name in names[:3]:
        day.wait(MINUTE).reads(100, name)
    some(day, 1, first=9)
    assert day.wait(HOUR).said() == []


def test_too_many_suddenly_eligible_close_the_guard() -> None:
    day = Day(guarded(sudden_eligible=500_000))
    some(day, 10)
    assert len(day.said()) < 10


def test_a_new_window_counts_what_lies_in_it_and_no_more() -> None:
    tally = GuardTally()
    for hour in range(5):
        tally.add(START + hour * HOUR, HOUR, 1, 1)
    tally.add(START + 5 * HOUR, DAY, 1, 0)
    assert tally.totals() == (2, 1), "the longer window begins with what the shorter one held"
    tally.add(START + 30 * DAY, DAY, 1, 0)
    assert tally.totals() == (1, 0)
