"""kill -9 of a worker in mid-stream, and of the broker: afterwards the outputs are the oracle's."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.topics import TopicNames
from streams.local.kafka import KafkaCluster
from tests.oracle.fold import Rules, fold, lines_of
from tests.worker.commands import audited
from tests.worker.harness import Estate
from tests.worker.policies import policy
from tests.worker.test_real_data import DATA

LINES = (500_000, 1_000_000)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaCluster]:
    """A broker that this test may kill."""
    with KafkaCluster(tmp_path / "kafka", brief=True) as cluster:
        yield cluster


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_workers_and_a_killed_broker_change_nothing(
    own_kafka: KafkaCluster, tmp_path: Path, fresh_app: str
) -> None:
    path = DATA / "reddit_subscribers.csv.gz"
    if not path.exists():
        pytest.skip("../shared/data/reddit_subscribers.csv.gz is not on this machine")
    lines = list(lines_of(path, limit=90_000))
    expected = fold(lines, Rules(lines=LINES, labels={"sfw": "society"}))
    folder = tmp_path / "policies"
    folder.mkdir()
    text = policy("reddit", LINES, {"sfw": "society"})
    (folder / "reddit.yaml").write_text(text, encoding="utf-8")
    names = TopicNames(f"{fresh_app}.", fresh_app)
    estate = Estate(own_kafka.bootstrap, names, folder, tmp_path).create_topics()
    try:
        estate.start(2)
        for key in {line.key for line in lines}:
            account = key.split(":")[1]
            label = {"category": "sfw", "observed_at": lines[0].observed_at.isoformat()}
            estate.put("category-changes", {"platform": "reddit", "account_id": account, **label})
        estate.drain()
        chance = random.Random(20231031)
        for number, line in enumerate(lines):
            estate.put(
                "follower-counts",
                {
                    "platform": line.platform,
                    "account_id": line.account_id,
                    "followers": line.followers,
                    "observed_at": line.observed_at.isoformat(),
                },
            )
            if number in (20_000, 35_000, 50_000, 75_000):
                estate.flush()
                victim = chance.choice(estate.workers)
                victim.kill()
                victim.start()
            if number == 60_000:
                estate.flush()
                own_kafka.kill()
                own_kafka.restart()
                for worker in estate.workers:
                    assert worker.process is not None
                    if worker.process.poll() is not None:
                        worker.start()
        _restart_ended(estate)
        estate.drain(240)
        events = {
            key: [(event["event"], event["reason"]) for event in own]
            for key, own in estate.events().items()
        }
        ids = [event["event_id"] for own in estate.events().values() for event in own]
        assert events == expected.events
        assert len(ids) == len(set(ids))
        assert audited(estate) == []
    finally:
        estate.stop()


def _restart_ended(estate: Estate) -> None:
    """Be the supervisor: who gave up because the broker was gone is started again."""
    for worker in estate.workers:
        assert worker.process is not None
        if worker.process.poll() is not None:
            worker.start()
