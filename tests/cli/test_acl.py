"""The least privileges, on a broker that enforces them: enough for each role, and no more."""

import asyncio
import logging
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from confluent_kafka import KafkaError as ConfluentError
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from schemas.topics import TOPICS
from streams.engine.broker_clock import BrokerClock
from streams.engine.clock import Clock
from streams.engine.preflight import inspect_cluster
from streams.engine.producer import TransactionalProducer
from streams.engine.recovery import plain_consumer
from streams.index.feed import Feed
from streams.index.projection import READ
from streams.kafka.requests.open_transactions import marker_time
from streams.letters.producer import OutcomeUnknownError, in_transaction, redrive_producer
from streams.operate.clients import admin_client, consumer
from streams.operate.errors import KafkaAbsentError, NoRightError
from streams.operate.live import live
from streams.stop_worker import StopWorker
from tests.cli.guarded import (
    GRANTED,
    NAMES,
    SPEC,
    client_arguments,
    engine_config,
    login,
    topics,
    until_refused,
)
from tests.tls.cluster import PASSWORD, GuardedKafka

__all__ = ["topics"]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


async def test_a_worker_may_look_at_all_that_it_checks(
    topics: GuardedKafka, tmp_path: Path
) -> None:
    config = engine_config(topics, tmp_path)
    cluster = await inspect_cluster(config, SPEC, logging.getLogger())
    assert cluster.partition_count == 2
    assert set(cluster.ids()) == set(cluster.topics) >= {"byline-accounts-changelog"}


@pytest.mark.parametrize(
    ("security", "sentence"),
    [
        ({"sasl_plain_password": "wrong"}, "refuses the login of worker: user name or password"),
        ({"sasl_mechanism": "PLAIN"}, "knows no login by PLAIN"),
        (
            {"sasl_plain_username": "notifier", "sasl_plain_password": "right-notifier"},
            "a right is missing",
        ),
    ],
)
async def test_what_a_person_has_to_mend_ends_a_worker_with_2_and_the_cause_at_once(
    topics: GuardedKafka, tmp_path: Path, security: dict[str, str], sentence: str
) -> None:
    config = engine_config(topics, tmp_path, **security)
    async with asyncio.timeout(10):
        with pytest.raises(StopWorker, match=sentence) as refused:
            await inspect_cluster(config, SPEC, logging.getLogger())
    assert refused.value.exit_code == 2


async def test_a_wrong_password_is_not_called_an_absent_kafka(topics: GuardedKafka) -> None:
    settings = login(topics, "worker").model_copy(
        update={"kafka_sasl_password": SecretStr("wrong")}
    )
    async with asyncio.timeout(10):
        with pytest.raises(KafkaAbsentError, match="refuses the login of worker"):
            async with admin_client(settings):
                pass


async def test_a_worker_may_do_its_whole_transaction(topics: GuardedKafka) -> None:
    arguments = client_arguments(topics, "worker")
    source = TopicPartition("byline.follower-counts", 0)
    async with AIOKafkaConsumer(group_id="byline", **arguments) as consumer:
        consumer.assign([source])
        assert await consumer.position(source) == 0
    async with (
        AIOKafkaProducer(transactional_id="byline-0", **arguments) as producer,
        producer.transaction(),
    ):
        for topic in TOPICS:
            if topic.role not in ("input", "acks") or topic.name == "switches":
                await producer.send_and_wait(NAMES.of(topic), b"{}", b"weibo:a", 0)
        await producer.send_offsets_to_transaction({source: 1}, "byline")


async def test_a_worker_may_ask_when_its_transaction_ended(
    topics: GuardedKafka, tmp_path: Path
) -> None:
    """Which is the only way to the broker's time that its rights allow."""
    config, place = engine_config(topics, tmp_path), TopicPartition("byline-accounts-changelog", 1)
    clock, reader = Clock(), plain_consumer(config, "read_uncommitted", "ends")
    producer = TransactionalProducer(config, 1)
    await reader.start()
    await producer.start()
    try:
        found = BrokerClock(
            config, clock, lambda place, number: marker_time(reader._client, place, number)
        )
        await found.begin(producer, place)
        assert found.agrees
    finally:
        await producer.stop()
        await reader.stop()


