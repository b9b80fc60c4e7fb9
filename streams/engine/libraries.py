"""Checks the versions of the three libraries of which the engine uses private parts.

`PRIVATE` and `ATTRIBUTES` list these parts, as they are in the versions of `PINNED`. Each name has
a test, and one more test finds private parts that are used but not listed.
"""

from importlib.metadata import version

from streams.stop_worker import ExitCode, StopWorker

PINNED = {"aiokafka": "0.14.0", "faust-streaming": "0.15.3", "mode-streaming": "0.7.1"}

PRIVATE: dict[str, tuple[str, ...]] = {
    "aiokafka.admin.client:AIOKafkaAdminClient": (
        "_send_request_to_node",
        "_send_to_controller",
    ),
    "aiokafka.consumer.fetcher:Fetcher": (
        "_create_fetch_waiter",
        "_notify",
        "fetched_records",
    ),
    "aiokafka.consumer.fetcher:FetchResult": ("check_assignment", "has_more"),
    "aiokafka.consumer.fetcher:PartitionRecords": (
        "_consume_aborted_up_to",
        "_contains_abort_marker",
    ),
    "aiokafka.consumer.fetcher": ("MemoryRecords", "READ_COMMITTED"),
    "aiokafka.consumer.group_coordinator:GroupCoordinator": (
        "_do_rejoin_group",
        "_maybe_leave_group",
        "_on_join_complete",
        "_send_req",
        "reset_generation",
    ),
    "aiokafka.producer.sender": (
        "BACKOFF_OVERRIDE",
        "AddOffsetsToTxnHandler",
        "AddPartitionsToTxnHandler",
        "EndTxnHandler",
        "TxnOffsetCommitHandler",
    ),
    "aiokafka.producer.sender:BaseHandler": (
        "create_request",
        "do",
        "group",
        "handle_error",
        "handle_response",
    ),
    "aiokafka.producer.sender:Sender": (
        "_do_add_offsets_to_txn",
        "_do_add_partitions_to_txn",
        "_do_txn_commit",
        "_do_txn_offset_commit",
        "_find_coordinator",
        "_send_produce_req",
        "_sender_routine",
    ),
    "aiokafka.producer.sender:SendProduceReqHandler": ("create_request", "handle_response"),
    "aiokafka.producer.transaction_manager:TransactionManager": (
        "add_offsets_to_txn",
        "complete_transaction",
        "is_empty_transaction",
        "is_in_transaction",
        "maybe_add_partition_to_txn",
    ),
    "aiokafka.record._crecords.default_records": (
        "gzip_decode",
        "lz4_decode",
        "snappy_decode",
        "zstd_decode",
    ),
    "faust.assignor.copartitioned_assignor:CopartitionedAssignor": ("get_assignment",),
    "faust.assignor.partition_assignor": ("CopartitionedAssignor",),
    "faust.assignor.partition_assignor:PartitionAssignor": (
        "_assign",
        "external_topic_distribution",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread": (
        "_create_worker_consumer",
        "_ensure_consumer",
        "call_thread",
    ),
    "faust.transport.drivers.aiokafka:Consumer": (
        "_new_consumer_thread",
        "_new_topicpartition",
        "on_partitions_assigned",
        "on_partitions_revoked",
        "perform_seek",
        "seek_to_committed",
    ),
    "mode.threads:ServiceThread": ("on_thread_stop", "stop"),
}
"""By module or class, the private names in use."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "aiokafka.admin.client:AIOKafkaAdminClient": ("_client",),
    "aiokafka.consumer.consumer:AIOKafkaConsumer": (
        "_client",
        "_closed",
        "_coordinator",
        "_fetcher",
        "_request_timeout_ms",
        "_subscription",
    ),
    "aiokafka.consumer.fetcher:Fetcher": (
        "_closed",
        "_fetch_max_wait_ms",
        "_fetch_task",
        "_pending_tasks",
        "_records",
        "_subscriptions",
        "_wait_consume_future",
    ),
    "aiokafka.consumer.fetcher:FetchResult": ("_assignment", "_partition_records"),
    "aiokafka.consumer.fetcher:PartitionRecords": (
        "_aborted_producers",
        "_check_crcs",
        "_isolation_level",
        "_records",
        "_records_iterator",
        "_tp",
        "next_fetch_offset",
    ),
    "aiokafka.consumer.group_coordinator:GroupCoordinator": (
        "_closing",
        "_coordination_task",
        "_group_instance_id",
        "_pending_exception",
        "_session_timeout_ms",
        "generation",
        "member_id",
    ),
    "aiokafka.producer.message_accumulator:BatchBuilder": ("_builder", "_relative_offset"),
    "aiokafka.producer.producer:AIOKafkaProducer": ("_sender", "_txn_manager"),
    "aiokafka.producer.sender:BaseHandler": ("_default_backoff", "_sender"),
    "aiokafka.producer.sender:EndTxnHandler": ("_commit_result",),
    "aiokafka.producer.sender:Sender": (
        "_in_flight",
        "_message_accumulator",
        "_muted_partitions",
        "_retry_backoff",
        "_txn_manager",
    ),
    "aiokafka.producer.sender:SendProduceReqHandler": ("_batches", "_to_reenqueue"),
    "aiokafka.producer.sender:TxnOffsetCommitHandler": ("_group_id", "_offsets"),
    "aiokafka.producer.transaction_manager:TransactionManager": (
        "_pid_and_epoch",
        "_sequence_numbers",
        "_txn_consumer_group",
        "_txn_partitions",
    ),
    "aiokafka.protocol.produce:ProduceRequest": (
        "_required_acks",
        "_timeout",
        "_topics",
        "_transactional_id",
    ),
    "faust.assignor.client_assignment:CopartitionedAssignment": ("actives", "standbys"),
    "faust.assignor.copartitioned_assignor:CopartitionedAssignor": ("min_capacity",),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread": ("_consumer",),
    "mode.threads:ServiceThread": ("_thread", "thread_loop"),
}
"""By class, the private attributes of its objects in use."""


def wrong_libraries() -> list[str]:
    """Each library that is installed in another version than the one that was tested."""
    return [
        f"{name} {pinned} is needed, {found} is installed"
        for name, pinned in PINNED.items()
        if (found := version(name)) != pinned
    ]


def check_libraries() -> None:
    """Checks the installed versions.

    Raises:
        StopWorker: a version is not the tested one.
    """
    if faults := wrong_libraries():
        raise StopWorker(
            f"{'; '.join(faults)}: private parts are used here. Install what requirements.lock"
            " says",
            ExitCode.PERSON,
        )
