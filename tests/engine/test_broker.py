"""The broker goes away and comes back."""

import time
from pathlib import Path

import pytest

from streams.local.kafka import KafkaCluster
from tests.engine.harness import Toys, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_given_broker_restarts_then_outputs_are_exact(tmp_path: Path, fresh_app: str) -> None:
    with KafkaCluster(tmp_path / "kafka", brief=True) as cluster:
        toys = Toys(cluster.bootstrap, fresh_app, tmp_path).make_topics()
        try:
            toys.worker().ready()
            for hard in (False, True):
                toys.add(400)
                cluster.restart(hard=hard)
                toys.add(400)
                wait_until(lambda: _seen_under_a_supervisor(toys), 60, "all adds have outputs")
            toys.assert_exact()
            print("restarts of the worker:", len(toys.workers) - 1)
        finally:
            toys.close()


def test_given_an_outage_then_an_idle_worker_waits_and_says_so_once(
    tmp_path: Path, fresh_app: str
) -> None:
    with KafkaCluster(tmp_path / "kafka", brief=True) as cluster:
        toys = Toys(cluster.bootstrap, fresh_app, tmp_path).make_topics()
        try:
            worker = toys.worker().ready()
            toys.add(100)
            toys.assert_exact()
            time.sleep(3)
            logged = len(worker.log)
            cluster.kill()
            gone = time.monotonic()
            wait_until(lambda: not worker.status["ready"], 10, "not ready")
            assert time.monotonic() - gone < 10
            time.sleep(20)
            assert worker.process.poll() is None
            assert worker.log.count("Kafka does not answer") == 1
            quiet = len(worker.log) - logged
            cluster.start_broker()
            wait_until(lambda: worker.status["ready"], 40, "ready again")
            assert worker.log.count("Kafka answers again") == 1
            assert quiet < 8_000, worker.log[logged:][:3000]
            toys.add(100)
            toys.assert_exact()
            assert worker.process.poll() is None
        finally:
            toys.close()


def _seen_under_a_supervisor(toys: Toys) -> bool:
    """A worker may see a restart of the broker through, or give up with 70 and be restarted."""
    code = toys.workers[-1].process.poll()
    if code is not None:
        assert code == 70
        toys.worker()
    return sum(map(len, toys.seen().values())) >= toys.sent
