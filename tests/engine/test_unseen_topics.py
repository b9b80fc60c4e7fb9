"""What a look cannot see is said, once, and held against adverse events until it is seen again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from streams.engine import cluster_watch
from streams.engine.clock import Clock
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.preflight import inspect_cluster
from streams.kafka.requests.offsets import OffsetAnswer
from streams.operate.acl import Permission
from tests.cli.guarded import SPEC, engine_config, topics
from tests.tls.cluster import GuardedKafka

__all__ = ["topics"]

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def _watching(kafka: GuardedKafka, folder: Path) -> AsyncIterator[ClusterWatch]:
    config, clock = engine_config(kafka, folder), Clock(10.0)
    cluster = await inspect_cluster(config, SPEC, logging.getLogger())
    watch = ClusterWatch(config, SPEC, clock, cluster, lambda: None)
    running = asyncio.create_task(watch.run())
    try:
        assert await watch.looked_since(clock.now())
        yield watch
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _until(true: object, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.1)


async def test_given_a_topic_that_may_be_seen_no_more_then_it_is_said_until_it_may_be(
    topics: GuardedKafka,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_watch, "EVERY_SECONDS", 0.2)
    monkeypatch.setattr(cluster_watch, "UNSEEN_SECONDS", 1.0)
    name = "byline.throttles"
    right = Permission("worker", "topic", name, ("Write", "DescribeConfigs"))
    async with _watching(topics, tmp_path) as watch:
        topics.forbid([right])
        try:
            await _until(lambda: watch.holding, 10)
            assert watch.holding is not None
            assert f"{name}: no right to see it; `byline topics acl --role worker`" in watch.holding
            assert not await watch.looked_since(Clock(10.0).now())
            assert not watch.away
            await asyncio.sleep(1)
        finally:
            topics.allow([right])
        await _until(lambda: watch.holding is None, 10)
        assert await watch.looked_since(Clock(10.0).now())
    events = [getattr(it, "event", "") for it in caplog.records]
    assert events.count("topics_unseen") == 1
    assert events.count("topics_seen") == 1


async def test_given_settings_that_may_be_read_no_more_then_it_is_said(
    topics: GuardedKafka,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_watch, "EVERY_SECONDS", 0.2)
    right = Permission("worker", "topic", "byline-accounts-changelog", ("DescribeConfigs",))
    async with _watching(topics, tmp_path):
        topics.forbid([right])
        try:
            await _until(lambda: "do not tell the settings of" in caplog.text, 10)
            await asyncio.sleep(2)
        finally:
            topics.allow([right])
    said = [it.getMessage() for it in caplog.records if "do not tell the settings" in it.msg]
    assert len(said) == 1
    assert "byline-accounts-changelog: while they do not" in said[0]


async def test_given_a_partition_not_in_use_whose_end_nobody_tells_then_adverse_events_wait(
    topics: GuardedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_watch, "UNSEEN_SECONDS", 0.0)
    config, clock = engine_config(topics, tmp_path), Clock(10.0)
    stray = TopicPartition("byline.controls", 1)
    cluster = await inspect_cluster(config, SPEC, logging.getLogger())
    watch = ClusterWatch(config, SPEC, clock, replace(cluster, beyond=(stray,)), lambda: None)
    answers = [OffsetAnswer({}, {stray: "no leader is known"}), OffsetAnswer({stray: 0}, {})]

    async def ends(_: list[TopicPartition]) -> OffsetAnswer:
        return answers[0]

    watch.ends = ends
    try:
        assert not await watch.looked_since(clock.now())
        assert watch.holding is not None
        assert "byline.controls[1]: no leader is known" in watch.holding
        answers.pop(0)
        assert await watch.looked_since(clock.now())
        assert watch.holding is None
    finally:
        await watch._client.close()  # type: ignore[union-attr]
