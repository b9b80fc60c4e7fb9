"""A partition is opened while it is this worker's, and not while it waits for that."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.engine import opening
from streams.engine.assignment import Assignment
from streams.engine.clock import Clock
from streams.engine.config import EngineConfig
from streams.engine.fetch_queues import FetchBuffer
from tests.engine.toy import Toy

TOPICS = ("p.marks", "p.adds")


class Group:
    """An assignment without a broker: what would open partitions is noted, and never comes back."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.slots = asyncio.Semaphore(1)
        monkeypatch.setattr(opening, "start_producer", self._start)
        config = EngineConfig(application_id="p", bootstrap_servers="x:1", data_dir=folder)
        context: Any = SimpleNamespace(
            config=config,
            processor=Toy("p"),
            observer=SimpleNamespace(assigned=lambda numbers: None),
            log=logging.getLogger("test"),
            clock=Clock(),
            buffer=FetchBuffer(10, 10),
            cluster=SimpleNamespace(partition_count=4),
            broadcast=None,
            recovery_slots=self.slots,
            on_change=lambda: None,
        )
        self.assignment = Assignment(context)
        self._generation = 0

    async def _start(self, context: Any, number: int, on_open: Any) -> Any:
        self.started.append(number)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise

    async def give(self, *numbers: int) -> None:
        self._generation += 1
        places = [(topic, number) for topic in TOPICS for number in numbers]
        await self.assignment.assigned(places, self._generation)
        await asyncio.sleep(0.02)

    async def take(self) -> None:
        await self.assignment.revoked([])
        await asyncio.sleep(0.02)


async def test_given_a_partition_lost_while_it_waits_for_a_place_then_it_fences_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group(tmp_path, monkeypatch)
    await group.slots.acquire()
    await group.give(0)
    await group.take()
    group.slots.release()
    await asyncio.sleep(0.02)
    # From here on another worker may own it, whose producer this one's would fence.
    assert group.started == []
    await group.give(0)
    assert group.started == [0]
    await group.assignment.stop()


async def test_given_a_partition_lost_while_its_producer_starts_then_that_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group(tmp_path, monkeypatch)
    await group.give(0)
    assert group.started == [0]
    await group.take()
    assert group.cancelled == [0]
    await asyncio.sleep(0.02)
    assert group.started == [0]
    await group.give(0)
    assert group.started == [0, 0]
    await group.take()
    await group.give(1)
    assert group.started == [0, 0, 1]
    await group.assignment.stop()
    assert group.cancelled == [0, 0, 1]
