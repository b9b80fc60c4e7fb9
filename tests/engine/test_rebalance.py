"""Workers come and go under load, and nobody can tell from the outputs."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.engine.harness import Toys, wait_until

pytestmark = pytest.mark.kafka
PLAIN_AND_TLS = pytest.mark.parametrize(
    "way_in", ["plain", pytest.param("TLS", marks=pytest.mark.tls)]
)


def test_given_two_workers_starting_together_then_they_share_and_are_exact(toys: Toys) -> None:
    toys.add(1000)
    one, two = toys.worker("one"), toys.worker("two")
    wait_until(
        lambda: len(one.status["parts"]) == 2 == len(two.status["parts"]) and one.status["ready"],
        40,
        "two parts each",
    )
    toys.add(1000)
    toys.assert_exact()
    assert not set(one.status["parts"]) & set(two.status["parts"])


@PLAIN_AND_TLS
def test_given_joining_and_leaving_under_load_then_outputs_are_exact(
    toys: Toys, way_in: str
) -> None:
    one = toys.worker("one", instance_id=None).ready(parts=4)
    toys.add_slowly(1, 400)
    two = toys.worker("two", instance_id=None)
    toys.add_slowly(6, 400)
    two.ready(parts=2)
    assert two.stop() == 0
    toys.add_slowly(2, 400)
    one.ready(parts=4)
    toys.worker("three", instance_id=None)
    toys.add_slowly(4, 400)
    assert one.stop() == 0
    toys.add_slowly(2, 400)
    toys.assert_exact()


def test_given_a_second_worker_then_the_first_keeps_nothing_of_what_it_gave_away(
    toys: Toys,
) -> None:
    """The collector does not visit frozen objects, and seldom others."""
    toys.add(1000)
    one = toys.worker("one").ready(parts=4)
    assert one.status["kept"] == 4
    before = one.status["frozen"]
    toys.worker("two").ready(parts=2)
    one.ready(parts=2)
    wait_until(lambda: one.status["kept"] == 2, 10, "the parts that left are gone from memory")
    wait_until(lambda: one.status["frozen"] != before, 10, "what was theirs is frozen no more")


def test_given_a_worker_too_many_then_it_stands_by(make_toys: Callable[..., Toys]) -> None:
    toys = make_toys(1).make_topics()
    toys.worker("one", instance_id=None).ready(parts=1)
    two = toys.worker("two", instance_id=None, empty_assignment_seconds=2)
    wait_until(lambda: two.status.get("generation", -1) > 0, 20, "two has joined")
    time.sleep(5)
    workers = [worker for worker in toys.workers if worker.process.poll() is None]
    assert len(workers) == 2


@pytest.mark.slow
def test_given_a_freeze_longer_than_the_session_then_the_frozen_one_is_fenced(toys: Toys) -> None:
    toys.add(400)
    one = toys.worker("one", session_timeout_seconds=6.0).ready()
    two = toys.worker("two", session_timeout_seconds=6.0).ready(parts=2)
    one.signal(signal.SIGSTOP)
    toys.add_slowly(8, 200)
    two.ready(parts=4)
    one.signal(signal.SIGCONT)
    toys.add_slowly(4, 200)
    toys.assert_exact()
    # Either it noticed while idle and rejoined, or it tried to commit and was fenced.
    assert one.process.poll() in (None, 70)


@pytest.mark.slow
@PLAIN_AND_TLS
def test_given_kill_9_of_one_of_two_then_the_other_takes_over(toys: Toys, way_in: str) -> None:
    one = toys.worker("one", session_timeout_seconds=6.0).ready()
    two = toys.worker("two", session_timeout_seconds=6.0).ready(parts=2)
    toys.add_slowly(1, 400)
    one.kill()
    toys.add_slowly(2, 400)
    toys.assert_exact(40)
    two.ready(parts=4)
