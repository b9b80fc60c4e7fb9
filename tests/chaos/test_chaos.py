"""A short run under fire: part of every `sh tests/run.sh`; the long ones are in README.md."""

import os
from pathlib import Path

import pytest

from tests.chaos.report import table
from tests.chaos.run import DRAIN_SECONDS, Plan, perform
from tests.chaos.schedule import KINDS, draw
from tests.chaos.traffic import TrafficRates

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
MINUTES = float(os.environ.get("CHAOS_MINUTES", "2"))


def test_a_seed_reproduces_its_schedule() -> None:
    kinds = list(KINDS)
    assert draw(11, 3_600, 3.0, kinds) == draw(11, 3_600, 3.0, kinds)
    assert draw(11, 3_600, 3.0, kinds) != draw(12, 3_600, 3.0, kinds)
    assert {fault.kind for fault in draw(11, 3_600, 3.0, kinds)} == set(kinds)


@pytest.mark.timeout(1_500)
def test_given_faults_of_every_kind_then_nobody_can_tell_from_what_comes_out(
    tmp_path: Path,
) -> None:
    kept, rates = tmp_path / "book.pkl", TrafficRates(readings=200.0, lives=1.5)
    result = perform(Plan(seed=11, minutes=MINUTES, every=3.5, rates=rates, keep=kept))
    shown = table(result)
    print(shown)
    # What a machine makes of a seed does not come again: what is found has to be judged from this.
    assert result["violations"] == 0, f"{shown}\npython -m tests.chaos --judge {kept}"
    kept.unlink()
    assert [one for one in result["kinds"] if not result["faults_by_kind"].get(one)] == [], shown
    assert result["faults"] >= 10 * MINUTES, shown
    assert result["drained_seconds"] is not None, shown
    assert result["drained_seconds"] <= DRAIN_SECONDS, shown
    assert result["counts"]["events"] > 500, shown
