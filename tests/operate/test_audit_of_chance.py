"""The auditor is silent on what a sound core makes of words that come late, twice or crossed."""

import pytest

from streams.operate.audit.auditor import ASIDE, audit
from tests.operate.chance import history


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_history_of_a_sound_core_has_a_breach(first: int) -> None:
    for seed in range(first, first + 20):
        assert audit(history(seed).records()) == [], f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 60, 20))
@pytest.mark.slow
def test_read_from_anywhere_on_no_history_has_a_breach(first: int) -> None:
    for seed in range(first, first + 20):
        records = history(seed).records()
        starts = sorted({it.timestamp for it in records if it.topic == "decisions"})
        start = starts[seed % len(starts)]
        kept = [it for it in records if it.topic in ASIDE or it.timestamp >= start]
        assert audit(kept, whole=False) == [], f"seed {seed} from {start}"
