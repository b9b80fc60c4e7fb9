"""The consumer's thread: idle, it asks its brokers seldom and is no later; ended, it is named.

A worker without a partition stays in its group for ever.
"""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mode.threads import MethodQueue

from streams.engine.config import EngineConfig
from streams.engine.transport import IDLE_AFTER_SECONDS, BatchConsumerThread
from streams.stop_worker import StopWorker
from tests.engine.harness import Toys, wait_until


def test_fetches_wait_for_longer_once_all_partitions_have_been_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    config = EngineConfig(application_id="app", bootstrap_servers="no:1", data_dir=tmp_path)
    thread, fetcher = BatchConsumerThread.__new__(BatchConsumerThread), SimpleNamespace()
    thread.engine = SimpleNamespace(config=config)  # type: ignore[assignment]
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def waits(found: bool) -> int:
        thread._pace(fetcher, found)
        return int(fetcher._fetch_max_wait_ms)

    assert waits(found=False) == config.fetch_max_wait_ms, "nothing was read yet"
    assert waits(found=True) == config.fetch_max_wait_ms
    now += IDLE_AFTER_SECONDS
    assert waits(found=False) == config.fetch_max_wait_ms
    now += 0.01
    assert waits(found=False) == config.idle_fetch_wait_ms
    assert waits(found=True) == config.fetch_max_wait_ms


@pytest.mark.kafka
def test_what_comes_after_idle_seconds_is_not_kept_waiting_nor_is_what_follows_it(
    toys: Toys,
) -> None:
    """With an idle wait of twenty seconds, so that whatever waits for it is noticed."""
    toys.worker(idle_fetch_wait_ms=20_000).ready()
    toys.add(4)
    toys.assert_exact()
    time.sleep(IDLE_AFTER_SECONDS + 1.5)
    for _ in range(3):
        toys.add(1)
        toys.add(4)
        toys.assert_exact(seconds=6)


@pytest.mark.kafka
def test_a_spare_worker_that_has_fetched_nothing_for_days_stays_and_takes_over(
    make_toys: Callable[..., Toys],
) -> None:
    """aiokafka made it leave its group after a day, and never let it join again."""
    toys = make_toys(partitions=1).make_topics()
    first = toys.worker("first").ready(parts=1)
    spare = toys.worker("spare", **{"break": ["idle_for_days"]}, unsettled_seconds=6).ready(parts=0)
    wait_until(lambda: "idle for days" in spare.log, 30, "it has been idle")
    # Two heartbeats and the time that a worker may take to come to an assignment.
    time.sleep(12)
    assert spare.process.poll() is None, spare.log[-3000:]
    assert spare.status["ready"]
    toys.add(10)
    first.stop()
    spare.ready(parts=1)
    toys.add(10)
    toys.assert_exact()


async def test_whoever_asks_a_thread_that_has_just_ended_says_so_too() -> None:
    """Between two looks of the watchdog; "Event loop is closed" helps nobody."""
    loop = asyncio.new_event_loop()
    loop.close()
    thread = BatchConsumerThread.__new__(BatchConsumerThread)
    thread.thread_loop, thread.parent_loop = loop, asyncio.get_running_loop()
    thread._method_queue = MethodQueue(loop=loop)
    with pytest.raises(StopWorker, match="the consumer's thread has ended") as stopped:
        await thread.call_thread(thread._fetch)
    assert stopped.value.exit_code == 70
    thread.knock()
