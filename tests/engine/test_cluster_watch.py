"""A cluster that changes under a worker, or between two, is noticed in ten seconds and named."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from harness import Toys, Worker, wait_until

pytestmark = pytest.mark.kafka


def _grow(toys: Toys, count: int, *topics: str) -> None:
    more = {topic: NewPartitions(total_count=count) for topic in topics}
    toys.admin(lambda client: client.create_partitions(more))


def _keyed(toys: Toys) -> list[str]:
    return [topic for topic, count in toys.topics().items() if count > 1]


def _make_anew(toys: Toys, topic: str, **config: str) -> None:
    count = toys.topics()[topic]
    toys.admin(lambda client: client.delete_topics([topic]))
    anew = NewTopic(topic, count, 1, topic_configs=config)

    def made() -> bool:
        ((_, code, _),) = toys.admin(lambda client: client.create_topics([anew])).topic_errors
        return bool(code == 0)

    wait_until(made, 10, f"{topic} made anew")


def _set(toys: Toys, topic: str, **config: str) -> None:
    wanted = ConfigResource(
        ConfigResourceType.TOPIC, topic, {k.replace("_", "."): v for k, v in config.items()}
    )
    toys.admin(lambda client: client.alter_configs([wanted]))


def _mark(toys: Toys, key: str, delay_ms: int) -> None:
    toys.produce("marks", key, str(delay_ms), 0)
    toys.flush()


def _fired(toys: Toys) -> set[str]:
    return {key for rows in toys.outputs(b"timer").values() for key, _ in rows}


def _refuses(worker: Worker, *words: str, seconds: float = 40) -> None:
    assert worker.exit_code(seconds) == 2
    for word in words:
        assert word in worker.log


@pytest.mark.parametrize("which", ["all", "one input", "the broadcast"])
def test_given_partitions_added_under_a_worker_then_only_what_is_favourable_acts(
    toys: Toys, which: str
) -> None:
    worker = toys.worker().ready(parts=4)
    toys.add(40)
    grown = {
        "all": _keyed(toys),
        "one input": [f"{toys.prefix}.adds"],
        "the broadcast": [f"{toys.prefix}.factor"],
    }[which]
    _grow(toys, 6, *grown)
    began = time.monotonic()
    said = wait_until(lambda: worker.status["changed"], 10, "the change is seen")
    assert time.monotonic() - began < 10
    assert said.startswith("partitions were added: ")
    assert all(
        topic in said for topic in grown if topic.endswith((".adds", ".factor", "changelog"))
    )
    _mark(toys, "adverse", 200)
    _mark(toys, "fav", 200)
    toys.add(400)
    toys.assert_exact()
    wait_until(lambda: "fav" in _fired(toys), 10, "the favourable timer")
    time.sleep(6)
    assert _fired(toys) == {"fav"}
    assert sorted(worker.status["parts"]) == ["0", "1", "2", "3"]
    assert worker.status["ready"]
    toys.add(400)
    toys.assert_exact()
    assert worker.stop() == 0
    again = "was built with 4 partitions" if which == "all" else "must have"
    _refuses(toys.worker(), again)


@pytest.mark.parametrize("topic", ["adds", "out", "factor", "counts-changelog"])
def test_given_a_topic_deleted_under_a_worker_then_it_is_named_and_the_worker_ends(
    toys: Toys, topic: str
) -> None:
    worker = toys.worker().ready()
    name = f"{toys.prefix}{'-' if topic.endswith('changelog') else '.'}{topic}"
    toys.admin(lambda client: client.delete_topics([name]))
    began = time.monotonic()
    _refuses(worker, f"{name} was deleted while the worker ran")
    assert time.monotonic() - began < 12
    assert len(worker.log) < 1_000_000


def test_given_a_topic_made_anew_under_a_worker_then_it_is_named_and_the_worker_ends(
    toys: Toys,
) -> None:
    worker = toys.worker().ready()
    toys.add(40)
    toys.assert_exact()
    _make_anew(toys, f"{toys.prefix}.adds")
    _refuses(worker, f"{toys.prefix}.adds was deleted", seconds=12)


@pytest.mark.parametrize("topic", ["adds", "seals"])
def test_given_a_topic_made_anew_while_nobody_ran_then_the_worker_refuses(
    toys: Toys, topic: str
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    _make_anew(toys, f"{toys.prefix}.{topic}")
    # More than before: no offset tells that it is another log.
    for number in range(100):
        toys.produce(topic, "k", "1", number % 4)
    toys.flush()
    _refuses(toys.worker(), f"{toys.prefix}.{topic} was deleted and made anew")


def test_given_a_topic_made_anew_that_is_accepted_by_its_id_then_it_is_read_from_its_beginning(
    toys: Toys,
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    name = f"{toys.prefix}.adds"
    _make_anew(toys, name)
    for number in range(4):
        toys.produce("adds", f"anew{number}", "1", number)
    toys.flush()
    refused = toys.worker("two", accepted_topics={name: "another"})
    _refuses(refused, "BYLINE_ACCEPT_TOPICS=")
    (topic_id,) = re.findall(rf"BYLINE_ACCEPT_TOPICS={name}=([\w-]{{22}})", refused.log)[:1]
    for again in ("three", "three"):
        worker = toys.worker(again, accepted_topics={name: topic_id}).ready()
        wait_until(
            lambda: len([1 for r in toys.outputs(b"add").values() for _ in r]) == 44, 20, "4"
        )
        worker.stop()
    anew = {key for rows in toys.outputs(b"add").values() for key, _ in rows if "anew" in key}
    assert anew == {"anew0", "anew1", "anew2", "anew3"}
    assert toys.worker("four").ready().stop() == 0


def test_given_changelogs_made_anew_then_a_group_that_has_read_is_not_begun_again(
    toys: Toys,
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    toys.lose_disk()
    for store in ("counts", "timers"):
        _make_anew(toys, f"{toys.prefix}-{store}-changelog", **{"cleanup.policy": "compact"})
    _refuses(toys.worker(), "has no state, but group", f"{toys.prefix}.adds 10")


def test_given_a_changelog_that_lost_its_beginning_then_the_worker_refuses(toys: Toys) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    toys.assert_exact()
    worker.stop()
    changelog = f"{toys.prefix}-counts-changelog"
    _set(toys, changelog, cleanup_policy="delete")
    _refuses(toys.worker(), f"changelog {changelog} has cleanup.policy delete")
    gone = {TopicPartition(changelog, 1): RecordsToDelete(before_offset=1)}
    toys.admin(lambda client: client.delete_records(gone, 10_000))
    _set(toys, changelog, cleanup_policy="compact")
    _refuses(toys.worker(), f"changelog {changelog}[1] begins at offset 1")


def test_given_a_changelog_set_to_delete_under_a_worker_then_it_ends(toys: Toys) -> None:
    worker = toys.worker().ready()
    changelog = f"{toys.prefix}-timers-changelog"
    _set(toys, changelog, cleanup_policy="compact,delete")
    _refuses(worker, f"changelog {changelog} has cleanup.policy compact,delete", seconds=12)


def test_given_inputs_deleted_unread_under_a_worker_then_it_says_so(toys: Toys) -> None:
    worker = toys.worker(failpoint="after-commit-before-store:sleep:3:4").ready()
    toys.add(400)
    toys.assert_exact()
    gone = {TopicPartition(f"{toys.prefix}.adds", 1): RecordsToDelete(before_offset=500)}
    for _ in range(5):
        toys.add(800)
    toys.admin(lambda client: client.delete_records(gone, 10_000))
    code = worker.exit_code()
    if code == 70:
        worker = toys.worker()
    _refuses(worker, "records were deleted unread")


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
    _refuses(worker, f"application id {toys.prefix} has worked on {toys.prefix}.")


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
    _refuses(worker, f"the state of application id {toys.prefix} belongs to other topics")


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
    _refuses(toys.worker("three"), "has format 99, this version knows formats up to 1")


def test_given_no_look_at_the_cluster_then_adverse_timers_wait_and_favourable_ones_act(
    toys: Toys,
) -> None:
    worker = toys.worker(**{"break": ["no_look"]}).ready()
    _mark(toys, "adverse", 300)
    _mark(toys, "fav", 300)
    wait_until(lambda: "fav" in _fired(toys), 10, "the favourable timer")
    before = _cpu_seconds(worker)
    time.sleep(5)
    assert _cpu_seconds(worker) - before < 2
    assert _fired(toys) == {"fav"}
    toys.add(40)
    toys.assert_exact()


def _cpu_seconds(worker: Worker) -> float:
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
