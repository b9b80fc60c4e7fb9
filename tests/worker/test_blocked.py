"""A producer of others that leaves a transaction open: named, counted, and over when it ends."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.worker.commands import byline
from tests.worker.harness import Estate
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka


def hanging(estate: Estate, topic: str, partition: int, count: int) -> Producer:
    """A producer with an open transaction of so many records."""
    name = f"{estate.names.application_id}-desk"
    producer = Producer(
        {
            "bootstrap.servers": estate.bootstrap,
            "transactional.id": name,
            "transaction.timeout.ms": 600_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(10)
    producer.begin_transaction()
    for _ in range(count):
        producer.produce(estate.names.prefix + topic, b"{", b"weibo:a", partition=partition)
    producer.flush(10)
    return producer


def gauges(estate: Estate, name: str) -> dict[str, float]:
    """A metric by its labels, as written."""
    text = estate.workers[0].page("/metrics")[1]
    return {
        labels: float(value)
        for labels, value in re.findall(rf"^{name}({{.*}})? (\S+)$", text, re.M)
    }


def status(estate: Estate) -> dict[str, Any]:
    """What `byline status` says."""
    said: dict[str, Any] = json.loads(byline(estate, "status", "--json").stdout)
    return said


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def test_an_open_transaction_of_others_is_named_and_counted_until_it_ends(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, partitions=2).start(1)
    (worker,) = estate.workers
    answers = estate.names.prefix + "consent-answers"
    topic = '{topic="consent-answers"}'
    assert gauges(estate, "byline_blocked_topic")[topic] == 0
    assert byline(estate, "topics", "blocked", "--longer-than", "0").returncode == 0
    before = time.time()
    producer = hanging(estate, "consent-answers", 1, count=7)
    begun = time.time()
    until(lambda: gauges(estate, "byline_blocked_topic")[topic] == 1, 15, "nothing is blocked")

    assert gauges(estate, "byline_topic_lag_records")[topic] == 7
    until(
        lambda: gauges(estate, "byline_topic_lag_seconds")[topic] > 2, 15, "its lag does not grow"
    )
    assert gauges(estate, "byline_lag_records") == {"": 7}
    asked = time.time()
    ((labels, seconds),) = gauges(estate, "byline_open_transaction_seconds").items()
    assert 'topic="consent-answers"' in labels
    # Its age is what the coordinator knows of its begin, not how long we have been waiting.
    assert asked - begun - 0.1 <= seconds <= time.time() - before + 0.1
    told = byline(estate, "topics", "blocked", "--json", "--longer-than", "3")
    assert told.returncode == 1
    (blocked,) = json.loads(told.stdout)["blocked"]
    assert (blocked["topic"], blocked["partition"], blocked["offset"]) == (answers, 1, 0)
    assert blocked["hidden"] == 7
    assert blocked["transactional_id"] == f"{estate.names.application_id}-desk"
    assert f'producer_id="{blocked["producer_id"]}"' in labels
    assert 0 < blocked["ends_within_seconds"] < 600
    in_words = byline(estate, "topics", "blocked", "--longer-than", "3").stdout
    assert f"{answers}[1] is blocked at offset 0: producer {blocked['producer_id']}" in in_words
    assert byline(estate, "topics", "blocked", "--longer-than", "500").returncode == 0
    until(lambda: status(estate)["blocked"] != [], 40, "the page for the night does not say it")
    (seen,) = status(estate)["blocked"]
    assert (seen["topic"], seen["producer_id"]) == (answers, blocked["producer_id"])

    producer.abort_transaction(10)
    until(lambda: gauges(estate, "byline_blocked_topic")[topic] == 0, 15, "it is still blocked")
    assert gauges(estate, "byline_open_transaction_seconds") == {}
    estate.drain()
    assert gauges(estate, "byline_topic_lag_records")[topic] == 0
    told = byline(estate, "topics", "blocked", "--longer-than", "0")
    assert (told.returncode, told.stdout) == (0, "no input is blocked\n")
    assert worker.stop() == 0
    log = worker.log.read_text()
    warned = re.findall(r"WARNING .*is blocked at offset 0: producer (\d+), transactional id", log)
    assert warned == [str(blocked["producer_id"])]
    assert f"{answers} is read to its end again" in log
