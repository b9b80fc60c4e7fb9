"""Decisions are kept three years at least: shorter is refused by the check and by the worker."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import DAY_MS, EVENT_RETENTION_MS
from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.conftest import until

pytestmark = pytest.mark.kafka


async def keep(settings: Settings, days: int) -> None:
    """Set how long the decision log is kept."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    topic = f"{settings.topic_prefix}decisions"
    changed = {"retention.ms": str(days * DAY_MS)}
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])
    await client.close()


def test_a_log_kept_for_less_than_three_years_is_refused(
    on_kafka: Settings, byline: Byline, worker: Callable[[], Any], tmp_path: Path
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    asyncio.run(keep(on_kafka, 3 * 365 - 1))
    checked = until(lambda: (it := byline("topics", "check")).code == 1 and it, 20, "refused")
    assert f"at least {EVENT_RETENTION_MS} is needed" in checked.out
    assert worker().wait(60) == 2
    said = (tmp_path / "worker.log").read_text().replace("\n", " ")
    assert f"at least {EVENT_RETENTION_MS} is needed" in said


def test_longer_is_not_refused(on_kafka: Settings, byline: Byline) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    asyncio.run(keep(on_kafka, 10 * 366))
    assert "retention.ms" not in byline("topics", "check").out
