"""No verb takes the first record of an open transaction for the end of its topic."""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from streams.cli.chain import audited
from streams.operate import ends
from streams.operate.audit import run_audit
from streams.operate.audit.records import Record
from streams.operate.audit.run_audit import Span, audit_topics
from streams.settings import Settings
from tests.cli.conftest import Byline, HttpAnswer
from tests.index.poured import pour, topics, two_lives

pytestmark = pytest.mark.kafka
WEIBO = str(Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml")
READING = (
    b'{"platform":"weibo","account_id":"z0","followers":7,"observed_at":"2024-01-01T00:00:00Z"}'
)
HIDDEN = ("consent-answers", "controls", "dead-letters", "follower-counts", "invitations")


@pytest.fixture
def hidden(on_kafka: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Two lives, and in partition 1 of some topics records of a transaction that stays open."""
    monkeypatch.setattr(ends, "PATIENCE_SECONDS", 0.5)
    topics(on_kafka)
    pour(on_kafka, [*two_lives(), Record("follower-counts", 1, 0, 1, b"weibo:z0", READING)])
    producer = _hiding(on_kafka, HIDDEN)
    yield on_kafka
    producer.abort_transaction(10)


def _hiding(settings: Settings, names: Iterable[str]) -> Producer:
    """A producer with an open transaction, a record of which lies in partition 1 of each topic."""
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "transactional.id": f"{settings.application_id}-desk",
            "transaction.timeout.ms": 600_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(10)
    producer.begin_transaction()
    for topic in names:
        producer.produce(settings.topic_prefix + topic, b"{", b"weibo:z0", partition=1)
    producer.flush(10)
    return producer


def _says(answer: HttpAnswer, topic: str) -> None:
    assert answer.code == 2, answer.out + answer.err
    found = re.search(rf"{re.escape(topic)}\[1\] at offset (\d+) of (\d+)", answer.err)
    assert found is not None, answer.err
    # The record that is hidden.
    assert int(found[2]) == int(found[1]) + 1
    assert "`byline topics blocked` says whose it is" in answer.err


def test_given_a_hidden_end_then_each_verb_names_it_and_ends_with_2(
    hidden: Settings, byline: Byline, tmp_path: Path
) -> None:
    prefix = hidden.topic_prefix
    events = byline("events", "--kafka", "--json")
    _says(events, f"{prefix}invitations")
    assert len(events.out.splitlines()) > 5, "what can be read is told"

    audited = byline("audit", "--json")
    said = json.loads(audited.out)
    assert said["decisions"] > 5, "what can be judged is judged"
    assert said["ok"] is False
    if not said["breaches"]:
        _says(audited, f"{prefix}consent-answers")
    assert "controls[1]" in said["hidden"]

    _says(byline("worklist", "undeliverable", "--kafka"), f"{prefix}invitations")
    _says(byline("dead-letters", "list", "--kafka"), f"{prefix}dead-letters")
    explained = byline("explain", "weibo:z1", "--kafka")
    assert "could not be read to their ends" in explained.out
    _says(explained, "consent-answers")
    indexed = byline("index")
    _says(indexed, "controls")
    assert "weibo:z1" in byline("explain", "weibo:z1").out, "what could be read is in the index"
    evidence = byline("evidence", str(tmp_path / "e.json"), "--from", "2020-01-01T00:00:00Z")
    assert evidence.code == 2
    assert "an open transaction hides" in evidence.err


def test_given_a_hidden_end_then_a_recording_keeps_what_came_before_it_and_says_so(
    hidden: Settings, byline: Byline
) -> None:
    answer = byline("backtest", WEIBO, "--readings", "kafka")
    _says(answer, f"{hidden.topic_prefix}follower-counts")
    assert "what was recorded is kept" in answer.err
    cache = hidden.data_dir / "backtest" / "cache"
    (manifest,) = cache.glob("*follower-counts*/manifest.json")
    plain = json.loads(manifest.read_text())
    assert sum(it["rows"] for it in plain["files"]) > 0
    assert plain["next"]["1"] > 0
    (after,) = re.findall(r"\[1\] at offset (\d+)", answer.err)
    assert plain["next"]["1"] == int(after)


def test_given_a_hidden_end_of_the_log_then_a_follower_has_not_read_it_all(
    on_kafka: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_audit, "LOOK_SECONDS", 0.5)
    topics(on_kafka)
    pour(on_kafka, two_lives())
    producer = _hiding(on_kafka, ["decisions"])
    assert asyncio.run(_read_at(on_kafka, producer)) == []


async def _read_at(on_kafka: Settings, producer: Producer) -> list[float]:
    """When the log counted as read while its end was hidden. It does once the producer aborts."""
    read_at: list[float] = []
    async with audited(on_kafka) as client:
        following = asyncio.create_task(
            audit_topics(
                client,
                on_kafka.topic_prefix,
                Span(),
                lambda _: None,
                follow=True,
                caught_up=read_at.append,
            )
        )
        await asyncio.sleep(run_audit.SETTLE_SECONDS + 5)
        hidden = list(read_at)
        producer.abort_transaction(10)
        async with asyncio.timeout(20):
            while not read_at:
                await asyncio.sleep(0.1)
        following.cancel()
    return hidden
