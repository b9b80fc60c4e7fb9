"""The broker goes away and comes back."""

from pathlib import Path

import pytest
from harness import Toys

from streams.local.kafka import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_given_broker_restarts_then_outputs_are_exact(tmp_path: Path, fresh_app: str) -> None:
    with KafkaCluster(tmp_path / "kafka") as cluster:
        toys = Toys(cluster.bootstrap, fresh_app, tmp_path).make_topics()
        try:
            worker = toys.worker().ready()
            for hard in (False, True):
                toys.add(400)
                cluster.restart(hard=hard)
                toys.add(400)
                if worker.process.poll() is not None:
                    # It may give up (70) and be restarted by its supervisor, or see it through.
                    assert worker.process.returncode == 70
                    worker = toys.worker()
            try:
                toys.assert_exact(40)
            except AssertionError:
                assert worker.exit_code() == 70
                toys.worker().ready()
                toys.assert_exact(40)
        finally:
            toys.close()
