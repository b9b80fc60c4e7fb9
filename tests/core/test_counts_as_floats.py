"""Given a producer that writes every number as a float, its readings count like any other's."""

import msgspec
import pytest

from streams.core.model.ports import ACCOUNTS
from tests.core.given import START, Day, GivenRecord
from tests.core.test_sample import LOW


def reading(offset: int, account: str, followers: str) -> GivenRecord:
    """A reading whose count is written like this."""
    raw = msgspec.json.encode({**LOW, "account_id": account})
    value = raw.replace(b'"followers":3', f'"followers":{followers}'.encode())
    return GivenRecord(offset, START, f"weibo:{account}".encode(), value)


@pytest.mark.parametrize("more", [(), (reading(9, "x", "1.5"),)])
def test_whole_counts_are_kept_above_the_floor_and_dropped_below(
    more: tuple[GivenRecord, ...],
) -> None:
    day = Day()
    records = [reading(1, "high", "1e6"), reading(2, "low", "3.0"), reading(3, "int", "1000000")]
    day.partition.step(day.tables, START, [("follower-counts", [*records, *more])])
    assert [letter["offset"] for letter in day.dead_letters] == [record.offset for record in more]
    tracked = {key for key in day.tables.state[ACCOUNTS] if key[:1] != b"#"}
    assert tracked == {b"weibo:high", b"weibo:int"}
