"""The broker is gone: an idle worker waits, says so where somebody asks, and is still alive."""

import json
import time
from pathlib import Path

import pytest

from schemas.topics import TopicNames
from streams.local.kafka import KafkaCluster
from tests.worker.harness import Estate
from tests.worker.policies import policy

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]


def _within(seconds: float, estate: Estate, path: str, status: int) -> float:
    began = time.monotonic()
    while estate.workers[0].page(path)[0] != status:
        assert time.monotonic() - began < seconds, f"{path} was not {status} within {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - began


def test_given_an_outage_then_readyz_says_so_within_ten_seconds_and_healthz_answers(
    tmp_path: Path, fresh_app: str
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "weibo.yaml").write_text(policy("weibo"), encoding="utf-8")
    with KafkaCluster(tmp_path / "kafka", brief=True) as cluster:
        names = TopicNames(f"{fresh_app}.", fresh_app)
        estate = Estate(cluster.bootstrap, names, folder, tmp_path, 2).create_topics()
        try:
            estate.start()
            worker = estate.workers[0]
            # One with a transaction under way ends; what is asked here is what an idle one does.
            time.sleep(8)
            cluster.kill()
            _within(10, estate, "/readyz", 503)
            assert worker.page("/healthz")[0] == 200
            time.sleep(10)
            assert worker.page("/healthz")[0] == 200
            assert json.loads(worker.page("/readyz")[1])["kafka_away_seconds"] > 10
            # Another one, started while nobody is there: alive, and not ready.
            estate.workers.append(type(worker)(1, estate.environment, tmp_path).start())
            late = estate.workers[1]
            deadline = time.monotonic() + 30
            while late.page("/healthz")[0] != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert late.page("/readyz")[0] == 503
            cluster.start_broker()
            _within(60, estate, "/readyz", 200)
            log = worker.log.read_text()
            assert log.count("Kafka does not answer") == 1
            assert log.count("Kafka answers again") == 1
        finally:
            estate.stop()
