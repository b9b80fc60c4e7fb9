"""The transactional producer: aiokafka's, but a request whose outcome is not known ends it.

aiokafka sends a coordinator's request again under the same epoch when its connection broke or
nothing came in time. The first one may still arrive, and then it commits the *next* transaction
while that is half written (KIP-890; tests/chaos/wire shows it). Here such a request raises
`NoAnswer`; the process ends, and the next start's InitProducerId brings another epoch, under which
what is late is refused. Three things are sent again all the same: what the coordinator answered
"not now" (it is not late: it was answered), InitProducerId (each has an epoch of its own) and
produce requests (their sequence numbers tell a second one from a first).
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    CoordinatorNotAvailableError,
    IncompatibleBrokerVersion,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.producer.sender import (
    BACKOFF_OVERRIDE,
    AddOffsetsToTxnHandler,
    AddPartitionsToTxnHandler,
    BaseHandler,
    EndTxnHandler,
    Sender,
    TxnOffsetCommitHandler,
)

from streams.engine.config import EngineConfig

# The broker answers CONCURRENT_TRANSACTIONS while it still writes the markers of the last commit,
# which takes 1-3 ms on one machine; aiokafka waits 20 ms before it asks again.
RETRY_SECONDS = 0.004

# What a coordinator answers when it could not see its own write through: it may be done or not.
OUTCOME_UNKNOWN = (RequestTimedOutError.errno, CoordinatorNotAvailableError.errno)


class NoAnswer(Exception):
    """Whether a coordinator's request of a transaction took effect is not known."""


class _Once(BaseHandler):  # type: ignore[misc]
    """A coordinator's request of a transaction: asked again after "not now", never after silence.

    Raises `NoAnswer`.
    """

    async def do(self, node_id: int) -> bool:
        request = self.create_request()
        try:
            answer = await self._sender.client.send(node_id, request, group=self.group)
        except NodeNotReadyError:
            # There was no connection, so nothing was sent.
            await asyncio.sleep(self.handle_error())
            return False
        except IncompatibleBrokerVersion:
            raise
        except KafkaError as error:
            raise NoAnswer(f"{_name(request)} was sent and got no answer: {error!r}") from error
        codes = _codes(answer)
        if unknown := codes.intersection(OUTCOME_UNKNOWN):
            raise NoAnswer(f"{_name(request)} may have taken effect or not: answered {unknown}")
        wait = self.handle_response(answer)
        if wait is not None:
            await asyncio.sleep(wait)
        return wait is None


def _name(request: Any) -> str:
    return type(request).__name__.removesuffix("Request")


def _codes(answer: Any) -> set[int]:
    """Every error code of an answer, with 0 for what went well."""
    if not hasattr(answer, "errors"):
        return {answer.error_code}
    return {code for _, partitions in answer.errors for _, code in partitions}


class _AddPartitions(_Once, AddPartitionsToTxnHandler):  # type: ignore[misc]
    def handle_response(self, resp: Any) -> float | None:
        backoff: float | None = super().handle_response(resp)
        return RETRY_SECONDS if backoff == BACKOFF_OVERRIDE else backoff


class _AddOffsets(_Once, AddOffsetsToTxnHandler):  # type: ignore[misc]
    """Adds the group's offsets to the transaction."""


class _OffsetCommit(_Once, TxnOffsetCommitHandler):  # type: ignore[misc]
    """Writes the group's offsets as part of the transaction."""


class _EndTxn(_Once, EndTxnHandler):  # type: ignore[misc]
    """Commits or aborts."""


class _Sender(Sender):  # type: ignore[misc]
    """aiokafka's, with the handlers above."""

    async def _sender_routine(self) -> None:
        try:
            await super()._sender_routine()
        except KafkaError as error:
            # aiokafka says "unexpected error" of all that it does not know.
            if error.__cause__ is not None:
                raise error.__cause__ from None
            raise

    async def _transaction_coordinator(self) -> int:
        node: int = await self._find_coordinator(
            CoordinationType.TRANSACTION, self._txn_manager.transactional_id
        )
        return node

    async def _do_add_partitions_to_txn(self, tps: Any) -> Any:
        return await _AddPartitions(self, tps).do(await self._transaction_coordinator())

    async def _do_add_offsets_to_txn(self, group_id: str) -> Any:
        return await _AddOffsets(self, group_id).do(await self._transaction_coordinator())

    async def _do_txn_offset_commit(self, offsets: Any, group_id: str) -> None:
        if offsets:
            node_id = await self._find_coordinator(CoordinationType.GROUP, group_id)
            await _OffsetCommit(self, offsets, group_id).do(node_id)

    async def _do_txn_commit(self, commit_result: Any) -> None:
        # Futures were awaited by `Committer`; this holds for any other caller too.
        await self._message_accumulator.flush_for_commit()
        if self._txn_manager.is_empty_transaction():
            self._txn_manager.complete_transaction()
            return
        await _EndTxn(self, commit_result).do(await self._transaction_coordinator())


class TransactionalProducer(AIOKafkaProducer):  # type: ignore[misc]
    """One for each partition number; starting it fences whoever had the number before."""

    def __init__(self, config: EngineConfig, partition: int) -> None:
        super().__init__(
            **config.client_arguments(),
            client_id=f"{config.application_id}-{partition}",
            transactional_id=config.transactional_id(partition),
            transaction_timeout_ms=int(config.transaction_timeout_seconds * 1000),
            acks="all",
            max_batch_size=config.max_batch_bytes,
            max_request_size=max(config.max_batch_bytes, 1_048_576),
        )
        self._sender.__class__ = _Sender
