"""Makes sure that no worker writes while a command changes its state.

A look into the group shows the workers that run. One that starts later, or that the coordinator
does not know, is fenced: the command starts the producer of each partition itself, so the worker's
next transaction fails and it ends. A worker that starts after that fences the command in turn, and
the command's next write fails. So never do two write.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
    for_code,
)

from streams.engine.config import REBALANCE_TIMEOUT_SECONDS, EngineConfig
from streams.engine.producer import TransactionalProducer
from streams.engine.sender import NoAnswer
from streams.kafka.requests.coordinators import (
    COORDINATOR_MOVES,
    COORDINATOR_SECONDS,
    COORDINATOR_TRIES,
)
from streams.kafka.requests.groups import MembersRequest
from streams.stop_worker import ExitCode, StopWorker

MARGIN_SECONDS = 2.0
STABLE = "Stable"
"""The state of a group in which each member has its partitions."""
WRITE_FAILED = (KafkaError, NoAnswer, TimeoutError, AssertionError)
"""What a producer raises whose transaction did not end as it should.

aiokafka asserts that a producer is in a transaction, and a fatal error ends it.
"""


async def refuse_members(client: AIOKafkaAdminClient, group: str, session_seconds: float) -> None:
    """Waits until the group has no members; a running worker would overwrite the state.

    A worker that just ended stays in the group for one session time. If it ended while the group
    shared out its partitions, that begins when the group has waited in vain for it.

    Raises:
        StopWorker: the group still has members after `session_seconds` and a margin, or nobody can
            say whether it has.
        KafkaError: the group may not be described, or another error.
    """
    began = seen = time.monotonic()
    while True:
        state, members = await members_of(client, group)
        if not members:
            return
        now = time.monotonic()
        if state != STABLE and now < began + REBALANCE_TIMEOUT_SECONDS:
            seen = now
        if now > seen + session_seconds + MARGIN_SECONDS:
            raise StopWorker(
                f"workers of {group} run: {', '.join(members)}. Stop them first", ExitCode.PERSON
            )
        await asyncio.sleep(0.5)


async def members_of(client: AIOKafkaAdminClient, group: str) -> tuple[str, list[str]]:
    """Returns the state of the group (STABLE, or what leads there) and its members.

    A coordinator that is being made, loaded or moved is asked again.

    Raises:
        StopWorker: after ten seconds it still is.
        KafkaError: any other error. An answer with an error has no members, and says nothing.
    """
    for tries_left in reversed(range(COORDINATOR_TRIES)):
        try:
            return await _described(client, group)
        except COORDINATOR_MOVES as error:
            if not tries_left:
                raise StopWorker(
                    f"whether workers of {group} run is not known: no coordinator of the group "
                    f"answers for it ({type(error).__name__}). Nothing was changed; run this again "
                    "when the brokers are up",
                    ExitCode.PERSON,
                ) from error
        await asyncio.sleep(COORDINATOR_SECONDS)
    raise AssertionError("the last try returns or raises")


async def _described(client: AIOKafkaAdminClient, group: str) -> tuple[str, list[str]]:
    node = await client.find_coordinator(group)
    answer = await client._send_request_to_node(node, MembersRequest(group))
    ((code, _, state, _, _, members, _),) = answer.groups
    if code:
        raise for_code(code)(group)
    return str(state), sorted(str(member[1] or member[0]) for member in members)


@asynccontextmanager
async def held(
    config: EngineConfig, partitions: Iterable[int]
) -> AsyncIterator[dict[int, TransactionalProducer]]:
    """Starts the producer of each of these partitions, and stops them at the end.

    Each start fences the partition's worker and ends its open transaction, so what is read
    afterwards cannot change any more unless a worker starts anew.

    Raises:
        StopWorker: the right to a transactional id is missing, or no coordinator answers.
    """
    producers: dict[int, TransactionalProducer] = {}
    try:
        for number in partitions:
            producers[number] = TransactionalProducer(config, number)
            await _start(config, producers[number], number)
        yield producers
    finally:
        stops = (producer.stop() for producer in producers.values())
        await asyncio.gather(*stops, return_exceptions=True)


async def _start(config: EngineConfig, producer: TransactionalProducer, number: int) -> None:
    name = config.transactional_id(number)
    try:
        async with asyncio.timeout(config.broker_wait_seconds):
            await producer.start()
    except TransactionalIdAuthorizationFailed as error:
        raise StopWorker(
            f"a right is missing: no right to Write the transactional id {name}. `byline topics "
            "acl --role upkeeper` says what this command needs. Nothing was changed",
            ExitCode.PERSON,
        ) from error
    except (KafkaError, TimeoutError, OSError) as error:
        raise StopWorker(
            f"Kafka gives no transactional id {name} ({error!r}). Nothing was changed; run this "
            "again when the brokers are up",
            ExitCode.PERSON,
        ) from error


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turns the errors of a write that failed into one sentence.

    Raises:
        StopWorker: `what` was not written, or is not known to be.
    """
    try:
        yield
    except WRITE_FAILED as error:
        if isinstance(error, ProducerFenced | InvalidProducerEpoch):
            why = "a worker, or another command, has started meanwhile and taken the partition over"
        else:
            why = f"the transaction did not end as it should ({type(error).__name__}: {error})"
        raise StopWorker(f"{what}: {why}", ExitCode.PERSON) from error


async def in_one_transaction(
    producer: TransactionalProducer,
    topic: str,
    partition: int,
    records: Iterable[tuple[bytes, bytes]],
) -> None:
    """Writes records (key, value) to a partition, all or none."""
    await producer.begin_transaction()
    waiting = [await producer.send(topic, value, key, partition) for key, value in records]
    for future in waiting:
        await future
    await producer.commit_transaction()
