"""A cluster that changes under a worker, or between two, is noticed in ten seconds and named."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from tests.engine.harness import HarnessWorker, Toys, wait_until

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("which", ["all", "one input", "the broadcast"])
def test_given_partitions_added_under_a_worker_then_only_what_is_favourable_acts(
    toys: Toys, which: str
) -> None:
    worker = toys.worker().ready(parts=4)
    toys.add(40)
    grown = {
        "all": toys.keyed(),
        "one input": [f"{toys.prefix}.adds"],
        "the broadcast": [f"{toys.prefix}.factor"],
    }[which]
    toys.grow(6, *grown)
    began = time.monotonic()
    said = wait_until(lambda: worker.status["changed"], 10, "the change is seen")
    assert time.monotonic() - began < 10
    assert said.startswith("partitions were added: ")
    assert all(
        topic in said for topic in grown if topic.endswith((".adds", ".factor", "changelog"))
    )
    toys.mark("adverse", 200)
    toys.mark("fav", 200)
    toys.add(400)
    toys.assert_exact()
    wait_until(lambda: "fav" in toys.fired(), 10, "the favourable timer")
    time.sleep(6)
    assert toys.fired() == {"fav"}
    # Some ten seconds after partitions were added the group shares them out anew, which may be now:
    # a worker is not ready in that moment.
    worker.ready(parts=4, seconds=5)
    assert sorted(worker.status["parts"]) == ["0", "1", "2", "3"]
    assert worker.status["ready"]
    toys.add(400)
    toys.assert_exact()
    assert worker.stop() == 0
    again = "was built with 4 partitions" if which == "all" else "BYLINE_PARTITIONS=4"
    toys.worker().refuses(again)


@pytest.mark.parametrize("topic", ["adds", "out", "factor", "counts-changelog"])
def test_given_a_topic_deleted_under_a_worker_then_it_is_named_and_the_worker_ends(
    toys: Toys, topic: str
) -> None:
    worker = toys.worker().ready()
    name = f"{toys.prefix}{'-' if topic.endswith('changelog') else '.'}{topic}"
    toys.admin(lambda client: client.delete_topics([name]))
    began = time.monotonic()
    worker.refuses(f"{name} was deleted while the worker ran")
    assert time.monotonic() - began < 12
    assert len(worker.log) < 1_000_000


def test_given_a_topic_deleted_in_a_transaction_that_cannot_end_then_the_topic_is_named(
    toys: Toys,
) -> None:
    """The offsets of a deleted input cannot be committed; the transaction's limit comes first."""
    worker = toys.worker(transaction_timeout_seconds=3.0).ready(parts=4)
    name = f"{toys.prefix}.marks"
    toys.admin(lambda client: client.delete_topics([name]))
    toys.add(40)
    worker.refuses(f"{name} was deleted while the worker ran")


def test_given_a_topic_made_anew_under_a_worker_then_it_is_named_and_the_worker_ends(
    toys: Toys,
) -> None:
    worker = toys.worker().ready()
    toys.add(40)
    toys.assert_exact()
    toys.make_anew(f"{toys.prefix}.adds")
    worker.refuses(f"{toys.prefix}.adds was deleted", seconds=12)


