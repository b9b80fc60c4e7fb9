"""The auditor, too, takes a count for the number that it is, however it is written."""

from types import SimpleNamespace

import pytest

from streams.operate.audit.records import Record
from streams.operate.audit.refusals import RefusalTerms, examine, passed_over

NOW = 1_704_067_200_000
SETTING = RefusalTerms({"weibo": SimpleNamespace(lowest=475_000)}, None, False)  # type: ignore[dict-item]


def reading(followers: str) -> Record:
    """A reading outside the sample whose count is written like this."""
    said = '{"platform":"weibo","account_id":"a1","observed_at":"2024-01-01T00:00:00Z"'
    value = f'{said},"followers":{followers}}}'.encode()
    return Record("follower-counts", 0, 7, NOW, b"weibo:a1", value, (), True)


@pytest.mark.parametrize("high", ["1000000", "1000000.0", "1e6"])
def test_a_whole_count_over_the_floor_must_be_taken(high: str) -> None:
    judged = examine(reading(high), NOW, SETTING, tracked=False)
    assert (judged.refused, judged.below) == (False, False)
    assert judged.value is not None
    assert judged.value.followers == 1_000_000  # type: ignore[attr-defined]


@pytest.mark.parametrize("low", ["3", "3.0", "3e0"])
def test_a_whole_count_below_the_floor_may_be_dropped_unseen(low: str) -> None:
    assert passed_over(reading(low), SETTING)


@pytest.mark.parametrize("bad", ["3.5", '"3"', "true", "-1.0", "1e11"])
def test_any_other_count_must_be_refused(bad: str) -> None:
    assert examine(reading(bad), NOW, SETTING, tracked=False).refused
    assert not passed_over(reading(bad), SETTING)
