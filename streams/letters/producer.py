"""The transactional producer of commands that send records again: refused ones, and stray ones.

All redrives of an application use one transactional id, so a new one fences an older one. Its start
(InitProducerId) ends an open transaction of the older one. So what is read after the start shows
which letters are settled. `byline cluster reroute` has an id of its own, and does the same.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
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


class OnceProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer with the sender of the worker (engine/sender.py)."""

    def __init__(self, settings: Settings, name: str) -> None:
        super().__init__(
            **kafka_client_kwargs(settings),
            client_id=name,
            transactional_id=name,
            transaction_timeout_ms=TRANSACTION_MS,
            acks="all",
        )
        self._sender.__class__ = OnceSender
        self._txn_manager.__class__ = Manager


class RedriveProducer(OnceProducer):
    """The producer of redrives."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, transactional_id(settings))


class OutcomeUnknownError(OperateError):
    """It is unknown whether the last transaction was committed; the next start resolves it."""


class TakenOverError(OutcomeUnknownError):
    """Another such command began meanwhile; Kafka lets the newer one go on alone."""


@asynccontextmanager
async def redrive_producer(settings: Settings) -> AsyncIterator[RedriveProducer]:
    """Starts the producer of redrives, and stops it at the end. Raises what `_started` raises."""
    client = RedriveProducer(settings)
    async with _started(settings, client, "redriver"):
        yield client


@asynccontextmanager
async def once_producer(settings: Settings, name: str, role: str) -> AsyncIterator[OnceProducer]:
    """Starts a producer with this transactional id, and stops it at the end.

    `role`: who has the right to it. Raises what `_started` raises.
    """
    client = OnceProducer(settings, name)
    async with _started(settings, client, role):
        yield client


@asynccontextmanager
async def _started(settings: Settings, client: OnceProducer, role: str) -> AsyncIterator[None]:
    """Starts a producer, and stops it at the end.

    Raises:
        KafkaAbsentError: no broker answers, or it gives no transactional id.
        NoRightError: this principal may not use the transactional id.
    """
    name = client._txn_manager.transactional_id
    try:
        await asyncio.wait_for(client.start(), CONNECT_TIMEOUT_SECONDS + STEP_SECONDS)
    except (KafkaError, TimeoutError, OSError) as error:
        await client.stop()
        if isinstance(error, TransactionalIdAuthorizationFailed):
            raise NoRightError(f"no right to Write the transactional id {name}") from error
        raise KafkaAbsentError(
            f"Kafka at {settings.kafka_bootstrap_servers} gives no transactional id"
            f" {name} ({error!r}): does it answer, and may this principal"
            f" use that id (`byline topics acl`, role {role})?"
        ) from error
    try:
        yield
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

    await outcome_told(
        run(),
        taken_over="another order on dead letters was begun at the same moment, and one goes at a"
        " time: do it again, it goes on with what is not settled",
        goes_on="it goes on with what is not settled. If another redrive runs, it has taken over",
    )


async def outcome_told(
    transaction: Coroutine[None, None, None], taken_over: str, goes_on: str
) -> None:
    """Runs a transaction; an error says what became of it, and what to do.

    `taken_over`: said if another producer has the transactional id. `goes_on`: what a repeat does.

    Raises:
        TakenOverError: another producer has it.
        OutcomeUnknownError: it is unknown whether the transaction was committed.
    """
    try:
        await asyncio.wait_for(transaction, STEP_SECONDS)
    except (ProducerFenced, InvalidProducerEpoch) as error:
        raise TakenOverError(taken_over) from error
    except (KafkaError, NoAnswer, TimeoutError, AssertionError) as error:
        raise OutcomeUnknownError(
            f"the last transaction did not end as it should ({type(error).__name__}: {error}). It"
            f" was committed whole or not at all: run the command again, {goes_on}"
        ) from error
