"""aiokafka's transactional producer with the sender of sender.py."""

from aiokafka import AIOKafkaProducer

from streams.engine.config import EngineConfig
from streams.engine.sender import Manager, OnceSender


class TransactionalProducer(AIOKafkaProducer):  # type: ignore[misc]
    """The producer of one partition number. Its start fences the previous one."""

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
        self._sender.__class__ = OnceSender
        self._txn_manager.__class__ = Manager
