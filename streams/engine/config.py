"""All settings of the engine, as one frozen value. Invalid values raise ValueError."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REBALANCE_TIMEOUT_SECONDS = 30.0
"""How long a group that shares out its partitions waits for a member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Settings of the engine, with measured defaults (streams/engine/DESIGN.md).

    `security` goes unchanged to every aiokafka client (security_protocol, ssl_context, sasl_…).
    `instance_id` makes the group membership static: a restart within `session_timeout_seconds` gets
    the same partitions back without disturbing the others. `failpoint` is for tests, see
    failpoints.py.
    """

    application_id: str
    bootstrap_servers: str
    data_dir: Path
    instance_id: str | None = None
    security: Mapping[str, Any] = field(default_factory=dict)

    # The group. A frozen worker is replaced after the session time, and the broker aborts its open
    # transaction after the transaction time; so the two are close to each other.
    session_timeout_seconds: float = 10.0
    heartbeat_interval_seconds: float = 2.0
    rebalance_timeout_seconds: float = REBALANCE_TIMEOUT_SECONDS
    request_timeout_seconds: float = 30.0
    transaction_timeout_seconds: float = 12.0

    # Limits at which a transaction is committed even if no consumer waits for an output of it.
    commit_records: int = 5_000
    commit_bytes: int = 8 * 1024 * 1024
    commit_interval_seconds: float = 1.0
    # How long a commit waits, after an output was written, for queued inputs to join it.
    gather_seconds: float = 0.3
    # The most accounts in one round of timers; inputs of the partition wait meanwhile.
    timers_per_round: int = 300
    # The most transactions at once; with more, each takes so long that it may exceed its limit.
    concurrent_commits: int = 32
    # The broker forgets a transactional id after seven days without a transaction (its default).
    idle_commit_seconds: float = 24 * 3600.0

    # Fetching. The queue limits are for the whole worker and are shared by its partitions.
    # The second wait is that of a worker whose partitions have all been empty for a second.
    fetch_max_wait_ms: int = 50
    idle_fetch_wait_ms: int = 250
    fetch_max_bytes: int = 16 * 1024 * 1024
    max_partition_fetch_bytes: int = 128 * 1024
    poll_records: int = 2_500
    queue_records: int = 30_000
    queue_bytes: int = 48 * 1024 * 1024
    max_batch_bytes: int = 900_000
    # Outputs whose records resemble each other so much that their batches are compressed.
    compressed_topics: frozenset[str] = frozenset()

    # State. The two sizes are for the whole worker, however many partitions it has.
    block_cache_bytes: int = 8 * 1024 * 1024
    write_buffer_bytes: int = 16 * 1024 * 1024
    state_max_age_seconds: float = 12 * 3600.0
    concurrent_recoveries: int = 3

    # Time limits, in seconds; if one is exceeded, the process ends.
    broker_wait_seconds: float = 60.0
    revoke_budget_seconds: float = 8.0
    stop_budget_seconds: float = 20.0
    loop_stall_seconds: float = 60.0
    gap_budget_seconds: float = 10.0
    empty_assignment_seconds: float = 15.0
    unsettled_seconds: float = 180.0
    clock_jump_seconds: float = 10.0
    # An input that has unread records counts as blocked after this time without progress.
    unreachable_end_seconds: float = 60.0

    # The number of partitions in use if the topics have more: that with which the state was built.
    partitions: int | None = None
    # Go on if the state and the topics do not belong together, but decide no adverse event.
    favourable_only: bool = False
    topics_command: str = "byline topics create"
    topics_apply_command: str = "byline topics apply"
    web_enabled: bool = False
    failpoint: str = ""

    def __post_init__(self) -> None:
        if not self.application_id:
            raise ValueError("application_id is empty")
        if not self.bootstrap_servers:
            raise ValueError("bootstrap_servers is empty")
        if self.heartbeat_interval_seconds * 3 > self.session_timeout_seconds:
            raise ValueError(
                "heartbeat_interval_seconds must be at most a third of the session time"
            )
        if self.session_timeout_seconds > self.request_timeout_seconds:
            raise ValueError("session_timeout_seconds must not exceed request_timeout_seconds")
        if self.poll_records > self.queue_records:
            raise ValueError("queue_records must hold at least one poll (poll_records)")
        for name in ("commit_records", "poll_records", "timers_per_round", "max_batch_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers as a list."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]

    def client_arguments(self) -> dict[str, Any]:
        """Returns the arguments that every aiokafka client gets."""
        return {
            "bootstrap_servers": self.servers,
            "request_timeout_ms": int(self.request_timeout_seconds * 1000),
            "metadata_max_age_ms": 10_000,
            **self.security,
        }

    def transactional_id(self, partition: int) -> str:
        """Returns the transactional id of a partition number; Kafka fences all but its latest
        producer.
        """
        return f"{self.application_id}-{partition}"

    def changelog(self, store: str) -> str:
        """Returns the changelog topic of a store."""
        return f"{self.application_id}-{store}-changelog"
