"""What the watchdog looks at ends the process, and nothing else does."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.engine import clock as clock_module
from streams.engine import watchdog as watchdog_module
from streams.engine.clock import Clock
from streams.engine.config import EngineConfig
from streams.engine.context import GroupMember


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


@pytest.mark.parametrize(
    ("distribution", "exits"),
    [({}, True), ({"u": {"t": []}}, True), ({"u": {"t": [0]}}, False)],
)
def test_watchdog_exits_when_nobody_is_assigned_anything(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    distribution: dict[str, dict[str, list[int]]],
    exits: bool,
) -> None:
    config = EngineConfig(
        application_id="a", bootstrap_servers="b:1", data_dir=tmp_path, empty_assignment_seconds=0
    )
    assignor = SimpleNamespace(external_topic_distribution=distribution)
    assignment = SimpleNamespace(settled=True, tasks={}, stopping=False)
    context = SimpleNamespace(
        clock=Clock(),
        config=config,
        member=GroupMember(SimpleNamespace(app=SimpleNamespace(assignor=assignor))),
        watch=SimpleNamespace(away=False),
    )
    said: list[str] = []
    monkeypatch.setattr(watchdog_module, "end_process", said.append)
    watchdog = watchdog_module.Watchdog(context, assignment)  # type: ignore[arg-type]
    watchdog._check_assignment()
    time.sleep(0.01)
    watchdog._check_assignment()
    assert said == ["the group's leader assigns no partition to any member"] * exits
