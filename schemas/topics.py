"""Every topic in one place: key, partitions, cleanup, retention, size.

schemas/CONTRACT.md, "Topics".
"""

from dataclasses import dataclass
from typing import Literal

from schemas.enums import Event
from schemas.events import EVENT_TOPIC
from schemas.inputs import INPUT_MODELS, InputName

DAY_MS = 86_400_000
KEEP_FOR_EVER = -1
EVENT_RETENTION_MS = 3 * 366 * DAY_MS
"""Decisions are kept for at least three years (PIPL art. 56); so is what they refer to."""
COMPACTION_LAG_MS = 30 * DAY_MS

Role = Literal["input", "output", "decisions", "policies", "dead-letters", "acks", "changelog"]


@dataclass(frozen=True, slots=True)
class Topic:
    """The required settings of a topic. `name` is without prefix; `single` means one partition.

    `retention_ms` is -1 for ever, and None if only compaction removes records. `minimum_retention`:
    a longer retention is allowed, a shorter one refused, and no size limit may remove records.
    """

    name: str
    role: Role
    key: str
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None
    what: str
    single: bool = False
    compaction_lag_ms: int | None = None
    minimum_retention: bool = False
    max_message_bytes: int = 1_048_588

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings by Kafka's names."""
        config = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": ("LogAppendTime" if self.role == "input" else "CreateTime"),
        }
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        if self.minimum_retention:
            config["retention.bytes"] = str(KEEP_FOR_EVER)
        if self.compaction_lag_ms is not None:
            config["min.compaction.lag.ms"] = str(self.compaction_lag_ms)
        return config


def _input(name: InputName, cleanup: Literal["delete", "compact"], what: str) -> Topic:
    if name == "switches":
        return Topic(name, "input", "scope:switch", "delete", KEEP_FOR_EVER, what, single=True)
    if cleanup == "compact":
        return Topic(
            name, "input", "account", cleanup, None, what, compaction_lag_ms=COMPACTION_LAG_MS
        )
    return Topic(name, "input", "account", cleanup, EVENT_RETENTION_MS, what)


INPUTS: tuple[Topic, ...] = (
    _input("switches", "delete", "what operators throw, and tripped refusal guards"),
    _input("account-changes", "delete", "closed, reopened, owner changed, exempted"),
    _input("notice-receipts", "delete", "the notifier's word"),
    _input("consent-answers", "delete", "the owner's word"),
    _input("controls", "delete", "an operator's word on one account"),
    _input("category-changes", "compact", "label in; a tombstone removes it"),
    _input("follower-counts", "compact", "readings in; a tombstone is ignored"),
)
"""The input topics, in the order in which one step applies them."""

OUTPUTS: tuple[Topic, ...] = tuple(
    Topic(prefix + name, "output", "account", "delete", EVENT_RETENTION_MS, what)
    for prefix, what in (("", "events out"), ("shadow.", "the same in shadow mode"))
    for name in ("invitations", "consents", "throttles")
)

DECISIONS = Topic(
    "decisions",
    "decisions",
    "account",
    "delete",
    EVENT_RETENTION_MS,
    "every transition, event and deferral, hash-chained per partition",
    minimum_retention=True,
)
POLICIES = Topic(
    "policies", "policies", "digest", "compact", None, "every policy ever in force", single=True
)
DEAD_LETTERS = Topic(
    "dead-letters",
    "dead-letters",
    "the key if valid, else its digest",
    "delete",
    EVENT_RETENTION_MS,
    "where it came from, why it was refused, a digest; never the payload",
)
THROTTLE_ACKS = Topic(
    "throttle-acks",
    "acks",
    "account",
    "delete",
    EVENT_RETENTION_MS,
    "optional: what an enforcing system did with a throttle event; read by the index alone",
)
STORES = ("accounts", "categories")
CHANGELOGS: tuple[Topic, ...] = tuple(
    Topic(f"{store}-changelog", "changelog", "account", "compact", None, "state")
    for store in STORES
)

TOPICS: tuple[Topic, ...] = (
    *INPUTS,
    *OUTPUTS,
    DECISIONS,
    POLICIES,
    DEAD_LETTERS,
    THROTTLE_ACKS,
    *CHANGELOGS,
)

assert [topic.name for topic in INPUTS] == list(INPUT_MODELS)


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Full names for one prefix (`byline.`) and application id (`byline`)."""

    prefix: str
    application_id: str

    def of(self, topic: Topic) -> str:
        """Returns the full name of a topic of `TOPICS`."""
        if topic.role == "changelog":
            return f"{self.application_id}-{topic.name}"
        return self.prefix + topic.name

    def input(self, name: InputName) -> str:
        """Returns the full name of an input topic."""
        return self.prefix + name

    def event(self, event: Event, shadow: bool) -> str:
        """Returns the full name of the topic that carries an event."""
        return f"{self.prefix}{'shadow.' if shadow else ''}{EVENT_TOPIC[event]}"

    def changelog(self, store: str) -> str:
        """Returns the full name of a store's changelog."""
        return f"{self.application_id}-{store}-changelog"
