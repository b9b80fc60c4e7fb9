"""Fewer test processes where a processor is slow."""

import pytest

from tests.support.side_by_side import bearable, measured


@pytest.mark.parametrize(
    ("seconds", "processes"),
    [(0.3, 6), (0.75, 6), (0.8, 6), (0.9, 5), (1.1, 4), (1.5, 3), (9.0, 3)],
)
def test_the_slower_the_processor_the_fewer_processes(seconds: float, processes: int) -> None:
    assert bearable(seconds) == processes


def test_what_is_measured_is_seconds() -> None:
    assert 0.05 < measured() < 60
