"""What the tests of rights share: a login for each role, the topics, and what a worker looks at."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import INPUTS, OUTPUTS, POLICIES, STORES, TopicNames
from streams.engine.config import EngineConfig
from streams.engine.processor import ProcessorSpec, StoreSpec
from streams.kafka.configs import set_topic_configs
from streams.operate.acl import permissions
from streams.operate.clients import admin_client
from streams.operate.topics import apply, check, create
from streams.settings import Settings, kafka_client_kwargs
from tests.tls.cluster import PASSWORD, GuardedKafka

NAMES = TopicNames("byline.", "byline")
GRANTED = permissions(Settings())


def login(kafka: GuardedKafka, role: str) -> Settings:
    return Settings(
        kafka_bootstrap_servers=kafka.address(),
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username=role,
        kafka_sasl_password=PASSWORD.format(user=role),  # type: ignore[arg-type]
        kafka_ssl_cafile=kafka.authority.cafile,
    )


def client_arguments(kafka: GuardedKafka, role: str) -> dict[str, Any]:
    return kafka_client_kwargs(login(kafka, role))


@pytest.fixture
async def topics(guarded: GuardedKafka) -> GuardedKafka:
    """The administrator makes, checks and mends the topics: that is what it may."""
    administrator = login(guarded, "administrator")
    await create(administrator, 2)
    while await check(administrator):
        await apply(administrator)
    async with admin_client(administrator) as client:
        wrong = {"byline.switches": {"message.timestamp.type": "CreateTime"}}
        assert await set_topic_configs(client, wrong) == {}
    while not (await apply(administrator)).changed:
        await asyncio.sleep(0.1)
    return guarded


SPEC = ProcessorSpec(
    topics=tuple(NAMES.of(topic) for topic in INPUTS if not topic.single),
    broadcast="byline.switches",
    stores=tuple(StoreSpec(store, in_memory=False) for store in STORES),
    output_topics=(
        *map(NAMES.of, OUTPUTS),
        *("byline.decisions", "byline.dead-letters", "byline.switches"),
    ),
    append_time=True,
    beside=(NAMES.of(POLICIES),),
)


def engine_config(kafka: GuardedKafka, folder: Path, **security: str) -> EngineConfig:
    logs_in = {**client_arguments(kafka, "worker"), **security}
    del logs_in["bootstrap_servers"]
    return EngineConfig(
        application_id="byline",
        bootstrap_servers=kafka.address(),
        data_dir=folder,
        security=logs_in,
    )


async def until_refused(attempt: Any, kind: type[Exception]) -> Exception:
    """What is raised once the broker has heard that a right is gone."""
    async with asyncio.timeout(10):
        while True:
            try:
                await attempt()
            except kind as refused:
                return refused
            await asyncio.sleep(0.05)
