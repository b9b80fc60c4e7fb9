"""What a human has to mend is said in one line, with exit code 2; all else is 70."""

import time
from collections.abc import Callable

import pytest

from tests.engine.harness import Toys

pytestmark = pytest.mark.kafka


def test_given_a_refusing_processor_then_its_code_and_nothing_more_is_committed(
    toys: Toys,
) -> None:
    worker = toys.worker(instance_id=None).ready()
    toys.add(40)
    toys.assert_exact()
    toys.produce("marks", "k", "boom", 0)
    toys.flush()
    assert worker.exit_code() == 2
    assert "worker stops (2): the toy was told to refuse" in worker.log
    # It does so again: the record that made it refuse was not passed over.
    assert toys.worker(instance_id=None).exit_code() == 2


def test_given_a_crashing_processor_then_the_worker_wants_a_restart(toys: Toys) -> None:
    worker = toys.worker().ready()
    toys.produce("marks", "k", "crash", 0)
    toys.flush()
    assert worker.exit_code() == 70
    assert "RuntimeError: the toy was told to crash" in worker.log


def test_given_missing_topics_then_the_command_that_makes_them(
    make_toys: Callable[..., Toys],
) -> None:
    toys = make_toys(2).make_topics(skip=("seals", "marks"))
    worker = toys.worker()
    assert worker.exit_code() == 2
    missing = f"missing topics: {toys.prefix}.marks, {toys.prefix}.seals."
    assert f"{missing} Make them with: byline topics create" in worker.log


def test_given_unequal_partitions_then_they_are_listed(make_toys: Callable[..., Toys]) -> None:
    toys = make_toys(2).make_topics(adds=3)
    worker = toys.worker()
    assert worker.exit_code() == 2
    assert f"but have: {toys.prefix}.marks 2, {toys.prefix}.adds 3," in worker.log


def test_given_a_topic_with_small_messages_then_it_is_named(toys: Toys) -> None:
    toys.change(f"{toys.prefix}.out", max_message_bytes="500000")
    worker = toys.worker()
    assert worker.exit_code() == 2
    assert f"{toys.prefix}.out takes batches of 500000 bytes" in worker.log


def test_given_inputs_with_the_producers_times_then_the_topic_is_named(toys: Toys) -> None:
    worker = toys.worker(append_time=True)
    assert worker.exit_code() == 2
    assert f"{toys.prefix}.marks has message.timestamp.type CreateTime" in worker.log
    for topic in ("marks", "adds", "factor"):
        toys.change(f"{toys.prefix}.{topic}", message_timestamp_type="LogAppendTime")
    toys.worker("two", append_time=True).ready()


def test_given_no_broker_then_the_worker_says_so_and_gives_up(toys: Toys) -> None:
    worker = toys.worker(bootstrap_servers="127.0.0.1:29199", broker_wait_seconds=2)
    began = time.monotonic()
    assert worker.exit_code() == 70
    assert time.monotonic() - began < 15
    assert "no Kafka at 127.0.0.1:29199 yet" in worker.log
    assert "worker stops (70): no Kafka at 127.0.0.1:29199 after 2 s" in worker.log


def test_given_a_lost_span_then_it_is_fetched_again(toys: Toys) -> None:
    toys.worker(lose=3).ready()
    for _ in range(10):
        toys.add(200)
        time.sleep(0.1)
    toys.assert_exact()
    log = toys.workers[0].log
    assert "gap (" in log or "tail (" in log


def test_given_the_last_span_is_lost_then_the_tail_check_finds_it(toys: Toys) -> None:
    worker = toys.worker(lose=1).ready()
    toys.produce("adds", "k", "1", 2)
    toys.flush()
    toys.sent += 1
    toys.assert_exact()
    assert "tail (" in worker.log


def test_given_a_span_that_stays_lost_then_the_worker_exits(toys: Toys) -> None:
    worker = toys.worker(lose=1, lose_count=1000).ready()
    toys.add(400)
    assert worker.exit_code() == 70
    assert "a span is missing again after a seek" in worker.log


def test_given_a_stuck_loop_then_the_watchdog_exits(toys: Toys) -> None:
    worker = toys.worker(failpoint="after-store:sleep:2:30", loop_stall_seconds=3).ready()
    toys.add(40)
    time.sleep(1.5)
    toys.add(40)
    assert worker.exit_code() == 70
    assert "the event loop has not turned for 3 s" in worker.log
