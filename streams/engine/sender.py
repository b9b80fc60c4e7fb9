"""Sends a transaction's requests. A request with an unknown outcome ends the producer.

If the connection breaks or no answer comes in time, aiokafka repeats a request to a coordinator
under the same epoch. The first request may still arrive later, and then commits the *next*
transaction while that is half written (KIP-890; tests/chaos/wire shows it). Here such a request
raises `NoAnswer` and the process ends. The next start's InitProducerId gets a new epoch, so the
broker refuses the late request. Three kinds are still repeated: requests that the coordinator
answered with "not now", InitProducerId (each call gets a new epoch), and produce requests (the
broker recognises repeats by their sequence numbers).

In the second version of transactions (streams/kafka/requests/transactions.py) each transaction has
its own epoch; then a request that the network repeats is refused as well.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    IncompatibleBrokerVersion,
    KafkaError,
    NodeNotReadyError,
    NoError,
    RequestTimedOutError,
)
from aiokafka.producer.sender import (
    BACKOFF_OVERRIDE,
    AddOffsetsToTxnHandler,
    AddPartitionsToTxnHandler,
    BaseHandler,
    EndTxnHandler,
    Sender,
    SendProduceReqHandler,
    TxnOffsetCommitHandler,
)
from aiokafka.producer.transaction_manager import PidAndEpoch, TransactionManager

from streams.kafka.requests.exact import Exact
from streams.kafka.requests.transactions import (
    FEATURE,
    LEVEL,
    EndTxnRequest5,
    Produce,
    TxnOffsetCommitRequest5,
    ask_versions,
)

# The broker answers CONCURRENT_TRANSACTIONS while it still writes the markers of the last commit,
# which takes 1-3 ms on one machine; aiokafka waits 20 ms before it asks again.
RETRY_SECONDS = 0.004

# With this error the coordinator's own write timed out, so it may have taken effect or not. After
# COORDINATOR_NOT_AVAILABLE, which a starting coordinator answers too, the request is repeated: it
# was answered, so none is still under way, and a repeat of the four requests here is harmless.
OUTCOME_UNKNOWN = RequestTimedOutError.errno


class NoAnswer(Exception):
    """A coordinator did not answer, so it is unknown whether the request took effect."""


class _Once(BaseHandler):  # type: ignore[misc]
    """A request to a coordinator. It is repeated after the answer "not now", never without answer.

    Raises:
        NoAnswer: the outcome is unknown.
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
        if OUTCOME_UNKNOWN in _codes(answer):
            raise NoAnswer(f"{_name(request)} timed out at the coordinator")
        wait = self.handle_response(answer)
        if wait is not None:
            await asyncio.sleep(wait)
        return wait is None


def _name(request: Any) -> str:
    kind = type(request.struct if isinstance(request, Exact) else request)
    return kind.__name__.rstrip("0123456789").removesuffix("Request")


def _codes(answer: Any) -> set[int]:
    """Returns all error codes of a response; 0 means success."""
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

    def handle_response(self, resp: Any) -> float | None:
        if ConcurrentTransactions.errno in _codes(resp):
            # In the second version this request also adds a partition to the transaction, and the
            # broker may still be writing the markers of the last one.
            return RETRY_SECONDS
        wait: float | None = super().handle_response(resp)
        return wait


class _EndTxn(_Once, EndTxnHandler):  # type: ignore[misc]
    """Commits or aborts the transaction."""


class _OffsetCommitTwo(_OffsetCommit):
    def create_request(self) -> Exact:
        manager = self._sender._txn_manager
        topics: dict[str, list[Any]] = {}
        for tp, offset in sorted(self._offsets.items()):
            rows = topics.setdefault(tp.topic, [])
            rows.append((tp.partition, offset.offset, -1, offset.metadata, {}))
        return Exact(
            TxnOffsetCommitRequest5(
                manager.transactional_id,
                self._group_id,
                manager.producer_id,
                manager.producer_epoch,
                -1,
                "",
                None,
                [(topic, rows, {}) for topic, rows in topics.items()],
                {},
            )
        )


