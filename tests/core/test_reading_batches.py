"""Readings of tracked accounts are checked a batch at a time: none depends on its neighbours."""

from typing import Any

import msgspec
import pytest

from schemas.enums import MAX_FOLLOWERS
from streams.core.model.instants import rfc3339
from streams.core.model.ports import ACCOUNTS
from tests.core.given import DAY, PLATFORM, START, Day, GivenRecord

GOOD = {"platform": PLATFORM, "account_id": "a1", "followers": 1200}
FORMS = {
    "as it should be": {},
    "with its cause": {"cause": "correction"},
    "with a field that nobody knows": {"colour": "red"},
    "without followers": {"followers": 0},
    "of a platform that we do not know": {"platform": "nowhere"},
    "with an id that is none": {"account_id": "a b"},
    "with an id of two lines": {"account_id": "a\nb"},
    "of another partition": {"account_id": "elsewhere"},
    "before 2005": {"observed_at": "1970-01-01T00:00:00Z"},
    "too far ahead": {"observed_at": rfc3339(START + 2 * DAY)},
    "with a time in another form": {"observed_at": "2023-11-01 00:00:00Z"},
    "with a name": {"real_name": "x"},
    "with a number too large": {"followers": MAX_FOLLOWERS + 1},
    "with a number with a fraction": {"followers": 1200.5},
}


def _record(changes: dict[str, Any], key: str | None = None) -> tuple[bytes, bytes | None]:
    value = {**GOOD, "observed_at": rfc3339(START + DAY), **changes}
    if key is None:
        key = f"{value['platform']}:{value['account_id']}"
    return key.encode(), msgspec.json.encode(value)


ODD = {
    **{form: _record(changes) for form, changes in FORMS.items()},
    "with another key": _record({"account_id": "b1"}, key=f"{PLATFORM}:a1"),
    "with a field twice": (
        f"{PLATFORM}:a1".encode(),
        _record({})[1][:-1] + b',"account_id":"a1"}',  # type: ignore[index]
    ),
    "no JSON": (f"{PLATFORM}:a1".encode(), b"{"),
}
TAKEN = (
    "as it should be",
    "with its cause",
    "with a field that nobody knows",
    "without followers",
    "with a field twice",
)
NEIGHBOURS = [_record({"account_id": "b1"}), _record({"account_id": "b2", "followers": 1300})]


def _after(*batches: list[tuple[bytes, bytes | None]]) -> tuple[Any, Any, Any]:
    """What is kept of three tracked accounts, what was refused and what was counted."""
    day = Day(partition_of=lambda key: int(b"elsewhere" in key))
    offset = 0
    first = [
        _record({"account_id": one, "observed_at": rfc3339(START)}) for one in ("a1", "b1", "b2")
    ]
    for batch in (first, *batches):
        records = [GivenRecord(offset + at, day.now, *pair) for at, pair in enumerate(batch)]
        offset += len(records)
        day.partition.step(day.tables, day.now, [("follower-counts", records)])
        day.now = START + DAY
    letters = [(one["offset"], one["reason"], one["field"]) for one in day.dead_letters]
    return day.tables.state[ACCOUNTS], letters, day.partition.counts


@pytest.mark.parametrize("form", ODD)
def test_a_reading_has_the_same_end_alone_and_among_good_ones(form: str) -> None:
    before, behind = NEIGHBOURS
    together = _after([before, ODD[form], behind])
    assert together == _after([before], [ODD[form]], [behind])
    assert bool(together[1]) is (form not in TAKEN)
