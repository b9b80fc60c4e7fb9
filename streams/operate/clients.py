"""Kafka clients for commands: made from Settings, closed for sure, absent brokers said in words."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.kafka.consumer import TolerantConsumer
from streams.kafka.login import login_fault
from streams.operate.errors import KafkaAbsentError
from streams.settings import Settings, kafka_client_kwargs

CONNECT_TIMEOUT_SECONDS = 15.0


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; KafkaAbsentError when no broker answers."""
    client = AIOKafkaAdminClient(**kafka_client_kwargs(settings))
    await _start(client, settings)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def producer(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer; KafkaAbsentError when no broker answers."""
    client = AIOKafkaProducer(
        **kafka_client_kwargs(settings), enable_idempotence=True, acks="all", **options
    )
    await _start(client, settings)
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def consumer(
    settings: Settings, *, committed: bool = True
) -> AsyncIterator[TolerantConsumer]:
    """A consumer of no group, of committed records alone unless told otherwise.

    Raises KafkaAbsentError when no broker answers.
    """
    client = TolerantConsumer(
        **kafka_client_kwargs(settings),
        group_id=None,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await _start(client, settings)
    try:
        yield client
    finally:
        await client.stop()


async def _start(client: Any, settings: Settings) -> None:
    # aiokafka logs each address that does not answer; one sentence of ours says it all.
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        await asyncio.wait_for(client.start(), CONNECT_TIMEOUT_SECONDS)
    except (KafkaConnectionError, TimeoutError, OSError) as error:
        await _close(client)
        if fault := await login_fault(kafka_client_kwargs(settings)):
            raise KafkaAbsentError(fault) from error
        raise KafkaAbsentError(
            f"no Kafka answers at {settings.kafka_bootstrap_servers}: set"
            " BYLINE_KAFKA_BOOTSTRAP_SERVERS, or start one here with `byline kafka start`"
        ) from error
    except KafkaError as error:
        await _close(client)
        raise KafkaAbsentError(
            f"Kafka at {settings.kafka_bootstrap_servers} does not let us in ({error}): check"
            " BYLINE_KAFKA_SECURITY_PROTOCOL and the login"
        ) from error
    finally:
        log.setLevel(level)


async def _close(client: Any) -> None:
    await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
