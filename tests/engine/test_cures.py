"""Each stall and each lost batch: mended with its cure, and there without it.

streams/engine/DESIGN.md, "What the libraries really do".
"""

import time

import pytest

from tests.engine.harness import HarnessWorker, Toys

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
PATIENCE_SECONDS = 12.0


def _seen(toys: Toys) -> int:
    return sum(map(len, toys.seen().values()))


def _never_seen(toys: Toys, worker: HarnessWorker) -> bool:
    """Whether the worker lives on and something that was sent does not come out."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(1)
        if _seen(toys) >= toys.sent:
            return False
    return worker.process.poll() is None


def _one(toys: Toys) -> None:
    toys.produce("adds", "k", "1", 2)
    toys.flush()
    toys.sent += 1


def test_given_metadata_that_comes_late_then_the_worker_waits_before_it_joins(toys: Toys) -> None:
    toys.add(100)
    toys.worker(**{"break": ["late_metadata"]}).ready(parts=4)
    toys.assert_exact()


def test_without_the_gate_a_leader_assigns_nothing_to_anybody(toys: Toys) -> None:
    toys.add(100)
    options = {"break": ["late_metadata"], "without": ["metadata_gate", "fixed_assignor"]}
    worker = toys.worker(**options, empty_assignment_seconds=3)
    assert worker.exit_code() == 70
    assert "the group's leader assigns no partition to any member" in worker.log


def test_given_a_leader_without_metadata_then_it_distributes_what_the_start_has_seen(
    toys: Toys,
) -> None:
    toys.add(100)
    options = {"break": ["late_metadata"], "without": ["metadata_gate"]}
    toys.worker(**options, empty_assignment_seconds=3).ready(parts=4)
    toys.assert_exact()


@pytest.mark.parametrize("dead", ["dead_fetch", "dead_coordination"])
def test_given_a_dead_task_of_aiokafka_then_the_worker_says_so_and_ends(
    toys: Toys, dead: str
) -> None:
    worker = toys.worker(**{"break": [dead]}).ready()
    assert worker.exit_code() == 70
    assert "_task ended" in worker.log


@pytest.mark.parametrize("dead", ["dead_fetch", "dead_coordination"])
def test_without_a_look_at_the_tasks_the_worker_lives_on_and_does_nothing(
    toys: Toys, dead: str
) -> None:
    worker = toys.worker(**{"break": [dead], "without": ["look_at_tasks"]}).ready()
    time.sleep(8)
    if dead == "dead_fetch":
        toys.add(100)
        assert _never_seen(toys, worker)
    else:
        # No heartbeat follows a rebalance any more: nobody else can take over what it holds on to.
        assert worker.process.poll() is None


def test_without_the_tail_check_a_lost_last_span_stays_silent(toys: Toys) -> None:
    worker = toys.worker(lose=1, without=["tail_check"]).ready()
    _one(toys)
    assert _never_seen(toys, worker)
    assert "tail (" not in worker.log


def test_without_the_span_check_a_lost_span_is_lost(toys: Toys) -> None:
    worker = toys.worker(lose=3, without=["span_check"]).ready()
    for _ in range(10):
        toys.add(200)
        time.sleep(0.1)
    assert _never_seen(toys, worker)
    assert "gap (" not in worker.log


@pytest.mark.parametrize("without", [[], ["stopping_flag"]])
def test_an_assignment_after_the_drain_opens_nothing_but_without_the_flag(
    toys: Toys, without: list[str]
) -> None:
    worker = toys.worker(**{"break": ["late_assignment"], "without": without}).ready(parts=4)
    toys.add(100)
    toys.assert_exact()
    generations = worker.log.count("generation ")
    worker.stop()
    again = worker.log.count("generation ") - generations
    assert again == (1 if without else 0)
