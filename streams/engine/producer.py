"""aiokafka's transactional producer with the sender of sender.py."""

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

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
        self._batch_bytes, self._compressed = config.max_batch_bytes, config.compressed_topics
        self._sender.__class__ = OnceSender
        self._txn_manager.__class__ = Manager

    @property
    def producer_id(self) -> int:
        """The number that the broker gave this producer."""
        found: int = self._txn_manager.producer_id
        return found

    def create_batch(self, topic: str = "") -> BatchBuilder:
        """Returns an empty batch; for a topic of `compressed_topics` it is packed with zstd."""
        if topic not in self._compressed:
            return super().create_batch()
        codec = DefaultRecordBatch.CODEC_ZSTD
        return BatchBuilder(self._batch_bytes, codec, is_transactional=True)
