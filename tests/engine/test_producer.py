"""What the transactional producer takes from the inside of aiokafka: names that must be there."""

import inspect
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ConcurrentTransactions, NotLeaderForPartitionError
from aiokafka.producer import sender
from aiokafka.producer.producer import AIOKafkaProducer
from aiokafka.producer.sender import BaseHandler, Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceRequest

from streams.engine.config import EngineConfig
from streams.engine.producer import TransactionalProducer
from streams.engine.sender import RETRY_SECONDS, Manager, NoAnswer, OnceSender, _ProduceTwo


async def test_private_names_of_aiokafka_that_the_producer_relies_on() -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="127.0.0.1:1", data_dir=Path("d"))
    producer = TransactionalProducer(config, 3)
    assert type(producer._sender) is OnceSender
    assert isinstance(producer._sender._txn_manager, TransactionManager)
    producer._closed = True  # It was never started.
    assert not inspect.iscoroutinefunction(AIOKafkaProducer.create_batch)
    overridden = {
        "_sender_routine": [],
        "_do_add_partitions_to_txn": ["tps"],
        "_do_add_offsets_to_txn": ["group_id"],
        "_do_txn_offset_commit": ["offsets", "group_id"],
        "_do_txn_commit": ["commit_result"],
        "_send_produce_req": ["node_id", "batches"],
        "start": [],
    }
    for name, arguments in overridden.items():
        assert list(inspect.signature(getattr(Sender, name)).parameters)[1:] == arguments, name
        assert getattr(OnceSender, name) is not getattr(Sender, name), name
    assert type(producer._txn_manager) is Manager
    assert producer._sender._txn_manager is producer._txn_manager
    assert producer._message_accumulator._txn_manager is producer._txn_manager
    for name in ("_in_flight", "_muted_partitions", "_retry_backoff", "_message_accumulator"):
        assert hasattr(producer._sender, name), name
    for name in ("_txn_partitions", "_txn_consumer_group", "_pid_and_epoch", "_sequence_numbers"):
        assert hasattr(producer._txn_manager, name), name
    sent = inspect.getsource(Sender._send_produce_req)
    assert "self._in_flight.remove(node_id)" in sent
    assert "self._muted_partitions.remove(tp)" in sent
    request = ProduceRequest("t", -1, 5, [("topic", [(0, b"")])])
    assert (request._transactional_id, request._required_acks, request._timeout) == ("t", -1, 5)
    assert request._topics == [("topic", [(0, b"")])]
    sent_again = inspect.getsource(SendProduceReqHandler.do)
    assert "if self._to_reenqueue:" in sent_again
    assert "asyncio.sleep(self._default_backoff)" in sent_again
    for name in ("_find_coordinator", "_maybe_do_transactional_request"):
        assert callable(getattr(Sender, name)), name
    called = inspect.getsource(Sender._maybe_do_transactional_request)
    assert all(f"self.{name}(" in called for name in overridden if name.startswith("_do_"))
    assert "create_task(self._sender_routine())" in inspect.getsource(Sender.start)
    assert list(inspect.signature(BaseHandler.do).parameters) == ["self", "node_id"]
    assert sender.BACKOFF_OVERRIDE == 0.02
    for name in ("is_empty_transaction", "complete_transaction", "transactional_id"):
        assert name in dir(TransactionManager) or name in inspect.getsource(TransactionManager)


def test_no_answer_is_no_error_of_kafka_that_somebody_might_ask_again_after() -> None:
    from aiokafka.errors import KafkaError

    assert not issubclass(NoAnswer, KafkaError)


async def test_a_broker_that_still_writes_markers_is_asked_again_soon_and_nobody_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An ordinary answer: with eight topics a hand-over had a warning for each of them."""
    caplog.set_level(logging.INFO, logger="aiokafka")
    sent = {TopicPartition("t", number): SimpleNamespace() for number in range(2)}

    def answered(*codes: int) -> _ProduceTwo:
        client = SimpleNamespace(force_metadata_update=lambda: None)
        owner = SimpleNamespace(_retry_backoff=0.1, client=client, _txn_manager=Manager("t", 1))
        handler = _ProduceTwo(owner, dict(sent))
        rows = [(number, code, -1, -1, -1, [], None, {}) for number, code in enumerate(codes)]
        handler.handle_response(SimpleNamespace(topics=[("t", rows, {})]))
        return handler

    busy, moved = ConcurrentTransactions.errno, NotLeaderForPartitionError.errno
    handler = answered(busy, busy)
    assert handler._to_reenqueue == list(sent.values())
    assert handler._default_backoff == RETRY_SECONDS
    assert caplog.messages == []
    handler = answered(busy, moved)
    assert handler._to_reenqueue == list(sent.values())
    assert len(caplog.messages) == 1
    assert answered(moved, moved)._default_backoff == 0.1
