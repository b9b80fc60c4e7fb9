"""Audits that begin at an instant: what dates itself before it, and logs that Kafka has cut."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.kafka.requests.metadata import view_topics
from streams.operate.audit import early, judging, reading, run_audit
from streams.operate.audit.records import iso, millis
from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.lives import committed, lives, now
from tests.operate.test_audit_forged import Forgery, empty, restriction

__all__ = ["lives"]
pytestmark = [pytest.mark.kafka]
LONG_AGO = 1_704_067_200_000
EARLIER_MS = 500
"""The lives last some seconds only, so an audit reads only so much (ms) more than it is asked."""


@pytest.fixture
def ended(lives: Settings, worker: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The lives, and nobody works any more."""
    for it in (early, judging, reading, run_audit):
        monkeypatch.setattr(it, "EARLIER_MS", EARLIER_MS)
    for running in worker.started:  # type: ignore[attr-defined]
        running.end(20)
    return lives


async def put(settings: Settings, it: Forgery, at: int | None = None) -> int:
    """Writes a record, dated `at` (ms; None: now); returns its offset."""
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as client:
        topic, value = settings.topic_prefix + it.topic, json.dumps(it.value).encode()
        rest = {"timestamp_ms": at, "headers": list(it.headers)}
        done = await client.send_and_wait(topic, value, it.key.encode(), it.partition, **rest)
        return int(done.offset)


def audited(byline: Byline, since: str) -> tuple[int, set[str], dict[str, Any]]:
    """An audit from an instant on: its exit code, the names of its breaches, all it said."""
    done = byline("audit", "--json", "--from", since)
    said = json.loads(done.out)
    return done.code, {it["breach"] for it in said["breaches"]}, said


def test_a_restriction_that_dates_itself_before_the_span_and_lies_in_it_is_a_breach(
    ended: Settings, byline: Byline
) -> None:
    since = now()
    log = asyncio.run(committed(ended, "decisions"))
    for at in (iso(log[len(log) // 2].timestamp), since):
        code, names, said = audited(byline, at)
        assert (code, names, said["undated"], said["older"]) == (0, set(), [], 0), at
    asyncio.run(put(ended, restriction(ended, iso(LONG_AGO))))
    code, names, _ = audited(byline, since)
    assert code == 1
    assert "event_without_decision" in names


def test_one_whose_record_is_dated_before_the_span_too_is_counted_and_named(
    ended: Settings, byline: Byline
) -> None:
    since = now()
    forged = restriction(ended, iso(LONG_AGO))
    place = f"throttles[{forged.partition}]@{asyncio.run(put(ended, forged, LONG_AGO))}"
    code, names, said = audited(byline, since)
    assert (code, names, said["ok"], said["undated"]) == (2, set(), False, [place])
    table = byline("audit", "--from", since)
    assert table.code == 2
    assert "no breach in what could be judged" in table.out
    assert f"lists none of them ({place})" in table.err
    (command,) = re.findall(r"`byline (audit --from \S+)` judges them", table.err)
    again = byline(*command.split())
    assert again.code == 1
    assert "event_without_decision" in again.out


def test_one_that_hides_behind_a_copy_of_a_true_event_is_named_with_the_copy(
    ended: Settings, byline: Byline
) -> None:
    since = now()
    forged = restriction(ended, iso(LONG_AGO))
    log = asyncio.run(committed(ended, "throttles"))
    last = next(it for it in reversed(log) if it.partition == forged.partition)
    copy = Forgery("throttles", last.partition, last.key.decode(), json.loads(last.value))
    offset = asyncio.run(put(ended, forged, last.timestamp))
    asyncio.run(put(ended, copy, last.timestamp))
    code, _, said = audited(byline, since)
    where = f"throttles[{forged.partition}]"
    assert (code, said["undated"]) == (2, [f"{where}@{offset}", f"{where}@{offset + 1}"])


@pytest.mark.parametrize("back", [None, 100, 3 * EARLIER_MS])
def test_a_record_that_somebody_adds_to_the_log_and_dates_back_is_a_breach(
    ended: Settings, byline: Byline, back: int | None
) -> None:
    """To the time of the last true one, into the time that is read before the span, before that."""
    since, log = now(), asyncio.run(committed(ended, "decisions"))
    changed = {**json.loads(log[-1].value), "hash": "0" * 64}
    forged = Forgery("decisions", log[-1].partition, log[-1].key.decode(), changed)
    at = log[-1].timestamp if back is None else millis(since) - back
    asyncio.run(put(ended, forged, at))
    code, names, _ = audited(byline, since)
    assert (code, names) == (1, {"chain_broken"})


async def cut(settings: Settings, partition: int, before: int) -> None:
    """Deletes what a partition of the log has before an offset, as retention does."""
    where = TopicPartition(f"{settings.topic_prefix}decisions", partition)
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    try:
        await client.delete_records({where: RecordsToDelete(before_offset=before)}, 10_000)
    finally:
        await client.close()


@pytest.mark.parametrize("emptied", [False, True])
def test_a_log_that_retention_cut_is_judged_from_the_instant_that_is_printed(
    ended: Settings, byline: Byline, emptied: bool
) -> None:
    log = [it for it in asyncio.run(committed(ended, "decisions")) if it.partition == 0]
    if emptied:
        asyncio.run(empty(ended, 0))
    else:
        asyncio.run(cut(ended, 0, log[len(log) // 3].offset))
    done = byline("audit")
    assert done.code == 2, done.out + done.err
    (command,) = re.findall(r"`byline (audit --from \S+)` judges what is left", done.err)
    again = byline(*command.split(), "--json")
    assert again.code == 0, again.out + again.err
    said = json.loads(again.out)
    assert (said["ok"], said["unjudged"], said["undated"]) == (True, {}, [])
    assert emptied or said["events"] > 0


def test_the_partitions_of_a_log_whose_chain_is_verified_are_asked_for_once(
    on_kafka: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    asked: list[Any] = []

    async def counted(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        return await view_topics(*arguments, **options)

    monkeypatch.setattr(reading, "view_topics", counted)
    assert byline("audit", "--chain").code == 0
    assert len(asked) == 1