@pytest.mark.parametrize("topic", ["adds", "seals"])
def test_given_a_topic_made_anew_while_nobody_ran_then_the_worker_refuses(
    toys: Toys, topic: str
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    toys.make_anew(f"{toys.prefix}.{topic}")
    # More than before: no offset tells that it is another log.
    for number in range(100):
        toys.produce(topic, "k", "1", number % 4)
    toys.flush()
    toys.worker().refuses(f"{toys.prefix}.{topic} was deleted and made anew")


def test_given_changelogs_made_anew_then_a_group_that_has_read_is_not_begun_again(
    toys: Toys,
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    toys.lose_disk()
    for store in ("counts", "timers"):
        toys.make_anew(f"{toys.prefix}-{store}-changelog", **{"cleanup.policy": "compact"})
    toys.worker().refuses("has no state, but group", f"{toys.prefix}.adds 10")


def test_given_a_changelog_that_lost_its_beginning_then_the_worker_refuses(toys: Toys) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    changelog = f"{toys.prefix}-counts-changelog"
    toys.change(changelog, cleanup_policy="delete")
    toys.worker().refuses(f"changelog {changelog} has cleanup.policy delete")
    gone = {TopicPartition(changelog, 1): RecordsToDelete(before_offset=1)}
    toys.admin(lambda client: client.delete_records(gone, 10_000))
    toys.change(changelog, cleanup_policy="compact")
    toys.worker().refuses(f"changelog {changelog}[1] begins at offset 1")


def test_given_a_changelog_set_to_delete_under_a_worker_then_it_ends(toys: Toys) -> None:
    worker = toys.worker().ready()
    changelog = f"{toys.prefix}-timers-changelog"
    toys.change(changelog, cleanup_policy="compact,delete")
    worker.refuses(f"changelog {changelog} has cleanup.policy compact,delete", seconds=12)


def test_given_inputs_deleted_unread_under_a_worker_then_it_says_so(toys: Toys) -> None:
    worker = toys.worker().ready()
    toys.add(400)
    toys.assert_exact()
    worker.signal(signal.SIGSTOP)
    gone = {TopicPartition(f"{toys.prefix}.adds", 1): RecordsToDelete(before_offset=500)}
    for _ in range(5):
        toys.add(800)
    toys.admin(lambda client: client.delete_records(gone, 10_000))
    worker.signal(signal.SIGCONT)
    code = worker.exit_code()
    if code == 70:
        worker = toys.worker()
    worker.refuses("records were deleted unread")


def test_given_another_application_on_the_same_outputs_then_it_is_refused(
    make_toys: Callable[..., Toys],
) -> None:
    toys = make_toys(2).make_topics()
    toys.add(40)
    toys.worker().ready()
    toys.assert_exact()
    second = Toys(toys.bootstrap, toys.prefix, toys.folder, 2)
    names = [f"{toys.prefix}b-{store}-changelog" for store in ("counts", "timers")]
    compact = {"cleanup.policy": "compact"}
    anew = [NewTopic(name, 2, 1, topic_configs=compact) for name in names]
    toys.admin(lambda client: client.create_topics(anew))
    worker = second.worker("two", application_id=f"{toys.prefix}b")
    worker.refuses(f"application id {toys.prefix} has worked on {toys.prefix}.")


def test_given_the_same_application_under_another_prefix_then_it_is_refused(
    make_toys: Callable[..., Toys], fresh_prefix: str
) -> None:
    toys = make_toys(2).make_topics()
    toys.add(40)
    toys.worker().ready()
    toys.assert_exact()
    toys.workers[0].stop()
    moved = f"{fresh_prefix}moved"
    others = [NewTopic(f"{moved}.{name}", 2, 1) for name in ("adds", "marks", "out", "seals")]
    others.append(NewTopic(f"{moved}.factor", 1, 1))
    toys.admin(lambda client: client.create_topics(others))
    worker = toys.worker("two", prefix=moved, application_id=toys.prefix)
    worker.refuses(f"the state of application id {toys.prefix} belongs to other topics")


def _rewrite_position(toys: Toys, **changes: Any) -> None:
    changelog = f"{toys.prefix}-counts-changelog"
    for partition, messages in toys.read(changelog).items():
        last = [json.loads(m.value()) for m in messages if m.key() == b"#next"][-1]
        value = json.dumps({k: v for k, v in {**last, **changes}.items() if v is not None})
        toys._producer.produce(changelog, value, "#next", partition=partition)
    toys.flush()


def test_given_a_state_of_a_newer_version_then_it_is_refused_and_one_without_ids_is_not(
    toys: Toys,
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    _rewrite_position(toys, ids=None)
    worker = toys.worker("two").ready()
    toys.add(40)
    toys.assert_exact()
    worker.stop()
    _rewrite_position(toys, format=99, next="in another shape")
    toys.worker("three").refuses("has format 99, this version knows formats up to 1")


def test_given_no_look_at_the_cluster_then_adverse_timers_wait_and_favourable_ones_act(
    toys: Toys,
) -> None:
    worker = toys.worker(**{"break": ["no_look"]})
    wait_until(lambda: _served(worker) == 4, 40, "all partitions are served")
    wait_until(lambda: not worker.status["ready"], 20, "Kafka counts as gone")
    toys.mark("adverse", 300)
    toys.mark("fav", 300)
    wait_until(lambda: "fav" in toys.fired(), 10, "the favourable timer")
    before = _cpu_seconds(worker)
    time.sleep(5)
    assert _cpu_seconds(worker) - before < 2
    assert toys.fired() == {"fav"}
    toys.add(40)
    toys.assert_exact()


def test_given_a_slow_first_look_then_no_partition_is_opened_before_it_is_over(toys: Toys) -> None:
    worker = toys.worker(**{"break": ["slow_look"]}).ready()
    assert worker.log.index("the first look is over") < worker.log.index(" ready, ")


def test_given_a_changed_cluster_then_idle_partitions_note_it_too(toys: Toys) -> None:
    worker = toys.worker().ready(parts=4)
    assert not any(toys.read("seals").values())
    toys.grow(6, *toys.keyed())
    wait_until(lambda: worker.status["changed"], 10, "the change is seen")
    wait_until(lambda: all(toys.read("seals").values()), 5, "a transaction of each partition")
    # Each notes it once.
    time.sleep(2)
    assert [len(messages) for messages in toys.read("seals").values()] == [1, 1, 1, 1]


def _served(worker: HarnessWorker) -> int:
    return sum(state == "running" for state, _ in worker.status["parts"].values())


def _cpu_seconds(worker: HarnessWorker) -> float:
    import psutil

    times = psutil.Process(worker.process.pid).cpu_times()
    return float(times.user + times.system)


def test_given_a_transaction_that_hangs_then_the_worker_is_not_ready_until_it_ends(
    toys: Toys,
) -> None:
    from confluent_kafka import Producer

    worker = toys.worker(unreachable_end_seconds=3).ready()
    other = Producer(
        {"bootstrap.servers": toys.bootstrap, "transactional.id": f"{toys.prefix}-other"}
    )
    other.init_transactions(10)
    other.begin_transaction()
    other.produce(f"{toys.prefix}.adds", "1", "x", partition=0)
    other.flush(10)
    wait_until(lambda: worker.status.get("blocked"), 10, "the input is blocked")
    assert worker.status["blocked"] == [f"{toys.prefix}.adds[0]"]
    assert not worker.status["ready"]
    assert f"{toys.prefix}.adds[0] cannot be read beyond offset 0" in worker.log
    other.commit_transaction(10)
    wait_until(lambda: worker.status["ready"], 10, "ready again")
    assert worker.status["blocked"] == []
