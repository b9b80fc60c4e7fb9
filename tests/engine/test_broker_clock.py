"""A machine whose clock is ahead restricts nobody early, and its times stop no successor."""

import asyncio
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError

from streams.engine import broker_clock
from streams.engine.broker_clock import BrokerClock, PartitionClock
from streams.engine.clock import Clock
from streams.engine.config import EngineConfig
from streams.stop_worker import ExitCode, StopWorker
from tests.engine.harness import Toys, wait_until

PLACE = TopicPartition("p-counts-changelog", 0)
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
SOON_MS = 14_000


@pytest.mark.kafka
def test_given_a_clock_ahead_then_adverse_timers_wait_on_this_worker_and_on_the_next(
    toys: Toys,
) -> None:
    ahead = toys.worker("one", ahead_seconds=25)
    ahead.ready()
    due = time.time() + SOON_MS / 1000
    toys.mark("adverse", SOON_MS)
    toys.mark("fav", SOON_MS)
    toys.add(40)
    wait_until(lambda: "fav" in toys.fired(), 10, "the favourable timer")
    time.sleep(3)
    assert toys.fired() == {"fav"}
    assert time.time() < due
    said = rf"clock is 2[45] s ahead of the broker's: it says {TIME}, the broker's {TIME}"
    assert re.search(said, ahead.log)
    ahead.kill()
    right = toys.worker("one").ready()
    assert re.search(rf"last transaction of partition 0 is of {TIME}: this clock is", right.log)
    toys.add(40)
    toys.assert_exact()
    wait_until(lambda: "adverse" in toys.fired(), 40, "the adverse timer")
    assert time.time() >= due
    assert "this clock agrees" not in right.log


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("ahead_seconds", "words"),
    [
        (1_000, ("clock is 1000 s ahead of the broker's", "--favourable-only")),
        # Beyond an hour brokers refuse records of that time.
        (5_000, ("clock is 5000 s ahead of the broker's", "--favourable-only")),
        (200_000, ("the broker's differs by more than a day", "Set the clock that is wrong")),
    ],
)
def test_given_a_clock_far_ahead_then_the_worker_refuses_and_leaves_nothing_behind(
    toys: Toys, ahead_seconds: int, words: tuple[str, ...]
) -> None:
    toys.add(40)
    toys.worker("one", ahead_seconds=ahead_seconds).refuses(*words)
    toys.worker("one").ready()
    toys.mark("adverse", 200)
    wait_until(lambda: "adverse" in toys.fired(), 10, "the timer")
    toys.assert_exact()


@pytest.mark.kafka
def test_given_a_state_of_the_future_then_favourable_only_serves_until_then(toys: Toys) -> None:
    toys.add(40)
    toys.worker("one", ahead_seconds=1_000, favourable_only=True).ready()
    toys.mark("adverse", 500_000)
    toys.mark("fav", 500_000)
    wait_until(lambda: "fav" in toys.fired(), 10, "the favourable timer")
    toys.assert_exact()
    toys.workers[-1].stop()
    toys.worker("one").refuses(
        "that of the worker before was ahead", "start again at 20", "--favourable-only"
    )
    toys.worker("one", favourable_only=True).ready()
    toys.mark("favoured", 200)
    toys.add(40)
    toys.assert_exact()
    wait_until(lambda: "favoured" in toys.fired(), 10, "the favourable timer")
    assert "adverse" not in toys.fired()


class Producer:
    """A producer that writes to nobody."""

    producer_id = 7

    async def begin_transaction(self) -> None: ...
    async def commit_transaction(self) -> None: ...
    async def send_and_wait(self, *_: Any, **__: Any) -> None: ...


class Broker:
    """A broker whose clock is `ahead_ms` behind ours; None: it does not answer."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        config = EngineConfig(
            application_id="p", bootstrap_servers="x:1", data_dir=folder, **settings
        )
        self.clock = Clock()
        self.ahead_ms: int | None = 0
        self.asked = 0
        self.found = BrokerClock(config, self.clock, self._marked_at)

    async def _marked_at(self, place: TopicPartition, producer_id: int) -> int | None:
        assert (place, producer_id) == (PLACE, 7)
        self.asked += 1
        if self.ahead_ms is None:
            raise NodeNotReadyError("on purpose")
        return None if self.asked % 2 else self.clock.now() - self.ahead_ms

    async def begin(self) -> None:
        await self.found.begin(Producer(), PLACE)  # type: ignore[arg-type]

    async def commit(self) -> None:
        self.found.committed(Producer(), PLACE, self.clock.now())  # type: ignore[arg-type]
        await asyncio.sleep(0.05)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that are added to the monotonic clock of the comparison alone."""
    added, monotonic = [0.0], time.monotonic

    class Shifted:
        @staticmethod
        def monotonic() -> float:
            return monotonic() + added[0]

    monkeypatch.setattr(broker_clock, "time", Shifted)
    return added


async def test_clocks_are_compared_once_at_first_and_again_after_a_minute(
    tmp_path: Path, at: list[float]
) -> None:
    broker = Broker(tmp_path)
    assert not broker.found.agrees
    await asyncio.gather(*(broker.begin() for _ in range(3)))
    assert broker.found.agrees
    assert broker.asked == 2
    await broker.commit()
    assert broker.asked == 2
    at[0] += 61
    await broker.commit()
    assert broker.asked == 4
    assert broker.found.agrees
    # Without commits the comparison grows old, and one is wanted before an adverse timer.
    assert not broker.found.wanted
    at[0] += 601
    assert not broker.found.agrees
    assert broker.found.wanted
    await broker.commit()
    assert broker.found.agrees


async def test_a_clock_ahead_is_told_once_and_so_is_its_end(
    tmp_path: Path, at: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broker = Broker(tmp_path)
    await broker.begin()
    assert caplog.messages == []
    broker.ahead_ms = 12_000
    for _ in range(2):
        at[0] += 61
        await broker.commit()
        assert not broker.found.agrees
    broker.ahead_ms = -30_000
    at[0] += 11
    await broker.commit()
    assert broker.found.agrees
    ahead, agrees = caplog.messages
    assert re.search(rf"is 12 s ahead of the broker's: it says {TIME}, the broker's", ahead)
    assert agrees == "this machine's clock agrees with the broker's"


async def test_a_broker_that_does_not_tell_its_time_leaves_doubt_and_ends_nothing(
    tmp_path: Path, at: list[float]
) -> None:
    broker = Broker(tmp_path)
    broker.ahead_ms = None
    await broker.begin()
    assert not broker.found.agrees
    assert not broker.found.wanted
    at[0] += 11
    assert broker.found.wanted
    broker.ahead_ms = 0
    await broker.commit()
    assert broker.found.agrees


async def test_far_ahead_a_person_has_to_set_a_clock(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.ahead_ms = 301_000
    with pytest.raises(StopWorker, match="301 s ahead") as stopped:
        await broker.begin()
    assert stopped.value.exit_code == ExitCode.PERSON
    broker = Broker(tmp_path, favourable_only=True)
    broker.ahead_ms = 301_000
    await broker.begin()
    assert not broker.found.agrees


async def test_a_partitions_time_stands_still_behind_its_last_transaction(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    now = broker.clock.now()

    def clock(floor: int) -> PartitionClock:
        return PartitionClock(broker.clock, broker.found, Producer(), PLACE, floor)  # type: ignore[arg-type]

    assert not clock(0).sure(10)
    await clock(0).begin()
    assert clock(0).sure(10)
    assert clock(now + 9_000).sure(10)
    assert not clock(now + 20_000).sure(10)
    assert clock(now + 20_000).now() == now + 20_000
