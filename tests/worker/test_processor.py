"""The core as the engine runs it: batches in, outputs to their partitions, counts shown."""

import json
import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.topics import TopicNames
from streams.engine.processor import FetchedBatch, Headers
from streams.metrics import Metrics
from streams.processor import BylinePartition, BylineProcessor
from tests.core.given import PLATFORM, START, GivenRecord, Tables, policy

PARTITION = 3


class DictTransaction(Tables):
    """The engine's, in dictionaries: an output goes to the own partition unless one is named."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[str, int]] = []

    def send(  # type: ignore[override]
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        self.places.append((topic, PARTITION if partition is None else partition))
        super().send(topic, key, value, headers)


def opened() -> tuple[DictTransaction, BylinePartition, CollectorRegistry]:
    """Partition 3 of 8, under one policy."""
    registry, transaction = CollectorRegistry(), DictTransaction()
    names = TopicNames("byline.", "byline")
    processor = BylineProcessor({PLATFORM: policy()}, names, Metrics(registry), False)
    return transaction, processor.open(PARTITION, 8, transaction, transaction, START), registry


def batch(
    topic: str, *records: GivenRecord, unreadable: tuple[tuple[int, int, int], ...] = ()
) -> FetchedBatch:
    """A stretch of an input."""
    return FetchedBatch(f"byline.{topic}", PARTITION, 0, 500, records, 500, unreadable)


def letters(transaction: DictTransaction) -> list[dict[str, Any]]:
    """The dead letters."""
    return [value for topic, _, value, _ in transaction.outputs if topic == "byline.dead-letters"]


def test_unreadable_batches_of_a_span_are_refused_where_they_stand() -> None:
    transaction, partition, _ = opened()
    bad = [GivenRecord(offset, START, b"weibo:a1", b"{") for offset in (0, 9, 20)]
    batches = ((1, 8, START), (10, 19, START))
    assert partition.step(transaction, START, [batch("notice-receipts", *bad, unreadable=batches)])
    told = [(one["offset"], one["last_offset"], one["reason"]) for one in letters(transaction)]
    assert told == [
        (0, None, "not_json"),
        (1, 8, "unreadable_batch"),
        (9, None, "not_json"),
        (10, 19, "unreadable_batch"),
        (20, None, "not_json"),
    ]
    assert {one["partition"] for one in letters(transaction)} == {PARTITION}


def test_a_record_for_the_switches_goes_to_their_one_partition_in_the_same_transaction(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transaction, partition, registry = opened()
    partition.step(transaction, START, [batch("controls", unreadable=((5, 6, START),))])
    partition.before_commit(transaction, START, {})
    assert ("byline.switches", 0) in transaction.places
    assert {place for topic, place in transaction.places if topic != "byline.switches"} == {3}
    (switch,) = [value for topic, _, value, _ in transaction.raw if topic == "byline.switches"]
    assert json.loads(switch or b"")["switch"] == "refusals_settled"
    with caplog.at_level(logging.ERROR):
        partition.committed()
    assert f"refusal guard of {PLATFORM} tripped: unreadable_batch refused in controls" in (
        caplog.text
    )
    labels = {"platform": PLATFORM, "topic": "controls", "reason": "unreadable_batch"}
    assert registry.get_sample_value("byline_refusal_guard_trips_total", labels) == 1


def test_the_engine_is_told_that_the_switches_are_written_to() -> None:
    processor = BylineProcessor(
        {PLATFORM: policy()}, TopicNames("x.", "x"), Metrics(CollectorRegistry()), False
    )
    assert processor.spec.broadcast == "x.switches"
    assert "x.switches" in processor.spec.output_topics
