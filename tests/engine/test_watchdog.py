"""What the watchdog looks at ends the process, and nothing else does."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.engine import clock as clock_module
from streams.engine import watchdog as watchdog_module
from streams.engine.clock import Clock
from streams.engine.config import EngineConfig
from streams.engine.context import GroupMember
from streams.engine.watchdog import Watchdog
from tests.engine.harness import Toys

Leave = Callable[[], Awaitable[None]]


@pytest.mark.parametrize(("seconds", "exits"), [(60.0, True), (-60.0, True), (2.0, False)])
def test_watchdog_exits_when_the_clock_jumps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float, exits: bool
) -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="b:1", data_dir=tmp_path)
    context, said, real = SimpleNamespace(clock=Clock(), config=config), [], time.time
    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    watchdog = watchdog_module.Watchdog(context, SimpleNamespace())  # type: ignore[arg-type]
    watchdog._check_clock()
    monkeypatch.setattr(clock_module.time, "time", lambda: real() + seconds)
    watchdog._check_clock()
    assert [text.startswith("the machine's clock jumped by") for text in said] == [True] * exits


def _idle(tmp_path: Path, distribution: dict[str, dict[str, list[int]]], leave: Leave) -> Watchdog:
    """The watchdog of a worker that has no partition, and time limits of no time."""
    config = EngineConfig(
        application_id="a",
        bootstrap_servers="b:1",
        data_dir=tmp_path,
        empty_assignment_seconds=0,
        unsettled_seconds=0,
    )
    assignor = SimpleNamespace(external_topic_distribution=distribution)
    thread = SimpleNamespace(leave=leave)
    consumer = SimpleNamespace(app=SimpleNamespace(assignor=assignor), _thread=thread)
    context = SimpleNamespace(
        clock=Clock(),
        config=config,
        member=GroupMember(consumer),
        watch=SimpleNamespace(away=False),
    )
    assignment = SimpleNamespace(settled=True, tasks={}, stopping=False)
    return Watchdog(context, assignment)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("distribution", "exits"),
    [({}, True), ({"u": {"t": []}}, True), ({"u": {"t": [0]}}, False)],
)
async def test_watchdog_leaves_and_exits_when_nobody_is_assigned_anything(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    distribution: dict[str, dict[str, list[int]]],
    exits: bool,
) -> None:
    said: list[str] = []

    async def leave() -> None:
        said.append("left")

    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    watchdog = _idle(tmp_path, distribution, leave)
    await watchdog._check_assignment()
    await asyncio.sleep(0.01)
    await watchdog._check_assignment()
    assert said == ["left", "the group's leader assigns no partition to any member"] * exits


async def test_watchdog_leaves_before_it_exits_for_a_group_that_does_not_settle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []

    async def leave() -> None:
        said.append("left")

    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    watchdog = _idle(tmp_path, {}, leave)
    watchdog._assignment.settled = False
    await asyncio.sleep(0.01)
    await watchdog._check_assignment()
    assert said == ["left", "the group has not come to an assignment"]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_group_that_cannot_be_left_keeps_no_process_alive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool
) -> None:
    said: list[str] = []

    async def leave() -> None:
        if fails:
            raise RuntimeError("Event loop is closed")
        await asyncio.Event().wait()

    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    monkeypatch.setattr(watchdog_module, "LEAVE_SECONDS", 0.01)
    await _idle(tmp_path, {}, leave)._leave_and_end("why")
    assert said == ["why"]


async def test_given_no_thread_for_it_then_the_loop_cuts_a_stop_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []

    async def leave() -> None:
        pass

    def none(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    monkeypatch.setattr(threading.Thread, "start", none)
    _idle(tmp_path, {}, leave).stop_within(0.01)
    await asyncio.sleep(0.05)
    assert said == ["stopping took longer than 0 s"]


@pytest.mark.kafka
def test_given_an_empty_assignment_then_the_next_start_gets_one_of_its_own(toys: Toys) -> None:
    """The broker gave the empty one back to its static member, at each start within a session."""
    toys.add(100)
    options = {"break": ["late_metadata"], "without": ["metadata_gate", "fixed_assignor"]}
    worker = toys.worker(**options, empty_assignment_seconds=3)
    assert worker.exit_code() == 70
    assert "the group's leader assigns no partition to any member" in worker.log
    toys.worker(empty_assignment_seconds=3).ready(parts=4, seconds=30)
    toys.assert_exact()
