"""Kafka clients for commands: made from Settings, always closed, with errors that say what to do.

Inside their `async with` blocks a missing right raises NoRightError, and a broker that no longer
answers raises KafkaAbsentError.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from streams.kafka.consumer import TolerantConsumer
from streams.kafka.login import knock
from streams.kafka.rights import RIGHTS_ERRORS, refused_in_words
from streams.operate.errors import KafkaAbsentError, NoRightError
from streams.settings import Settings, kafka_client_kwargs

CONNECT_TIMEOUT_SECONDS = 8.0


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yields a started admin client. Raises KafkaAbsentError, NoRightError."""
    client = AIOKafkaAdminClient(**kafka_client_kwargs(settings))
    await _start(client, settings)
    try:
        with _explained(settings):
            yield client
    finally:
        await client.close()


@asynccontextmanager
async def producer(
    settings: Settings, topic: str = "to any topic", **options: Any
) -> AsyncIterator[AIOKafkaProducer]:
    """Yields a started idempotent producer. Raises KafkaAbsentError, NoRightError.

    `topic`: what it is for, named if this principal may write to no topic at all. `options`:
    further arguments of AIOKafkaProducer.
    """
    client = AIOKafkaProducer(
        **kafka_client_kwargs(settings), enable_idempotence=True, acks="all", **options
    )
    await _start(client, settings, topic)
    try:
        with _explained(settings):
            yield client
    finally:
        await client.stop()


@asynccontextmanager
async def consumer(
    settings: Settings, *, committed: bool = True
) -> AsyncIterator[TolerantConsumer]:
    """Yields a started consumer without a group. Raises KafkaAbsentError, NoRightError.

    `committed`: it reads committed records only.
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
        with _explained(settings):
            yield client
    finally:
        await client.stop()


async def _start(client: Any, settings: Settings, topic: str = "to any topic") -> None:
    """Starts a client, or closes it and raises.

    Raises:
        KafkaAbsentError: within ten seconds, also if what listens there is no Kafka.
        NoRightError: the principal may write to no topic, which an idempotent producer needs.
    """
    # aiokafka logs every address that does not answer; our one error message is enough.
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        answer = await knock(kafka_client_kwargs(settings))
        if answer.fault is not None:
            raise KafkaAbsentError(answer.fault)
        if answer.silence is not None:
            raise _absent(settings, answer.silence)
        await asyncio.wait_for(client.start(), CONNECT_TIMEOUT_SECONDS)
    except BaseException as error:
        await _close(client)
        if isinstance(error, ClusterAuthorizationFailedError):
            # Kafka lets only a principal that may write to some topic be an idempotent producer.
            raise NoRightError(f"no right to Write {topic}") from error
        if isinstance(error, KafkaError | TimeoutError | OSError):
            raise _absent(settings, type(error).__name__) from error
        raise
    finally:
        log.setLevel(level)


def _absent(settings: Settings, why: str) -> KafkaAbsentError:
    return KafkaAbsentError(
        f"no Kafka answers at {settings.kafka_bootstrap_servers} ({why}): set"
        " BYLINE_KAFKA_BOOTSTRAP_SERVERS, or start one here with `byline kafka start`"
    )


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    """Turns aiokafka's errors of rights and connections into NoRightError and KafkaAbsentError."""
    try:
        yield
    except RIGHTS_ERRORS as error:
        raise NoRightError(refused_in_words(error)) from error
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError) as error:
        raise KafkaAbsentError(
            f"Kafka at {settings.kafka_bootstrap_servers} let us in and then did not answer"
            f" ({type(error).__name__}): can the addresses that it gives for its brokers"
            " (advertised.listeners) be reached from here?"
        ) from error


async def _close(client: Any) -> None:
    await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
