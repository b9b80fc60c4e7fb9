"""Now never runs backwards, and a jump of the machine's clock is told once."""

import time

import pytest

from streams.engine import clock as clock_module
from streams.engine.clock import Clock


def test_clock_never_runs_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    first = clock.now()
    monkeypatch.setattr(clock_module.time, "time", lambda: first / 1000 - 5)
    assert clock.now() == first


def test_clock_tells_a_jump_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, real = Clock(), time.time
    assert abs(clock.drift_seconds()) < 1
    monkeypatch.setattr(clock_module.time, "time", lambda: real() + 60)
    assert 59 < clock.drift_seconds() < 61
    assert abs(clock.drift_seconds()) < 1
