"""Decisions are kept three years at least: less is refused by the check and by every worker."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import DAY_MS, EVENT_RETENTION_MS
from streams.operate.topics import create, kept_too_short
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.conftest import until
from tests.support.topic_settings import change_topic

pytestmark = pytest.mark.kafka


async def keep(settings: Settings, **changed: str) -> None:
    """Set how the decision log is kept: `retention_ms` and the like."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    await change_topic(client, f"{settings.topic_prefix}decisions", **changed)
    await client.close()


def faust_worker(log: Path) -> int:
    """Faust's own command with the same app; its exit code."""
    command = [sys.executable, "-m", "faust", "-A", "streams.worker", "worker", "-l", "info"]
    with log.open("wb") as out:
        done = subprocess.run(
            command, stdout=out, stderr=out, timeout=60, cwd=Path(__file__).parents[2]
        )
    return done.returncode


def test_a_log_kept_for_less_than_three_years_is_refused(
    on_kafka: Settings, byline: Byline, worker: Callable[[], Any], tmp_path: Path
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    asyncio.run(keep(on_kafka, retention_ms=str((3 * 365 - 1) * DAY_MS)))
    checked = until(lambda: (it := byline("topics", "check")).code == 1 and it, 20, "refused")
    assert f"at least {EVENT_RETENTION_MS} is needed" in checked.out
    assert worker().ended(60) == 2
    faust_log = tmp_path / "faust.log"
    assert faust_worker(faust_log) == 2
    for log in (tmp_path / "worker.log", faust_log):
        said = log.read_text().replace("\n", " ")
        assert f"at least {EVENT_RETENTION_MS} is needed: mend it with kafka-configs" in said


def test_a_log_that_a_size_or_compaction_cuts_is_refused(
    on_kafka: Settings, byline: Byline, worker: Callable[[], Any], tmp_path: Path
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    ms = str(EVENT_RETENTION_MS)
    cut = {"retention_bytes": "1000000000", "cleanup_policy": "compact,delete"}
    asyncio.run(keep(on_kafka, retention_ms=ms, **cut))
    until(lambda: len(asyncio.run(kept_too_short(on_kafka))) == 2, 20, "refused")
    words = [
        "decisions: cleanup.policy is compact,delete, delete is needed",
        "decisions: retention.bytes is 1000000000, -1 is needed",
    ]
    checked = byline("topics", "check")
    assert checked.code == 1
    assert all(it in checked.out for it in words)
    assert worker().ended(60) == 2
    said = (tmp_path / "worker.log").read_text().replace("\n", " ")
    assert all(it in said for it in words)


def test_longer_is_not_refused(on_kafka: Settings, byline: Byline) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    asyncio.run(keep(on_kafka, retention_ms=str(10 * 366 * DAY_MS)))
    assert "retention" not in byline("topics", "check").out
    assert asyncio.run(kept_too_short(on_kafka)) == []
