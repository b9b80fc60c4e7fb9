"""Gauges of what a worker holds now: of partitions that have left nothing stays behind."""

import json

from prometheus_client import CollectorRegistry

from schemas.topics import TopicNames
from streams.engine.lag import TopicLag
from streams.engine.observer import EngineStatus, PartitionStatus
from streams.gauges import refresh
from streams.kafka.requests.open_transactions import OpenTransaction
from streams.metrics import ALIASES, SPECS, Metrics
from streams.processor import BylineProcessor
from tests.core.given import PLATFORM, START, GivenRecord, policy
from tests.worker.test_processor import PARTITION, DictTransaction, batch

SWITCH = {"scope": PLATFORM, "switch": "adverse_off", "on": True, "actor": "op"}


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """Every gauge of a partition that is not 0, by name and labels."""
    named = ("tracked", "waiting", "switch", "lag", "blocked", "open_transaction", "partitions")
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in registry.collect()
        for sample in family.samples
        if family.type == "gauge" and any(word in sample.name for word in named) and sample.value
    }


def test_gauges_of_partitions_that_left_go_to_zero() -> None:
    registry, transaction = CollectorRegistry(), DictTransaction()
    metrics, names = Metrics(registry), TopicNames("byline.", "byline")
    processor = BylineProcessor({PLATFORM: policy()}, names, metrics, False)
    partition = processor.open(PARTITION, 8, transaction, transaction, START)
    word = {**SWITCH, "reason": "test", "issued_at": "2026-01-01T00:00:00Z"}
    key, value = f"{PLATFORM}:adverse_off".encode(), json.dumps(word).encode()
    partition.step(transaction, START, [batch("switches", GivenRecord(0, START, key, value))])
    part = PartitionStatus(PARTITION, "running", 7, 0, 0, None, None)
    hiding = OpenTransaction("byline.controls", PARTITION, 4001, 0, 0, 3, START - 9_000)
    lags = (TopicLag("byline.controls", 7, 9.0), TopicLag("byline.switches", 0, 0.0))
    owned = EngineStatus(True, True, False, 1, (part,), lags=lags, hiding=(hiding,))
    refresh(metrics, owned, processor, START, 0)
    assert shown(registry) == {
        "byline_partitions['running']": 1,
        f"byline_switch_on['adverse_off', '{PLATFORM}']": 1,
        "byline_lag_records[]": 7,
        "byline_lag_seconds[]": 9.0,
        "byline_topic_lag_records['controls']": 7,
        "byline_topic_lag_seconds['controls']": 9.0,
        "byline_blocked_topic['controls']": 1,
        "byline_open_transaction_seconds['4001', 'controls']": 9.0,
    }
    refresh(metrics, EngineStatus(False, True, False, 2, ()), processor, START, 0)
    assert shown(registry) == {}
    assert all("4001" not in str(family.samples) for family in registry.collect())


def test_a_metric_is_shown_by_its_former_name_as_well() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.add({("timers", PLATFORM): 2})
    metrics.refetched(0, "gap")
    metrics.committed(0, 1, 1, 0.2)
    metrics.show("byline_scheduled_accounts", 7)
    of, weibo = registry.get_sample_value, {"platform": PLATFORM}
    for name, labels, value in (
        ("byline_timer_evaluations_total", weibo, 2),
        ("byline_timers_total", weibo, 2),
        ("byline_refetches_total", {"reason": "gap"}, 1),
        ("byline_healed_total", {"reason": "gap"}, 1),
        ("byline_transaction_duration_seconds_count", {}, 1),
        ("byline_transaction_seconds_count", {}, 1),
        ("byline_scheduled_accounts", {}, 7),
        ("byline_waiting_accounts", {}, 7),
    ):
        assert of(name, labels) == value, name
    assert ALIASES.keys() <= {spec.name for spec in SPECS}
