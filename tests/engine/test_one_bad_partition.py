"""One partition without a leader holds its own timers, and nobody else's; on three real brokers.

Of the keyed topics every partition lies on the first broker alone, but for one partition of one
input, which lies on the last one alone. That broker is then killed.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from streams.local.kafka import KafkaCluster
from tests.engine.harness import Toys, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
BAD = 1
"""The partition of `adds` that loses its leader."""


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path / "kafka", brokers=3, brief=True, heap_megabytes=256) as cluster:
        yield cluster


@pytest.fixture
def toys(brokers: KafkaCluster, fresh_app: str, tmp_path: Path) -> Iterator[Toys]:
    made = Toys(brokers.bootstrap, fresh_app, tmp_path)
    topics = []
    for topic, count in made.topics().items():
        where = {number: [1] for number in range(count)}
        if topic.endswith(".adds"):
            where[BAD] = [3]
        compact = {"cleanup.policy": "compact"} if topic.endswith("changelog") else {}
        config = {"min.insync.replicas": "1", **compact}
        topics.append(NewTopic(topic, -1, -1, where, config))
    answer = made.admin(lambda client: client.create_topics(topics))
    assert [code for _, code, _ in answer.topic_errors] == [0] * len(topics)
    yield made
    made.close()


def test_given_a_partition_without_leader_then_it_holds_its_own_timers_alone_and_is_named(
    toys: Toys, brokers: KafkaCluster
) -> None:
    worker = toys.worker(unreachable_end_seconds=16).ready(parts=4)
    toys.add(40)
    toys.assert_exact()
    brokers.kill(2)
    time.sleep(8)
    for number in range(4):
        toys.produce("marks", f"fav-{number}", "200", number)
        toys.produce("marks", f"adverse-{number}", "200", number)
    toys.flush()
    of = {n: {f"fav-{n}", f"adverse-{n}"} for n in range(4)}
    others = set().union(*(of[n] for n in of if n != BAD))
    wait_until(lambda: toys.fired() == others, 5, "the timers of the others")

    bad = f"{toys.prefix}.adds[{BAD}]"
    wait_until(lambda: worker.status["blocked"] == [bad], 30, "the input is blocked")
    assert not worker.status["ready"]
    assert worker.log.count(f"the brokers do not say where {bad} ends (no leader is known)") == 1
    for number in range(4):
        toys.produce("marks", f"fav-later-{number}", "100", number)
    toys.flush()
    later = {f"fav-later-{n}" for n in range(4) if n != BAD}
    wait_until(lambda: toys.fired() == others | later, 5, "the later timers of the others")

    brokers.start_broker(2)
    wait_until(lambda: of[BAD] <= toys.fired(), 20, "its own timers")
    wait_until(lambda: worker.status["ready"], 10, "ready again")
    assert worker.status["blocked"] == []
    assert worker.log.count(f"the brokers say again where {bad} ends") == 1
    assert worker.log.count("the brokers do not say where") == 1
    toys.add(40)
    toys.assert_exact()


def test_given_a_partition_without_leader_at_the_start_then_the_others_are_served(
    toys: Toys, brokers: KafkaCluster
) -> None:
    worker = toys.worker().ready(parts=4)
    toys.add(40)
    toys.assert_exact()
    assert worker.stop() == 0
    brokers.kill(2)
    time.sleep(8)
    worker = toys.worker(request_timeout_seconds=11)

    def states() -> list[str]:
        return [state for _, (state, _) in sorted(worker.status["parts"].items())]

    served = ["recovering" if number == BAD else "running" for number in range(4)]
    wait_until(lambda: states() == served, 40, "the others are served")
    for number in range(4):
        toys.produce("marks", f"fav-{number}", "200", number)
    toys.flush()
    others = {f"fav-{number}" for number in range(4) if number != BAD}
    wait_until(lambda: toys.fired() == others, 10, "the timers of the others")
    time.sleep(15)
    assert states() == served
    assert worker.process.poll() is None
    assert worker.log.count(f"{toys.prefix}.adds[{BAD}]: no leader is known") == 1
    brokers.start_broker(2)
    worker.ready(parts=4)
    toys.add(40)
    toys.assert_exact()
