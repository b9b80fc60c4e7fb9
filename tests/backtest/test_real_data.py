"""Real readings: a backtest says what the offline oracle says, for every account and event."""

from collections.abc import Callable
from json import dumps
from pathlib import Path

import pytest

from tests.backtest.agreement import compared, file_of


@pytest.mark.slow
def test_a_backtest_agrees_with_the_oracle_over_real_readings(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The smallest set; the README beside has the others."""
    name = "douyin_bigv"
    if not file_of(name).exists():
        pytest.skip(f"../shared/data/{name}.csv.gz is not on this machine")
    found = compared(name, tmp_path)
    record_property(name, dumps(found.figures))
    assert found.differing() <= found.two_labels
    for key in found.differing():
        assert key not in found.backtest
        assert found.oracle[key] == [
            ("invitation.issued", "over_line"),
            ("invitation.cancelled", "label"),
        ]
    assert len(found.backtest) > 1000, "a set in which nobody crosses proves nothing"
