"""The tables of deploy/capacity.md that are arithmetic are what their formulas give."""

from dataclasses import replace

import pytest

from tests.bench.reckoned import ESTATES, PAGE, TABLES, weights, written
from tests.core.test_flapping import _table


def test_the_page_has_what_the_formulas_give() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- reckoned: {name} -->" in text for name in TABLES)
    assert written(text) == text, "python -m tests.bench.reckoned --write"


def test_the_page_has_what_a_crossing_costs() -> None:
    assert _table() in PAGE.read_text(encoding="utf-8"), "python -m tests.core.test_flapping"


def test_seven_platforms_are_seven_times_one() -> None:
    one, seven = ESTATES.values()
    assert seven.cores == pytest.approx(7 * one.cores)
    assert seven.log_bytes == pytest.approx(7 * one.log_bytes)
    assert replace(one, workers=32).worker_bytes < one.worker_bytes
    assert weights().life < weights().life_plain