class _EndTxnTwo(_EndTxn):
    def create_request(self) -> Exact:
        manager = self._sender._txn_manager
        return Exact(
            EndTxnRequest5(
                manager.transactional_id,
                manager.producer_id,
                manager.producer_epoch,
                bool(self._commit_result),
                {},
            )
        )

    def handle_response(self, resp: Any) -> float | None:
        if resp.error_code == NoError.errno:
            self._sender._txn_manager.next_epoch(resp.producer_id, resp.producer_epoch)
        wait: float | None = super().handle_response(resp)
        return wait


class _ProduceTwo(SendProduceReqHandler):  # type: ignore[misc]
    def create_request(self) -> Produce:
        request = super().create_request()
        return Produce(
            request._transactional_id, request._required_acks, request._timeout, request._topics
        )

    def handle_response(self, response: Any) -> None:
        # aiokafka handles the fields of version 8, which are the first seven.
        topics = [
            (topic, [each[:7] for each in found if not self._asks_again(topic, *each[:2])])
            for topic, found, _ in response.topics
        ]
        if self._to_reenqueue:
            self._default_backoff = RETRY_SECONDS
        super().handle_response(SimpleNamespace(API_VERSION=8, topics=topics))

    def _asks_again(self, topic: str, partition: int, code: int) -> bool:
        """Whether the batch is sent again because markers of the last transaction are written.

        That is an ordinary answer. aiokafka would log a warning for each partition and wait 100 ms.
        """
        batch = self._batches.get(TopicPartition(topic, partition))
        if code != ConcurrentTransactions.errno or batch is None:
            return False
        self._to_reenqueue.append(batch)
        return True


class Manager(TransactionManager):  # type: ignore[misc]
    """aiokafka's transaction state; with `second`, that of the second version of transactions.

    That version has no requests that register partitions and groups before they are written to.
    """

    second = False

    def maybe_add_partition_to_txn(self, tp: Any) -> None:
        """Notes that the transaction writes to a partition."""
        if self.second:
            assert self.is_in_transaction()
            self._txn_partitions.add(tp)
        else:
            super().maybe_add_partition_to_txn(tp)

    def add_offsets_to_txn(self, offsets: Any, group_id: str) -> Any:
        """Notes that the transaction writes the group's offsets."""
        if self.second:
            self._txn_consumer_group = group_id
        return super().add_offsets_to_txn(offsets, group_id)

    def next_epoch(self, producer_id: int, epoch: int) -> None:
        """Uses the next producer epoch, whose sequence numbers begin at 0."""
        self._pid_and_epoch = PidAndEpoch(producer_id, epoch)
        self._sequence_numbers.clear()


class OnceSender(Sender):  # type: ignore[misc]
    """aiokafka's sender with the request handlers above."""

    async def start(self) -> None:
        """Asks which version of transactions the cluster uses, then starts the sender."""
        self._txn_manager.second = await self._second_version()
        await super().start()

    async def _second_version(self) -> bool:
        while True:
            try:
                answer = await self.client.send(self.client.get_random_node(), ask_versions())
                return bool(answer.level(FEATURE) >= LEVEL)
            except IncompatibleBrokerVersion:
                return False
            except KafkaError:
                # No broker answers yet; the caller of `start` limits the time.
                await asyncio.sleep(self._retry_backoff)

    async def _sender_routine(self) -> None:
        try:
            await super()._sender_routine()
        except KafkaError as error:
            # aiokafka wraps errors that it does not know in a general one.
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
            commit = _OffsetCommitTwo if self._txn_manager.second else _OffsetCommit
            await commit(self, offsets, group_id).do(node_id)

    async def _do_txn_commit(self, commit_result: Any) -> None:
        # `Committer` has awaited all batches already; other callers may not have.
        await self._message_accumulator.flush_for_commit()
        if self._txn_manager.is_empty_transaction():
            self._txn_manager.complete_transaction()
            return
        end = _EndTxnTwo if self._txn_manager.second else _EndTxn
        await end(self, commit_result).do(await self._transaction_coordinator())

    async def _send_produce_req(self, node_id: int, batches: Any) -> None:
        produce = _ProduceTwo if self._txn_manager.second else SendProduceReqHandler
        await produce(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)
