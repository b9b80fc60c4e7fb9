"""A worker and its group: it leaves for good when it stops, and throws nobody out."""

import time

import pytest

from tests.engine.harness import Toys, wait_until

pytestmark = pytest.mark.kafka
LONG_SESSION = {"session_timeout_seconds": 25.0}


def test_given_a_clean_stop_of_one_of_two_then_the_other_takes_over_before_the_session_ends(
    toys: Toys,
) -> None:
    one = toys.worker("one", **LONG_SESSION).ready()
    two = toys.worker("two", **LONG_SESSION).ready(parts=2)
    toys.add(200)
    assert two.stop() == 0
    stopped = time.monotonic()
    one.ready(parts=4)
    assert time.monotonic() - stopped < 12
    toys.assert_exact()


def test_given_a_wrong_assignment_then_the_worker_leaves_and_does_not_get_it_again(
    toys: Toys,
) -> None:
    worker = toys.worker(**{"break": ["half_assignment"]}, **LONG_SESSION)
    assert worker.exit_code() == 70
    assert "was not assigned for all topics" in worker.log
    toys.worker(**LONG_SESSION).ready(parts=4, seconds=20)


def test_without_leaving_a_wrong_assignment_is_given_again(toys: Toys) -> None:
    options = {"break": ["half_assignment"], "without": ["no_leaving"]}
    assert toys.worker(**options, **LONG_SESSION).exit_code() == 70
    worker = toys.worker(**LONG_SESSION)
    assert worker.exit_code() == 70
    assert worker.log.count("was not assigned for all topics") >= 2


def test_given_two_workers_of_one_instance_id_then_the_later_one_stays_out_until_the_other_is_gone(
    toys: Toys,
) -> None:
    one = toys.worker("one").ready(parts=4)
    generation = one.status["generation"]
    two = toys.worker("two", instance_id="one")
    wait_until(lambda: two.status.get("ousted"), 40, "the later one knows")
    assert "INSTANCE_ID one is in group" in two.log
    assert "another worker with INSTANCE_ID one lives in group" in two.log
    assert "on /127.0.0.1" in two.log
    assert not two.status["ready"]
    time.sleep(5)
    toys.add(100)
    toys.assert_exact()
    assert one.status["ready"]
    assert one.status["generation"] == generation
    assert one.stop() == 0
    two.ready(parts=4)
    toys.add(100)
    toys.assert_exact()


def test_given_two_workers_of_one_instance_id_at_once_then_one_works_and_the_other_says_so(
    toys: Toys,
) -> None:
    workers = [toys.worker(name, instance_id="one") for name in ("one", "two")]
    wait_until(lambda: any(it.status.get("ousted") for it in workers), 60, "one of them knows")
    (loser,) = [it for it in workers if it.status.get("ousted")]
    (winner,) = [it for it in workers if it is not loser]
    winner.ready(parts=4)
    generation = winner.status["generation"]
    toys.add(100)
    toys.assert_exact()
    time.sleep(5)
    assert winner.status["generation"] == generation
    assert not loser.status["ready"]
    assert loser.log.count("another worker with INSTANCE_ID one lives in group") == 1
    assert loser.process.poll() is None


@pytest.mark.parametrize("how", ["stuck_thread", "ended_thread"])
def test_given_a_consumer_thread_that_stands_still_or_has_ended_then_the_worker_ends(
    toys: Toys, how: str
) -> None:
    worker = toys.worker(**{"break": [how]}, loop_stall_seconds=4).ready()
    assert worker.exit_code() == 70
    assert "the consumer" in worker.log.rsplit("worker stops (70)", 1)[1]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stuck_thread", "ended_thread"])
def test_without_a_look_at_the_thread_the_worker_lives_on_and_reads_nothing(
    toys: Toys, how: str
) -> None:
    options = {"break": [how], "without": ["look_at_thread"]}
    worker = toys.worker(**options, loop_stall_seconds=4).ready()
    time.sleep(12)
    toys.add(40)
    time.sleep(8)
    assert worker.process.poll() is None
    assert sum(map(len, toys.seen().values())) == 0
