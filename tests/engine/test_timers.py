"""A timer acts within a second, once, and never before what was there when it became due."""

import signal
import time

import pytest

from tests.engine.harness import Toys, wait_until

pytestmark = pytest.mark.kafka


def _mark(toys: Toys, key: str, delay_ms: int | None, partition: int = 0) -> None:
    toys.produce("marks", key, "" if delay_ms is None else str(delay_ms), partition)


def _timers(toys: Toys) -> dict[str, list[dict[str, int]]]:
    found: dict[str, list[dict[str, int]]] = {}
    for rows in toys.outputs(b"timer").values():
        for key, value in rows:
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.alone
def test_given_timers_when_due_then_each_acts_once_within_a_second(toys: Toys) -> None:
    toys.worker(name="one").ready()
    for number in range(40):
        _mark(toys, f"t{number}", 500 + 50 * number, number % 4)
    _mark(toys, "taken-back", 1500)
    _mark(toys, "taken-back", None)
    toys.flush()
    timers = wait_until(lambda: (t := _timers(toys)) and len(t) == 40 and t, 15, "40 timers")
    assert all(len(rows) == 1 for rows in timers.values())
    late = sorted(rows[0]["now"] - rows[0]["fired"] for rows in timers.values())
    assert late[0] >= 0
    assert late[-1] <= 1000


def test_given_inputs_before_the_due_instant_when_worker_is_late_then_they_count(
    toys: Toys,
) -> None:
    worker = toys.worker().ready()
    for number in range(20):
        _mark(toys, f"t{number}", 3000, number % 4)
        _mark(toys, f"undone{number}", 3000, number % 4)
    toys.flush()
    time.sleep(1.5)
    worker.kill()
    # In time, but nobody is there to read it before the timers are due.
    for number in range(20):
        toys.produce("adds", f"t{number}", "5", number % 4)
        _mark(toys, f"undone{number}", None, number % 4)
    toys.flush()
    time.sleep(3)
    toys.worker().ready()
    timers = wait_until(lambda: (t := _timers(toys)) and len(t) >= 20 and t, 15, "20 timers")
    assert set(timers) == {f"t{number}" for number in range(20)}
    assert all([row["total"] for row in rows] == [5] for rows in timers.values())


def test_given_a_kill_before_and_after_firing_then_each_timer_acts_once(toys: Toys) -> None:
    for point in ("before-fire", "after-fire"):
        worker = toys.worker(failpoint=f"{point}:kill")
        for number in range(20):
            _mark(toys, f"{point}{number}", 200, number % 4)
        toys.flush()
        assert worker.exit_code() == -signal.SIGKILL
    toys.worker().ready()
    timers = wait_until(lambda: (t := _timers(toys)) and len(t) >= 40 and t, 15, "40 timers")
    assert all(len(rows) == 1 for rows in timers.values())


def test_given_an_open_transaction_then_a_timer_waits_for_it(toys: Toys) -> None:
    from confluent_kafka import Producer

    toys.worker().ready()
    other = Producer(
        {"bootstrap.servers": toys.bootstrap, "transactional.id": f"{toys.prefix}-other"}
    )
    other.init_transactions(10)
    other.begin_transaction()
    other.produce(f"{toys.prefix}.adds", "1", "x", partition=0)
    other.flush(10)
    # Committed at once, but a read_committed reader does not see it past the open one.
    toys.produce("adds", "waits", "5", 0)
    _mark(toys, "waits", 500)
    toys.flush()
    time.sleep(2.5)
    assert _timers(toys) == {}
    other.commit_transaction(10)
    timers = wait_until(lambda: _timers(toys), 10, "the timer")
    assert [row["total"] for row in timers["waits"]] == [5]


@pytest.mark.slow
def test_given_100_000_timers_of_one_minute_then_inputs_keep_flowing(toys: Toys) -> None:
    toys.worker().ready()
    start = int(time.time() * 1000)
    due = start + 12_000
    for number in range(100_000):
        toys.produce("marks", f"t{number}", str(due - start), number % 4, timestamp=start)
    toys.flush()
    wait_until(lambda: time.time() * 1000 > due, 30, "due")
    toys.add_slowly(5, 200)
    toys.assert_exact()

    def all_of_them() -> dict[str, list[dict[str, int]]]:
        found = _timers(toys)
        return found if len(found) == 100_000 else {}

    # Each look reads all of them, so they are few.
    timers = wait_until(all_of_them, 120, "all timers", every=3)
    assert all(len(rows) == 1 for rows in timers.values())
    print("last timer late by ms", max(rows[0]["now"] for rows in timers.values()) - due)
