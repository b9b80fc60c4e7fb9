"""Asks the brokers which of a role's rights a principal lacks, before anything needs them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed

from streams.kafka.requests.coordinators import (
    COORDINATOR_MOVES,
    COORDINATOR_SECONDS,
    COORDINATOR_TRIES,
)
from streams.kafka.requests.metadata import (
    OPERATIONS,
    UNKNOWN_TOPIC,
    View,
    allowed,
    view_topics,
)
from streams.kafka.rights import group_operations, in_words, missing_rights
from streams.operate.acl import Permission
from streams.operate.clients import admin_client
from streams.operate.errors import NoRightError
from streams.settings import Settings

TRANSACTIONS = 1
"""Kafka's number for the coordinator of transactions; that of groups is 0."""


class RoleRights(NamedTuple):
    """The brokers' answer about permissions.

    `there`: by existing topic, the operations that were asked for. `missing`: by operation, what it
    is not allowed on.
    """

    view: View
    there: Mapping[str, Sequence[str]]
    missing: Mapping[str, Sequence[str]]


async def rights_of(client: AIOKafkaAdminClient, wanted: Iterable[Permission]) -> RoleRights:
    """Asks which of these permissions this principal has.

    Brokers tell of topics, groups and transactional ids, not of prefixes of topics. The rights on a
    missing topic are not known. Raises KafkaError; one of COORDINATOR_MOVES only if nothing else is
    missing.
    """
    wanted = list(wanted)
    asked = {
        it.name: [operation for operation in it.operations if operation in OPERATIONS]
        for it in wanted
        if it.kind == "topic" and not it.prefixed
    }
    view = await view_topics(client._client, list(asked), with_operations=True)
    there = {name: it for name, it in asked.items() if _is_there(view, name)}
    missing = missing_rights(view, there)
    for it in wanted:
        if it.kind == "topic":
            continue
        try:
            operation = await _refused(client, it)
        except COORDINATOR_MOVES:
            if not missing:
                raise
            break
        if operation is not None:
            missing.setdefault(operation, []).append(f"the {it.kind} {it.name}")
    return RoleRights(view, there, missing)


async def refuse_lacking(settings: Settings, wanted: Iterable[Permission]) -> None:
    """Raises NoRightError with all of these permissions that this principal lacks.

    What a fresh cluster cannot tell yet is not lacking. Raises KafkaAbsentError if no broker
    answers.
    """
    async with admin_client(settings) as client:
        try:
            missing = (await rights_of(client, wanted)).missing
        except COORDINATOR_MOVES:
            return
    if missing:
        raise NoRightError(in_words(missing))


async def refuse_lacking_on(
    client: Any, topics: Collection[str], operations: Collection[str]
) -> None:
    """Raises NoRightError if one of these operations is not allowed on a topic (full name).

    `client` is an AIOKafkaClient.
    """
    if topics:
        view = await view_topics(client, sorted(topics), with_operations=True)
        if missing := missing_rights(view, dict.fromkeys(topics, operations)):
            raise NoRightError(in_words(missing))


def _is_there(view: View, topic: str) -> bool:
    found = view.topics.get(topic)
    return found is not None and found.error != UNKNOWN_TOPIC


async def _refused(client: AIOKafkaAdminClient, it: Permission) -> str | None:
    """Returns the operation on a group or transactional id that is not allowed, or None."""
    name = f"{it.name}doctor" if it.prefixed else it.name
    (operation,) = it.operations
    for tries_left in reversed(range(COORDINATOR_TRIES)):
        try:
            if it.kind == "group":
                bits = await group_operations(client, name)
                return None if allowed(bits, operation) else operation
            await client.find_coordinator(name, TRANSACTIONS)
        except (GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed):
            return operation
        except COORDINATOR_MOVES:
            if not tries_left:
                raise
            # On a fresh cluster the first request makes Kafka create its internal topic; wait.
            await asyncio.sleep(COORDINATOR_SECONDS)
        else:
            return None
    return None
