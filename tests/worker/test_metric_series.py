"""Series are bounded, begin at nought, and tell how this clock stands against the broker's."""

import json

from prometheus_client import CollectorRegistry

from schemas.topics import TopicNames
from streams.engine.lag import TopicLag
from streams.engine.observer import EngineStatus, PartitionStatus
from streams.entry_ages import WINDOW_SECONDS, EntryAges
from streams.gauges import refresh
from streams.metric_series import BOUNDED_BY, LABEL_VALUES, REASON_VALUES, first_series
from streams.metrics import SPECS, Metrics
from streams.processor import BylineProcessor
from tests.core.given import PLATFORM, START, GivenRecord, policy
from tests.worker.test_processor import PARTITION, DictTransaction, batch


def test_the_values_of_every_label_are_listed_or_bounded() -> None:
    for spec in SPECS:
        for label in spec.labels:
            if label == "reason":
                assert spec.name in REASON_VALUES, spec.name
            else:
                assert (label in LABEL_VALUES) != (label in BOUNDED_BY), (spec.name, label)


def test_what_an_alert_watches_for_a_rise_begins_at_nought_with_values_of_the_list() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    labels_of = {spec.name: spec.labels for spec in SPECS}
    for name, values in first_series([policy()]):
        metrics.count(name, 0, *values)
        for label, value in zip(labels_of[name], values, strict=True):
            known = REASON_VALUES[name] if label == "reason" else LABEL_VALUES.get(label)
            assert known is None or value in known, (name, label, value)
    assert registry.get_sample_value("byline_name_fields_total", {"topic": "controls"}) == 0


class Hands:
    """A clock that a test turns."""

    at = 100.0

    def __call__(self) -> float:
        return self.at


def test_the_record_that_waited_least_tells_for_a_minute() -> None:
    hands = Hands()
    ages = EntryAges(hands)
    assert ages.newest_seconds() is None
    ages.note(10_000, 9_000)
    ages.note(10_000, 12_500)
    ages.note(10_000, 4_000)
    assert ages.newest_seconds() == -2.5
    hands.at += WINDOW_SECONDS
    ages.note(10_000, 9_900)
    assert ages.newest_seconds() == -2.5
    hands.at += WINDOW_SECONDS
    assert ages.newest_seconds() == 0.1
    hands.at += 2 * WINDOW_SECONDS
    assert ages.newest_seconds() is None


def test_a_clock_behind_the_broker_s_and_the_position_are_shown_by_topic() -> None:
    registry, transaction = CollectorRegistry(), DictTransaction()
    metrics, names = Metrics(registry), TopicNames("byline.", "byline")
    processor = BylineProcessor({PLATFORM: policy()}, names, metrics, False)
    partition = processor.open(PARTITION, 8, transaction, transaction, START)
    word = {"scope": PLATFORM, "switch": "adverse_off", "on": True, "actor": "op"}
    said = {**word, "reason": "test", "issued_at": "2026-01-01T00:00:00Z"}
    record = GivenRecord(
        0, START + 7_000, f"{PLATFORM}:adverse_off".encode(), json.dumps(said).encode()
    )
    partition.step(transaction, START, [batch("switches", record)])
    part = PartitionStatus(PARTITION, "running", 0, 0, 0, None, None)
    lags = (TopicLag("byline.switches", 0, 0.0, 1), TopicLag("byline.controls", 3, 2.0, 41))
    status = EngineStatus(True, True, False, 1, (part,), lags=lags)
    refresh(metrics, status, processor, START, 0)
    of = registry.get_sample_value
    assert of("byline_newest_record_age_seconds", {"topic": "switches"}) == -7.0
    assert of("byline_newest_record_age_seconds", {"topic": "controls"}) is None
    assert of("byline_topic_position", {"topic": "controls"}) == 41
