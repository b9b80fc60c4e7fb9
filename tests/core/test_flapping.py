"""A count that jumps over the line and back: each crossing is in the log, which packs it well.

`python -m tests.core.test_flapping` prints what a crossing costs; deploy/capacity.md has the table.
"""

import sys
from itertools import pairwise

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from streams.core.model.ports import ACCOUNTS, CATEGORIES
from tests.core.given import MINUTE, PLATFORM, START, policy
from tests.core.invariants.world import Output, WorldRun, wire

PLAIN, ZSTD = DefaultRecordBatch.CODEC_NONE, DefaultRecordBatch.CODEC_ZSTD
TOGETHER = (1, 2, 4, 10, 50, 400)
"""Crossings that one transaction reads: their decisions, and its own record, are one batch."""
READING_BYTES = 102


class Flapping:
    """A partition, and an account of it whose count crosses the line again and again."""

    def __init__(self) -> None:
        self.run, self._key = WorldRun(policy(), sealed_after=sys.maxsize), f"{PLATFORM}:u1000001"
        self._who = {"platform": PLATFORM, "account_id": "u1000001"}
        label = {**self._who, "category": "财经", "observed_at": START}
        self.run.put("category-changes", self._key, label)
        self.run.before_commit()
        self._crossings = 0

    def transaction(self, crossings: int) -> list[Output]:
        """What a transaction with so many crossings adds to the log."""
        before = len(self.run.memory.raw)
        for _ in range(crossings):
            self.run.now += MINUTE
            count = 999 + (self._crossings + 1) % 2 * 2
            value = {**self._who, "followers": count, "observed_at": self.run.now}
            assert len(wire(value) or b"") in (READING_BYTES, READING_BYTES - 1)
            self.run.put("follower-counts", self._key, value)
            self._crossings += 1
        self.run.before_commit()
        return [it for it in self.run.memory.raw[before:] if it[0] == "decisions"]

    @property
    def state_bytes(self) -> int:
        """What the partition keeps."""
        state = self.run.memory.state
        return sum(len(it) for store in (ACCOUNTS, CATEGORIES) for it in state[store].values())


def batch_bytes(records: list[Output], codec: int) -> int:
    """The size on a broker's disk of one batch, as the worker's producer makes it."""
    builder = DefaultRecordBatchBuilder(2, codec, True, 1, 1, 0, 1 << 20)
    for number, (_, key, value, headers) in enumerate(records):
        assert builder.append(number, START, key, value, list(headers)) is not None
    return len(builder.build())


def test_every_crossing_is_a_decision_with_its_facts_and_nobody_is_invited() -> None:
    flapping = Flapping()
    told = [msgspec.json.decode(it[2] or b"") for it in flapping.transaction(100)]
    assert [one["kind"] for one in told] == ["decision"] * 100 + ["transaction"]
    decisions = told[:100]
    moves = [[it["to_state"] for it in one["transitions"]] for one in decisions]
    assert moves == [["DWELLING"], ["OUTSIDE"]] * 50
    assert [one["facts"]["followers"] for one in decisions] == [1001, 999] * 50
    assert all(later["previous"] == one["hash"] for one, later in pairwise(told))
    assert not [event for step in flapping.run.trace for event in step.events]


def test_the_state_does_not_grow_with_the_crossings() -> None:
    flapping = Flapping()
    flapping.transaction(2)
    before = flapping.state_bytes
    flapping.transaction(1_000)
    assert flapping.state_bytes <= before + 16, "numbers have more digits, and that is all"


def test_a_batch_of_crossings_costs_the_log_little_more_than_the_readings() -> None:
    flapping = Flapping()
    ten, many = flapping.transaction(10), flapping.transaction(400)
    assert batch_bytes(ten, PLAIN) / 10 > 10 * READING_BYTES, "what it would be"
    assert batch_bytes(ten, ZSTD) / 10 < 2 * READING_BYTES
    assert batch_bytes(many, ZSTD) / 400 < READING_BYTES


def _table() -> str:
    rows = [
        "| crossings in one transaction | bytes of log each, plain | zstd | of the reading |",
        "|---|---|---|---|",
    ]
    flapping = Flapping()
    for count in TOGETHER:
        records = flapping.transaction(count)
        plain, packed = (batch_bytes(records, codec) / count for codec in (PLAIN, ZSTD))
        rows.append(f"| {count} | {plain:.0f} | {packed:.0f} | {packed / READING_BYTES:.1f} × |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(_table())
