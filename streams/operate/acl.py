"""`byline topics acl`: the least each principal has to be allowed, from the declared topics.

Read and Write bring Describe with them, AlterConfigs brings DescribeConfigs, and Write to any topic
brings IdempotentWrite (since Kafka 3.0): none of these is granted by itself.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.inputs import InputName
from schemas.topics import (
    CHANGELOGS,
    DEAD_LETTERS,
    DECISIONS,
    INPUTS,
    OUTPUTS,
    POLICIES,
    THROTTLE_ACKS,
    TOPICS,
)
from streams.operate.topics import names_of
from streams.settings import Settings

Kind = Literal["topic", "group", "transactional-id"]

PRODUCERS: dict[str, tuple[InputName, ...]] = {
    "platform": ("follower-counts", "category-changes", "account-changes"),
    "notifier": ("notice-receipts",),
    "consent-desk": ("consent-answers",),
    "operator": ("controls", "switches"),
}
"""Who sends what. A principal of its own for the operators: theirs is the word that overrules."""

READ_AS_WELL: dict[str, tuple[str, ...]] = {
    "operator": (
        *("controls", "switches", "dead-letters", "policies"),
        *(topic.name for topic in OUTPUTS),
    )
}
"""What the work-lists, statements, events, the list of brakes and the way back of a bulk are read
from, beside the changelog of accounts: what an account waits for is known from its state alone.
"""

CONSUMERS: dict[str, tuple[str, ...]] = {
    "notifier": ("invitations",),
    "consent-desk": ("invitations", "consents"),
    "enforcer": ("throttles",),
}
"""Who obeys what. None of them may read a shadow topic."""


@dataclass(frozen=True, slots=True)
class Permission:
    """`role` may do `operations` on one resource; `prefixed`: on all whose name begins so."""

    role: str
    kind: Kind
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False

    def command(self, principal: str, bootstrap: str, config: str | None = None) -> str:
        """The command line that grants it, for Kafka's own kafka-acls.

        `config`: the file with the login of whoever grants it, which kafka-acls is given.
        """
        words = ["kafka-acls", "--bootstrap-server", bootstrap]
        words += ["--command-config", config] if config is not None else []
        words += ["--add", "--allow-principal", principal]
        words += [part for it in self.operations for part in ("--operation", it)]
        words += [f"--{self.kind}", self.name]
        if self.prefixed:
            words += ["--resource-pattern-type", "prefixed"]
        return shlex.join(words)


def permissions(settings: Settings) -> list[Permission]:
    """All permissions, by role: worker, senders, readers, redriver, administrator and others."""
    return [
        *_worker(settings),
        *_producers(settings),
        *_consumers(settings),
        *_auditor(settings),
        *_indexer(settings),
        *_redriver(settings),
        *_administrator(settings),
    ]


def _worker(settings: Settings) -> Iterator[Permission]:
    """The worker looks at settings at start: a topic that is too small for a batch is refused.

    It writes to the switches what a tripped refusal guard says, and to no other input.
    """
    names, look = names_of(settings), "DescribeConfigs"
    for topic in INPUTS:
        writes = ("Write",) if topic.name == "switches" else ()
        yield Permission("worker", "topic", names.of(topic), ("Read", *writes, look))
    for topic in (*OUTPUTS, DECISIONS, DEAD_LETTERS):
        yield Permission("worker", "topic", names.of(topic), ("Write", look))
    yield Permission("worker", "topic", names.of(POLICIES), ("Read", "Write"))
    for topic in CHANGELOGS:
        yield Permission("worker", "topic", names.of(topic), ("Read", "Write", look))
    yield Permission("worker", "group", settings.application_id, ("Read",))
    fence = f"{settings.application_id}-"
    yield Permission("worker", "transactional-id", fence, ("Write",), prefixed=True)


def _producers(settings: Settings) -> Iterator[Permission]:
    names = names_of(settings)
    for role, inputs in PRODUCERS.items():
        for name in inputs:
            reads = ("Read",) if name in READ_AS_WELL.get(role, ()) else ()
            yield Permission(role, "topic", names.input(name), (*reads, "Write"))
        for topic in READ_AS_WELL.get(role, ()):
            if topic not in inputs:
                yield Permission(role, "topic", settings.topic_prefix + topic, ("Read",))
        if role in READ_AS_WELL:
            yield Permission(role, "topic", names.changelog("accounts"), ("Read",))


def _consumers(settings: Settings) -> Iterator[Permission]:
    for role, topics in CONSUMERS.items():
        for topic in topics:
            yield Permission(role, "topic", settings.topic_prefix + topic, ("Read",))
        group = f"{settings.application_id}-{role}"
        yield Permission(role, "group", group, ("Read",), prefixed=True)
    acks = settings.topic_prefix + THROTTLE_ACKS.name
    yield Permission("enforcer", "topic", acks, ("Write",))


def _auditor(settings: Settings) -> Iterator[Permission]:
    """Reads everything, changes nothing; replay and audit need no group."""
    names = names_of(settings)
    for topic in TOPICS:
        yield Permission("auditor", "topic", names.of(topic), ("Read",))


def _indexer(settings: Settings) -> Iterator[Permission]:
    """Reads what an answer is made of: neither readings nor labels, of which it sees the ends.

    Looks at the workers' group, so that `byline status` can say how far they are behind.
    """
    names = names_of(settings)
    for topic in TOPICS:
        busy = topic.role == "input" and topic.cleanup == "compact"
        if topic != CHANGELOGS[1]:
            operations = ("Describe",) if busy else ("Read",)
            yield Permission("indexer", "topic", names.of(topic), operations)
    yield Permission("indexer", "group", settings.application_id, ("Describe",))


def _redriver(settings: Settings) -> Iterator[Permission]:
    """Fetches refused records, sends them again, and marks their letters, in one transaction."""
    names = names_of(settings)
    for topic in (*INPUTS, DEAD_LETTERS):
        yield Permission("redriver", "topic", names.of(topic), ("Read", "Write"))
    yield Permission("redriver", "topic", names.of(POLICIES), ("Read",))
    fence = f"{settings.application_id}-redrive"
    yield Permission("redriver", "transactional-id", fence, ("Write",))


def _administrator(settings: Settings) -> Iterator[Permission]:
    """For `topics create`, `topics check` and `topics apply`."""
    operations = ("Create", "Describe", "AlterConfigs")
    for prefix in (settings.topic_prefix, f"{settings.application_id}-"):
        yield Permission("administrator", "topic", prefix, operations, prefixed=True)
