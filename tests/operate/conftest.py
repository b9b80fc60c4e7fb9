"""What the operator's tests share: the command line's fixtures, and a worker in a process."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.local.probe import free_port
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import byline, clean_environment, on_kafka
from tests.support.running import Running

__all__ = ["byline", "clean_environment", "on_kafka"]

POLICY = """\
platform: weibo
version: 1
mode: enforce
notice: {id: weibo-notice, version: "1", answer_window: PT3S, reminders: [PT1S]}
impact_assessment: pia-1
phases: [{name: first, followers: 1000, from: 2023-10-31T00:00:00+08:00}]
fields: {covered: any, labels: {财经: finance}, exempt_labels: [日常生活]}
stability: {dwell: PT0S, exit_ratio: 0.9, leave_after: PT1H, cool_down: PT1H}
consequence:
  surfaces: {recommend-feed: limited, tips: "off"}
  on: [declined, no_answer]
  review_after: PT2S
  expires_after: PT1H
on_fall_below: close
caps: {invitations_per_day: 20000, throttles_per_hour: 20000}
rollout_percent: 100
"""


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one policy in enforce: three seconds to answer."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "weibo.yaml").write_text(POLICY)
    monkeypatch.setenv(variable("policies"), str(folder))
    return folder


@pytest.fixture
def worker(on_kafka: Settings, policies: Path, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Starts a real worker under this test's settings; it is stopped afterwards."""
    started: list[Running] = []

    def start() -> Running:
        environment = {**os.environ, variable("http_port"): str(free_port())}
        worker = Running(tmp_path / "worker.log")
        worker.fork(["worker"], environment)
        started.append(worker)
        return worker

    start.started = started  # type: ignore[attr-defined]
    yield start
    for one in started:
        one.end(20)


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll `true` until it is; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {what}")
