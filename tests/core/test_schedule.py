"""The timers of a partition: no more entries than accounts, and adverse ones that wait aside."""

import time

from streams.core.state.schedule import Schedule


def test_stale_entries_are_cleared_once_they_outnumber_the_others() -> None:
    schedule = Schedule()
    for number in range(100):
        schedule.set(b"k%d" % number, number)
    for at in range(100_000):
        schedule.set(b"k0", at)
    assert len(schedule) == 100
    assert schedule.entries <= 2 * 100 + 64


def test_clearing_keeps_the_order_of_what_counts() -> None:
    busy, quiet = Schedule(), Schedule()
    for number in range(50):
        key, at = b"k%d" % number, (number * 7) % 13
        for turn in range(40):
            busy.set(key, 1000 + turn, since=turn)
        busy.set(key, at, since=50 - number)
        quiet.set(key, at, since=50 - number)
    taken = [[schedule.take(20) for _ in range(51)] for schedule in (busy, quiet)]
    assert taken[0] == taken[1]
    assert taken[0][-1] is None


def test_100_000_changes_of_one_key_cost_linear_time() -> None:
    def cost(count: int) -> float:
        schedule, began = Schedule(), time.process_time()
        for at in range(count):
            schedule.set(b"k", at)
        return time.process_time() - began

    few, many = cost(20_000), cost(100_000)
    assert many < 5 * few * 3, "a multiple of five, with room for a slow machine"


def test_what_is_parked_is_due_but_not_taken_until_the_topics_were_looked_at() -> None:
    schedule = Schedule()
    schedule.park(b"a", 5, 1, evaluated_until=9)
    schedule.set(b"b", 7)
    assert schedule.due() == 5
    assert schedule.take(9) == (7, b"b")
    assert schedule.take(9) is None
    assert not schedule.due_by(9)
    assert schedule.bound(b"a", 9) == 9
    schedule.unpark()
    assert schedule.take(9) == (5, b"a")
    assert schedule.due() is None


def test_what_is_parked_and_set_anew_counts_as_set() -> None:
    schedule = Schedule()
    schedule.park(b"a", 5, 1, evaluated_until=9)
    schedule.set(b"a", 5)
    assert schedule.take(9) == (5, b"a")
    schedule.park(b"a", 5, 1, evaluated_until=9)
    schedule.set(b"a", None)
    schedule.unpark()
    assert schedule.take(9) is None
    assert len(schedule) == 0
