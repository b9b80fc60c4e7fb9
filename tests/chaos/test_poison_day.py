"""Poison day in short: three poisons, a worker each (the whole: `python -m tests.chaos.poison`)."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.poison.poisons import POISONS
from tests.chaos.poison.run import perform
from tests.conftest import RunningKafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SHORT = {"zstd bomb on answers": 20, "foreign open transaction": 20, "controls on one key": 3_000}

TIME_SECONDS = 10.0


@pytest.mark.parametrize("name", SHORT)
def test_under_a_poison_doubt_is_held_all_else_flows_and_byline_alone_ends_it(
    name: str, kafka: RunningKafka, tmp_path: Path
) -> None:
    (whole,) = (one for one in POISONS if one.name == name)
    poison = replace(whole, time_seconds=TIME_SECONDS)
    serial = 100 + list(SHORT).index(name)
    perform(poison, kafka.bootstrap, tmp_path / "p", serial, count=SHORT[name])
