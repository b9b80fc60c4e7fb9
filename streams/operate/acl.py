"""`byline topics acl`: lists the least rights that each principal needs, from the declared topics.

Some rights imply others and are not listed then: Read and Write imply Describe, AlterConfigs
implies DescribeConfigs, Write to any topic implies IdempotentWrite (since Kafka 3.0).
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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
    Topic,
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
"""The inputs that each role sends. Operators have a role of their own: they overrule the others."""

READ_AS_WELL: dict[str, tuple[str, ...]] = {
    "operator": (
        *("controls", "switches", "dead-letters", "policies"),
        *(topic.name for topic in OUTPUTS),
    )
}
"""The topics that a sending role also reads, beside the changelog of accounts.

The operator's commands need them: work-lists, statements, events, switches, and undoing a bulk.
"""

CONSUMERS: dict[str, tuple[str, ...]] = {
    "notifier": ("invitations",),
    "consent-desk": ("invitations", "consents"),
    "enforcer": ("throttles",),
}
"""The outputs that each consuming role acts on. None of them may read a shadow topic."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A right of `role` to do `operations` on one resource.

    `prefixed`: on every resource whose name begins with `name`.
    """

    role: str
    kind: Kind
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False

    def command(self, principal: str, bootstrap: str, config: str | None = None) -> str:
        """Returns the command line of Kafka's own kafka-acls that grants this right.

        `config`: the file with the login of whoever runs it (`--command-config`).
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
    """Returns the permissions of all roles, those of one role together."""
    return [
        *_worker(settings),
        *_producers(settings),
        *_consumers(settings),
        *_auditor(settings),
        *_indexer(settings),
        *_redriver(settings),
        *_console(settings),
        *_administrator(settings),
        *_upkeeper(settings),
    ]


def _worker(settings: Settings) -> Iterator[Permission]:
    """Yields the worker's permissions.

    It needs DescribeConfigs because it refuses to start on topics with wrong settings. The
    switches are the only input that it writes to: a tripped refusal guard does.
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
    """Yields the auditor's permissions: to read every topic. Audit and replay need no group."""
    names = names_of(settings)
    for topic in TOPICS:
        yield Permission("auditor", "topic", names.of(topic), ("Read",))


def _indexer(settings: Settings) -> Iterator[Permission]:
    """Yields the indexer's permissions.

    The index does not contain readings and labels, so of these topics it sees only the ends. It
    may look at the workers' group, so that `byline status` can say how far they are behind.
    """
    names = names_of(settings)
    for topic in TOPICS:
        busy = topic.role == "input" and topic.cleanup == "compact"
        if topic != CHANGELOGS[1]:
            operations = ("Describe",) if busy else ("Read",)
            yield Permission("indexer", "topic", names.of(topic), operations)
    yield Permission("indexer", "group", settings.application_id, ("Describe",))


def _redriver(settings: Settings) -> Iterator[Permission]:
    """Yields the redriver's permissions.

    It reads refused records, sends them again and marks their dead letters, in one transaction.
    """
    names = names_of(settings)
    for topic in (*INPUTS, DEAD_LETTERS):
        yield Permission("redriver", "topic", names.of(topic), ("Read", "Write"))
    yield Permission("redriver", "topic", names.of(POLICIES), ("Read",))
    fence = f"{settings.application_id}-redrive"
    yield Permission("redriver", "transactional-id", fence, ("Write",))


def _console(settings: Settings) -> Iterator[Permission]:
    """Yields the console's permissions: those of operator, redriver and auditor, each once.

    Those of the auditor are for evidence, which an auditor asks for on a page.
    """
    rights: dict[tuple[Kind, str], list[str]] = {}
    for it in (*_producers(settings), *_redriver(settings), *_auditor(settings)):
        if it.role in ("operator", "redriver", "auditor"):
            known = rights.setdefault((it.kind, it.name), [])
            known += [operation for operation in it.operations if operation not in known]
    for (kind, name), operations in rights.items():
        yield Permission("console", kind, name, tuple(operations))


def _administrator(settings: Settings) -> Iterator[Permission]:
    """Yields the permissions for `topics create`, `topics check` and `topics apply`."""
    operations = ("Create", "Describe", "AlterConfigs")
    for prefix in (settings.topic_prefix, f"{settings.application_id}-"):
        yield Permission("administrator", "topic", prefix, operations, prefixed=True)


def _upkeeper(settings: Settings) -> Iterator[Permission]:
    """Yields the permissions for `byline cluster`: check, accept, reroute, rebuild, retire.

    It moves stray records between the partitions of an input, proves state by the decision log,
    says by the events what is lost, and deletes and fills the changelogs. Read of the group is to
    commit its offsets. To retire another application id it needs what is printed under that one.
    """
    names = names_of(settings)
    for topic in INPUTS:
        yield Permission("upkeeper", "topic", names.of(topic), ("Read", "Write"))
    for topic in OUTPUTS:
        shadow = topic.name.startswith("shadow.")
        operation = "Describe" if shadow else "Read"
        yield Permission("upkeeper", "topic", names.of(topic), (operation,))
    for topic in (DECISIONS, POLICIES):
        yield Permission("upkeeper", "topic", names.of(topic), ("Read",))
    yield Permission("upkeeper", "topic", names.of(DEAD_LETTERS), ("Describe",))
    for topic in CHANGELOGS:
        operations = ("Read", "Write", "Create", "Delete")
        yield Permission("upkeeper", "topic", names.of(topic), operations)
    yield Permission("upkeeper", "group", settings.application_id, ("Read",))
    fence = f"{settings.application_id}-"
    yield Permission("upkeeper", "transactional-id", fence, ("Write",), prefixed=True)


def upkeeping(settings: Settings, *operations: str, topics: Iterable[Topic]) -> list[Permission]:
    """Returns those of the upkeeper's permissions that a command asks for before it begins.

    `operations`: on these topics, as far as the role has them. If Write is among them, also those
    on the group and the transactional ids.
    """
    names = names_of(settings)
    wanted = {names.of(topic) for topic in topics}
    found = []
    for it in _upkeeper(settings):
        own = tuple(operation for operation in it.operations if operation in operations)
        if it.kind != "topic":
            found += [it] if "Write" in operations else []
        elif own and it.name in wanted:
            found.append(replace(it, operations=own))
    return found
