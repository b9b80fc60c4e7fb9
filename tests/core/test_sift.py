"""What `Transaction.sift` may leave out changes nothing that the core does."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from streams.core.inputs.batches import sampled
from streams.core.model.instants import rfc3339
from streams.core.model.ports import ACCOUNTS, Records
from tests.core.given import HOUR, PLATFORM, START, Day, GivenRecord, Tables, policy

ACCOUNTS_THERE = [f"a{number}" for number in range(12)]


def droppable(record: Any, floors: Mapping[str, int]) -> bool:
    """Whether a record is a reading below the floor of a known platform."""
    try:
        found = msgspec.json.decode(record.value, type=dict[str, Any])
        return int(found["followers"]) < floors[found["platform"]] and "real_name" not in found
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return False


class SiftingTables(Tables):
    """Leaves out all that it may."""

    left_out = 0

    def sift(self, records: Records, floors: Mapping[str, int]) -> Records:
        """Those that the law of `Transaction.sift` does not allow to leave out."""
        looked_at = {record.offset for record in sampled(records)}
        kept = [
            record
            for record in records
            if record.offset in looked_at
            or record.key in self.state[ACCOUNTS]
            or not droppable(record, floors)
        ]
        keys = {record.key for record in kept}
        found = [record for record in records if record.key in keys]
        self.left_out += len(records) - len(found)
        return found


def drawn(random_: random.Random, at: int) -> tuple[bytes | None, bytes | None]:
    """Key and value of a reading, good or odd."""
    account = random_.choice(ACCOUNTS_THERE)
    value: dict[str, Any] = {
        "platform": PLATFORM if random_.random() < 0.95 else "nowhere",
        "account_id": account if random_.random() < 0.97 else "a b",
        "followers": random_.choice((0, 5, 400, 899, 900, 901, 1_200, 1_500, 900.0, "x")),
        "observed_at": rfc3339(at) if random_.random() < 0.97 else "1970-01-01T00:00:00Z",
    }
    if random_.random() < 0.03:
        value["real_name"] = "x"
    key = f"{PLATFORM}:{account}".encode()
    if random_.random() < 0.03:
        return random_.choice((None, b"weibo:other", b"\xff")), msgspec.json.encode(value)
    if random_.random() < 0.03:
        return key, random_.choice((None, b"{", b"[]", b"\xff"))
    return key, msgspec.json.encode(value)


def outcome(tables: Tables, batches: Sequence[Sequence[tuple[Any, Any]]]) -> tuple[Any, ...]:
    """All that is kept, sent and counted after the batches, some hours apart."""
    day = Day()
    day.tables = tables
    day.open(policy())
    offset = 1020
    for batch in batches:
        records = [GivenRecord(offset + at, day.now, *pair) for at, pair in enumerate(batch)]
        offset += len(records) + 7
        day.partition.step(day.tables, day.now, [("follower-counts", records)])
        day.now += HOUR
    return day.tables.state, day.tables.raw, day.partition.counts


@pytest.mark.parametrize("seed", range(40))
def test_what_may_be_left_out_changes_nothing(seed: int) -> None:
    random_ = random.Random(seed)
    batches = [
        [drawn(random_, START + number * HOUR) for _ in range(random_.choice((1, 5, 60)))]
        for number in range(8)
    ]
    sifting = SiftingTables()
    assert outcome(sifting, batches) == outcome(Tables(), batches)
    assert sifting.left_out
