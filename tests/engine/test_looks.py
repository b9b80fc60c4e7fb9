"""How long a topic may be missing before it counts as deleted; without a broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.engine import cluster_watch
from streams.engine.clock import Clock
from streams.engine.cluster_watch import MISSING_SECONDS, ClusterWatch
from streams.engine.config import EngineConfig
from streams.engine.preflight import KnownCluster
from streams.kafka.requests.metadata import UNKNOWN_TOPIC, TopicView, View
from streams.stop_worker import StopWorker
from tests.engine.toy import Toy

HERE, GONE = TopicView("id", 4), TopicView("", 0, UNKNOWN_TOPIC)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[ClusterWatch]:
    config = EngineConfig(application_id="a", bootstrap_servers="127.0.0.1:1", data_dir=tmp_path)
    spec = Toy("a").spec
    names = (*spec.topics, *spec.output_topics, "a-counts-changelog", "a-timers-changelog")
    known = KnownCluster("c", 4, dict.fromkeys(names, HERE), {})
    made = ClusterWatch(config, spec, Clock(10.0), known, lambda: None)
    yield made
    made._quiet(False)


def seen(watch: ClusterWatch, **other: TopicView) -> bool:
    topics = {**watch._cluster.topics, **{f"a.{name}": view for name, view in other.items()}}
    return watch.judge(View("c", topics))


def test_given_many_looks_at_a_starting_broker_then_no_topic_counts_as_deleted(
    watch: ClusterWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers that are due ask for looks of their own, many in a second."""
    now = 1000.0
    monkeypatch.setattr(cluster_watch.time, "monotonic", lambda: now)
    for _ in range(50):
        assert not seen(watch, adds=GONE)
    now += MISSING_SECONDS - 0.1
    assert not seen(watch, adds=GONE)
    assert seen(watch)
    assert not seen(watch, adds=GONE)
    now += MISSING_SECONDS - 0.1
    assert not seen(watch, adds=GONE)
    now += 0.2
    with pytest.raises(StopWorker, match=r"a\.adds was deleted while the worker ran"):
        seen(watch, adds=GONE)


async def test_given_a_missing_topic_then_an_error_waits_until_it_is_back(
    watch: ClusterWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [GONE, GONE, HERE]

    async def look() -> None:
        seen(watch, adds=answers.pop(0))

    monkeypatch.setattr(watch, "_take_look", look)
    waiting = asyncio.create_task(watch.verdict())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await watch._shared_look()
    await asyncio.sleep(0)
    assert not waiting.done()
    await watch._shared_look()
    await asyncio.wait_for(waiting, 1)
    assert answers == []
