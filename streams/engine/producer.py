"""The transactional producer: aiokafka's, with a shorter wait between two transactions."""

from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.sender import BACKOFF_OVERRIDE, AddPartitionsToTxnHandler, Sender

from streams.engine.config import EngineConfig

# The broker answers CONCURRENT_TRANSACTIONS while it still writes the markers of the last commit,
# which takes 1-3 ms on one machine; aiokafka waits 20 ms before it asks again.
RETRY_SECONDS = 0.004


class _AddPartitions(AddPartitionsToTxnHandler):  # type: ignore[misc]
    def handle_response(self, resp: Any) -> float | None:
        backoff: float | None = super().handle_response(resp)
        return RETRY_SECONDS if backoff == BACKOFF_OVERRIDE else backoff


class _Sender(Sender):  # type: ignore[misc]
    async def _do_add_partitions_to_txn(self, tps: Any) -> Any:
        from aiokafka.client import CoordinationType

        node_id = await self._find_coordinator(
            CoordinationType.TRANSACTION, self._txn_manager.transactional_id
        )
        return await _AddPartitions(self, tps).do(node_id)


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
