"""What is forged where nothing follows, hidden behind a flood, or where a log was emptied."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.operate.audit import run_audit
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.conftest import until
from tests.operate.lives import committed, lives, now
from tests.operate.test_audit_on_kafka import followed, scraped

__all__ = ["lives"]
pytestmark = [pytest.mark.kafka]


class Forgery(NamedTuple):
    """A record that somebody writes with a client of their own."""

    topic: str
    partition: int
    key: str
    value: Any
    headers: tuple[Any, ...] = ()


async def write(settings: Settings, *forged: Forgery) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as client:
        for it in forged:
            value = it.value if isinstance(it.value, bytes) else json.dumps(it.value).encode()
            topic = settings.topic_prefix + it.topic
            headers = list(it.headers)
            await client.send(topic, value, it.key.encode(), it.partition, headers=headers)
        await client.flush()


def restriction(settings: Settings, decided_at: str) -> Forgery:
    """A copy of a genuine restriction, of an owner who was never invited, last in its partition."""
    genuine = asyncio.run(committed(settings, "throttles"))
    it = next(it for it in genuine if b"throttle.applied" in it.value)
    said = {**json.loads(it.value), "event_id": "1" * 32, "account_id": "owner0"}
    said["decided_at"] = decided_at
    return Forgery("throttles", it.partition, "weibo:owner0", said, tuple(it.headers))


def breaches(byline: Byline, code: int) -> set[str]:
    done = byline("audit", "--json")
    assert done.code == code, done.out + done.err
    return {it["breach"] for it in json.loads(done.out)["breaches"]}


@pytest.mark.parametrize("decided_at", ["2099-01-01T00:00:00.000Z", ""])
def test_a_restriction_that_no_decision_lists_is_a_breach_whatever_time_it_states(
    lives: Settings, byline: Byline, decided_at: str
) -> None:
    assert breaches(byline, 0) == set()
    asyncio.run(write(lives, restriction(lives, decided_at or now())))
    assert "event_without_decision" in breaches(byline, 1)


def test_a_followed_audit_does_not_wait_for_the_next_event_to_see_it(
    lives: Settings, tmp_path: Path
) -> None:
    errors = tmp_path / "audit.err"
    with followed(errors) as (_, port):
        as_of = "byline_audit_as_of_timestamp_seconds"
        until(lambda: scraped(port).get(as_of, 0) > 0, 60, "all is read")
        asyncio.run(write(lives, restriction(lives, "2099-01-01T00:00:00.000Z")))
        name = 'byline_audit_breaches_total{breach="event_without_decision",invariant="14"}'
        until(lambda: scraped(port).get(name, 0) >= 1, 60, name)
        assert "decisions" not in errors.read_text()


def test_what_lies_in_policies_and_dead_letters_before_the_start_is_judged(
    lives: Settings, byline: Byline
) -> None:
    (policy, *_) = asyncio.run(committed(lives, "policies"))
    digest = policy.key.decode()
    assert digest == hashlib.sha256(policy.value).hexdigest()
    person = {"topic": "byline.consent-answers", "partition": 0, "offset": 0}
    asyncio.run(
        write(
            lives,
            Forgery("policies", policy.partition, digest, policy.value + b" "),
            Forgery("policies", policy.partition, digest, policy.value),
            Forgery("dead-letters", 0, "王伟", {**person, "payload": {"real_name": "王伟"}}),
        )
    )
    assert breaches(byline, 1) >= {"policy_altered", "dead_letter_wrong"}


def test_readings_behind_the_end_of_the_log_do_not_keep_it_from_its_end(
    lives: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_audit, "BUFFERED", 20)
    quiet = {"platform": "weibo", "followers": 7, "observed_at": now()}
    flood = [
        Forgery("follower-counts", number % 2, "weibo:quiet", {**quiet, "account_id": "quiet"})
        for number in range(4_000)
    ]
    asyncio.run(write(lives, *flood))
    assert breaches(byline, 0) == set()
    asyncio.run(write(lives, restriction(lives, now())))
    assert "event_without_decision" in breaches(byline, 1)


async def empty(settings: Settings, partition: int) -> int:
    """Deletes all that a partition of the log has; returns where it begins now."""
    where = TopicPartition(f"{settings.topic_prefix}decisions", partition)
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    try:
        await client.delete_records({where: RecordsToDelete(before_offset=-1)}, 10_000)
    finally:
        await client.close()
    return partition


def test_a_log_that_was_emptied_is_not_called_whole(lives: Settings, byline: Byline) -> None:
    partition = asyncio.run(empty(lives, 0))
    done = byline("audit", "--json")
    said = json.loads(done.out)
    assert (done.code, said["ok"], said["breaches"]) == (2, False, []), done.out
    assert said["unjudged"][str(partition)] > 1
    table = byline("audit")
    assert table.code == 2
    assert "no breach in what could be judged" in table.out
    assert "events are not judged: Kafka no longer has what the log said of them" in table.err
    chain = byline("audit", "--chain")
    assert f"partition {partition}: Kafka has dropped all before offset" in chain.err
    begins = json.loads(byline("audit", "--chain", "--json").out)["begins"]
    assert begins.keys() == {str(partition)}
    asyncio.run(write(lives, restriction(lives, now())))
    again = byline("audit", "--json")
    assert again.code in (1, 2), "a breach if the log has listed another restriction since"
    assert json.loads(again.out)["ok"] is False
