"""The producer that sends refused records again: one for an application, the newest wins.

Starting it ends whatever another one of it had begun (InitProducerId): that transaction is then
committed or it never was, so that what is read after the start tells which letters are settled.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.engine.sender import Manager, NoAnswer, OnceSender
from streams.operate.clients import CONNECT_TIMEOUT_SECONDS
from streams.operate.errors import KafkaAbsentError, OperateError
from streams.settings import Settings, kafka_client_kwargs

TRANSACTION_MS = 30_000
STEP_SECONDS = 40.0
"""A step of a transaction that takes longer is given up: its outcome is not known."""


def transactional_id(settings: Settings) -> str:
    """Under this id the second redriver fences the first."""
    return f"{settings.application_id}-redrive"


class RedriveProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's, with the worker's sender, which never asks a coordinator twice."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            **kafka_client_kwargs(settings),
            client_id=transactional_id(settings),
            transactional_id=transactional_id(settings),
            transaction_timeout_ms=TRANSACTION_MS,
            acks="all",
        )
        self._sender.__class__ = OnceSender
        self._txn_manager.__class__ = Manager


class OutcomeUnknownError(OperateError):
    """Whether the last transaction was committed is not known; the next start finds it out."""


@asynccontextmanager
async def redrive_producer(settings: Settings) -> AsyncIterator[RedriveProducer]:
    """A started one. KafkaAbsentError when no broker answers."""
    client = RedriveProducer(settings)
    try:
        await asyncio.wait_for(client.start(), CONNECT_TIMEOUT_SECONDS + STEP_SECONDS)
    except (KafkaError, TimeoutError, OSError) as error:
        await client.stop()
        raise KafkaAbsentError(
            f"Kafka at {settings.kafka_bootstrap_servers} gives no transactional id"
            f" {transactional_id(settings)} ({error!r}): does it answer, and may this principal"
            " use that id (`byline topics acl`, role redriver)?"
        ) from error
    try:
        yield client
    finally:
        await asyncio.wait({asyncio.ensure_future(client.stop())}, timeout=STEP_SECONDS)


async def in_transaction(
    client: RedriveProducer, records: list[tuple[str, int, bytes | None, bytes | None]]
) -> None:
    """Produce these (topic, partition, key, value) in one transaction: all, or none of them."""

    async def run() -> None:
        await client.begin_transaction()
        sent = [
            await client.send(topic, value, key, partition)
            for topic, partition, key, value in records
        ]
        await asyncio.gather(*sent)
        await client.commit_transaction()

    try:
        await asyncio.wait_for(run(), STEP_SECONDS)
    except (KafkaError, NoAnswer, TimeoutError, AssertionError) as error:
        raise OutcomeUnknownError(
            f"the last transaction did not end as it should ({type(error).__name__}: {error}). It"
            " was committed whole or not at all: run the command again, it goes on with what is"
            " not settled. If another redrive runs, it has taken over"
        ) from error
