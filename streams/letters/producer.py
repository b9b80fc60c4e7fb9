"""The transactional producer that sends refused records again.

All redrives of an application use one transactional id, so a new one fences an older one. Its start
(InitProducerId) ends an open transaction of the older one. So what is read after the start shows
which letters are settled.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
)

from streams.engine.sender import Manager, NoAnswer, OnceSender
from streams.operate.clients import CONNECT_TIMEOUT_SECONDS
from streams.operate.errors import KafkaAbsentError, NoRightError, OperateError
from streams.settings import Settings, kafka_client_kwargs

TRANSACTION_MS = 30_000
STEP_SECONDS = 40.0
"""The time limit of a transaction; if it is exceeded, the outcome is unknown."""


def transactional_id(settings: Settings) -> str:
    """Returns the transactional id of all redrives of an application."""
    return f"{settings.application_id}-redrive"


class RedriveProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer with the sender of the worker (engine/sender.py)."""

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
    """It is unknown whether the last transaction was committed; the next start resolves it."""


class TakenOverError(OutcomeUnknownError):
    """Another order on dead letters began meanwhile; Kafka lets the newer one go on alone."""


@asynccontextmanager
async def redrive_producer(settings: Settings) -> AsyncIterator[RedriveProducer]:
    """Starts a producer, and stops it at the end.

    Raises:
        KafkaAbsentError: no broker answers, or it gives no transactional id.
        NoRightError: this principal may not use the transactional id.
    """
    client = RedriveProducer(settings)
    try:
        await asyncio.wait_for(client.start(), CONNECT_TIMEOUT_SECONDS + STEP_SECONDS)
    except (KafkaError, TimeoutError, OSError) as error:
        await client.stop()
        if isinstance(error, TransactionalIdAuthorizationFailed):
            words = f"no right to Write the transactional id {transactional_id(settings)}"
            raise NoRightError(words) from error
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
    """Sends records (topic, partition, key, value) in one transaction.

    Raises:
        TakenOverError: another order on letters has begun.
        OutcomeUnknownError: it is unknown whether the transaction was committed.
    """

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
    except (ProducerFenced, InvalidProducerEpoch) as error:
        raise TakenOverError(
            "another order on dead letters was begun at the same moment, and one goes at a time:"
            " do it again, it goes on with what is not settled"
        ) from error
    except (KafkaError, NoAnswer, TimeoutError, AssertionError) as error:
        raise OutcomeUnknownError(
            f"the last transaction did not end as it should ({type(error).__name__}: {error}). It"
            " was committed whole or not at all: run the command again, it goes on with what is"
            " not settled. If another redrive runs, it has taken over"
        ) from error