async def test_a_worker_may_not_write_its_own_input(topics: GuardedKafka) -> None:
    async with AIOKafkaProducer(**client_arguments(topics, "worker")) as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("byline.follower-counts", b"{}", b"weibo:a", 0)


async def test_who_enforces_may_say_what_came_of_it(topics: GuardedKafka) -> None:
    async with AIOKafkaProducer(**client_arguments(topics, "enforcer")) as producer:
        await producer.send_and_wait("byline.throttle-acks", b"{}", b"weibo:a", 0)
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("byline.throttles", b"{}", b"weibo:a", 0)


async def test_a_worker_of_another_application_is_fenced_off(topics: GuardedKafka) -> None:
    producer = AIOKafkaProducer(transactional_id="other-0", **client_arguments(topics, "worker"))
    with pytest.raises(KafkaError, match="TransactionalIdAuthorizationFailed"):
        await producer.start()
    await producer.stop()


async def test_the_platform_may_send_readings_but_no_controls(topics: GuardedKafka) -> None:
    arguments = client_arguments(topics, "platform")
    async with AIOKafkaProducer(enable_idempotence=True, **arguments) as producer:
        await producer.send_and_wait("byline.follower-counts", b"{}", b"weibo:a", 0)
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("byline.controls", b"{}", b"weibo:a", 0)


async def test_the_notifier_may_not_read_shadow_invitations(topics: GuardedKafka) -> None:
    arguments = client_arguments(topics, "notifier")
    group = "byline-notifier-1"
    async with AIOKafkaConsumer("byline.invitations", group_id=group, **arguments) as consumer:
        await consumer.getmany(timeout_ms=500)
    client = AdminClient(
        {
            "bootstrap.servers": topics.address(),
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(topics.authority.cafile),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "notifier",
            "sasl.password": PASSWORD.format(user="notifier"),
        }
    )
    hidden = "byline.shadow.invitations"
    refusal = client.list_topics(hidden, timeout=10).topics[hidden].error
    assert refusal.code() == ConfluentError.TOPIC_AUTHORIZATION_FAILED


async def test_who_redrives_sends_again_and_marks_in_one_transaction_and_decides_nothing(
    topics: GuardedKafka,
) -> None:
    settings = login(topics, "redriver")
    again = ("byline.consent-answers", 0, b"weibo:a", b"{}")
    mark = ("byline.dead-letters", 0, b"weibo:a", b"{}")
    async with redrive_producer(settings) as producer:
        await in_transaction(producer, [again, mark])
    async with redrive_producer(settings) as producer:
        with pytest.raises(OutcomeUnknownError, match="TopicAuthorizationFailed"):
            await in_transaction(producer, [("byline.decisions", 0, b"weibo:a", b"{}")])
    fence = [it for it in GRANTED if (it.role, it.kind) == ("redriver", "transactional-id")]
    topics.forbid(fence)
    try:
        with pytest.raises(NoRightError, match="Write the transactional id byline-redrive"):
            async with asyncio.timeout(60), redrive_producer(settings):
                pass
    finally:
        topics.allow(fence)


async def test_who_indexes_reads_all_that_the_index_needs_and_writes_nothing(
    topics: GuardedKafka,
) -> None:
    settings = login(topics, "indexer")
    async with consumer(settings) as client:
        feed = Feed(client, NAMES)
        await feed.find()
        assert {topic for topic, _ in await feed.ends()} == {topic.name for topic in READ}
    readings = "byline.follower-counts"
    async with AIOKafkaProducer(**client_arguments(topics, "platform")) as producer:
        await producer.send_and_wait(readings, b"{}", b"weibo:a", 0)
    seen = await live(settings)
    behind = {it.partition: it.behind for it in seen.lags}
    assert behind[0] >= 1, "what it may not read is not called read"
    hidden = [it for it in GRANTED if (it.role, it.name) == ("indexer", readings)]
    topics.forbid(hidden)
    try:
        refused = await until_refused(lambda: live(settings), NoRightError)
    finally:
        topics.allow(hidden)
    assert f"no right to Describe {readings}" in str(refused)
    async with AIOKafkaProducer(**client_arguments(topics, "indexer")) as producer:
        for name in ("byline.decisions", "byline.throttle-acks"):
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(name, b"{}", b"weibo:a", 0)
