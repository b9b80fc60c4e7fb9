"""Real readings: a backtest says what the offline oracle says, for every account and event."""

from collections.abc import Callable
from json import dumps
from pathlib import Path

import pytest

from tests.backtest.agreement import compared, file_of
from tests.real.sample import snapshots, written


@pytest.mark.slow
@pytest.mark.parametrize(("source", "least"), [("real", 1000), ("sample", 300)])
def test_a_backtest_agrees_with_the_oracle_over_real_readings(
    tmp_path: Path, record_property: Callable[[str, object], None], source: str, least: int
) -> None:
    """The smallest set, and a sample in its shape; the README beside has the other sets."""
    name = "douyin_bigv"
    file = file_of(name) if source == "real" else written(snapshots(), tmp_path / "sample.csv.gz")
    if not file.exists():
        pytest.skip(f"../shared/data/{name}.csv.gz is not on this machine")
    found = compared(name, tmp_path, file)
    record_property(name, dumps(found.figures))
    assert found.differing() <= found.two_labels
    for key in found.differing():
        assert key not in found.backtest
        assert found.oracle[key] == [
            ("invitation.issued", "over_line"),
            ("invitation.cancelled", "label"),
        ]
    assert len(found.backtest) > least, "a set in which nobody crosses proves nothing"
