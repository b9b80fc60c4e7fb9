"""The broker goes away and comes back."""

from pathlib import Path

import pytest
from harness import Toys, wait_until

from streams.local.kafka import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_given_broker_restarts_then_outputs_are_exact(tmp_path: Path, fresh_app: str) -> None:
    with KafkaCluster(tmp_path / "kafka") as cluster:
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


def _seen_under_a_supervisor(toys: Toys) -> bool:
    """A worker may see a restart of the broker through, or give up with 70 and be restarted."""
    code = toys.workers[-1].process.poll()
    if code is not None:
        assert code == 70
        toys.worker()
    return sum(map(len, toys.seen().values())) >= toys.sent
