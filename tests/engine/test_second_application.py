"""Outputs of another application id, or of a lost state, are seen without a group and its offsets.

A group's offsets expire a week after its last member has left, and under the printed rights a
worker sees no other group and no other changelog.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic
from confluent_kafka.admin import AdminClient

from streams.operate.acl import Permission
from tests.engine.harness import HarnessWorker, Toys, wait_until
from tests.tls.cluster import PASSWORD, GuardedKafka
from tests.tls.ready import login

pytestmark = pytest.mark.kafka
FIRST = "another application id has worked on these topics, or"


def _worked(toys: Toys) -> None:
    toys.add(40)
    toys.worker().ready()
    toys.assert_exact()


def _changelogs_of(toys: Toys, application_id: str) -> None:
    compact = {"cleanup.policy": "compact"}
    names = [f"{application_id}-{store}-changelog" for store in ("counts", "timers")]
    anew = [NewTopic(name, toys.partitions, 1, topic_configs=compact) for name in names]
    toys.admin(lambda client: client.create_topics(anew))


def _forget_group(toys: Toys) -> None:
    """As Kafka does itself, offsets.retention.minutes after the last member has left."""

    client = AdminClient({"bootstrap.servers": toys.bootstrap, "log_level": 0})

    def gone() -> bool:
        (asked,) = client.delete_consumer_groups([toys.prefix]).values()
        return asked.exception(10) is None

    wait_until(gone, 20, "the group is forgotten")
    assert set(toys.committed("adds")) == {-1001}


def test_given_another_application_whose_offsets_have_expired_then_the_second_is_refused(
    make_toys: Callable[..., Toys],
) -> None:
    toys = make_toys(2).make_topics()
    _worked(toys)
    assert toys.workers[0].stop() == 0
    _forget_group(toys)
    second = f"{toys.prefix}b"
    _changelogs_of(toys, second)
    worker = toys.worker("two", application_id=second)
    worker.refuses(FIRST, f"{toys.prefix}.out[0] ends at", f"{second} has never written")
    toys.assert_exact()
    # The first one goes on: it finds its state, whatever became of its group.
    toys.worker("one").ready()
    toys.add(40)
    toys.assert_exact()


def test_given_changelogs_made_anew_and_expired_offsets_then_nothing_is_begun_again(
    toys: Toys,
) -> None:
    _worked(toys)
    assert toys.workers[0].stop() == 0
    toys.lose_disk()
    for store in ("counts", "timers"):
        toys.make_anew(f"{toys.prefix}-{store}-changelog", **{"cleanup.policy": "compact"})
    _forget_group(toys)
    toys.worker().refuses(FIRST, "has lost its state", "cluster rebuild")
    toys.assert_exact()


def test_given_the_least_rights_then_another_application_is_seen_by_what_it_has_written(
    guarded: GuardedKafka, fresh_app: str, tmp_path: Path
) -> None:
    toys = Toys(guarded.plain, fresh_app, tmp_path, 2, login(guarded)).make_topics()
    second = f"{fresh_app}b"
    granted = _rights(toys, second)
    guarded.allow(granted)
    try:
        _worked(toys)
        _changelogs_of(toys, second)
        worker = _as_worker(toys, guarded, second)
        worker.refuses(FIRST, f"{second} has never written")
        toys.assert_exact()
    finally:
        toys.close()
        guarded.forbid(granted)


def test_given_the_least_rights_then_an_application_alone_starts_and_starts_again(
    guarded: GuardedKafka, fresh_app: str, tmp_path: Path
) -> None:
    toys = Toys(guarded.plain, fresh_app, tmp_path, 2, login(guarded)).make_topics()
    granted = _rights(toys, fresh_app)
    guarded.allow(granted)
    try:
        worker = _as_worker(toys, guarded, fresh_app).ready()
        toys.add(40)
        toys.assert_exact()
        assert worker.stop() == 0
        worker = _as_worker(toys, guarded, fresh_app).ready()
        toys.add(40)
        toys.assert_exact()
    finally:
        toys.close()
        guarded.forbid(granted)


@pytest.mark.parametrize("point", ["after-sends", "after-offsets-before-commit"])
def test_given_a_first_transaction_that_was_aborted_then_its_worker_is_not_refused(
    make_toys: Callable[..., Toys], point: str
) -> None:
    """An aborted record takes an offset of the output, and another one of the changelog."""
    toys = make_toys(1).make_topics()
    toys.add(20)
    worker = toys.worker(failpoint=f"{point}:kill:1")
    assert worker.exit_code() != 0
    toys.worker().ready()
    toys.assert_exact()


def _as_worker(toys: Toys, guarded: GuardedKafka, application_id: str) -> HarnessWorker:
    security = {
        **login(guarded)["security"],
        "sasl_plain_username": "worker",
        "sasl_plain_password": PASSWORD.format(user="worker"),
    }
    return toys.worker("two", application_id=application_id, security=security)


def _rights(toys: Toys, application_id: str) -> list[Permission]:
    """What `byline topics acl --role worker` grants, for the toy's topics."""
    look = "DescribeConfigs"

    def on(name: str, *operations: str) -> Permission:
        return Permission("worker", "topic", name, operations)

    return [
        *(on(f"{toys.prefix}.{name}", "Read", look) for name in ("adds", "marks")),
        on(f"{toys.prefix}.factor", "Read", "Write", look),
        *(on(f"{toys.prefix}.{name}", "Write", look) for name in ("out", "seals")),
        *(
            on(f"{application_id}-{store}-changelog", "Read", "Write", look)
            for store in ("counts", "timers")
        ),
        Permission("worker", "group", application_id, ("Read",)),
        Permission("worker", "transactional-id", f"{application_id}-", ("Write",), prefixed=True),
    ]
