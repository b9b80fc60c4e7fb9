"""Asks the broker about the running workers: the members of their group, and its lag.

The lag is given in records, and as the time since when the first unread record has been waiting.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import GroupAuthorizationFailedError, for_code

from schemas.topics import INPUTS
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.coordinators import (
    COORDINATOR_MOVES,
    COORDINATOR_SECONDS,
    COORDINATOR_TRIES,
    stable_offsets,
)
from streams.kafka.requests.metadata import view_topics
from streams.kafka.rights import in_words, missing_rights
from streams.operate.clients import admin_client, consumer
from streams.operate.errors import KafkaAbsentError, NoRightError
from streams.operate.topics import names_of
from streams.settings import Settings

FIRST_SECONDS = 3.0
"""How long to wait until the first unread records have been fetched."""

_KEYED = tuple(topic for topic in INPUTS if not topic.single)


class Member(NamedTuple):
    """A worker: its member id in the group, its host, and the partition numbers assigned to it."""

    name: str
    host: str
    partitions: tuple[int, ...]


class Lag(NamedTuple):
    """The lag of one partition number, over all inputs.

    `behind`: unread records. `waiting_since`: the timestamp (ms) of the first of them; None if
    there is none, or it could not be read.
    """

    partition: int
    behind: int
    waiting_since: int | None


class Live(NamedTuple):
    """The workers' group: Kafka's name of its state, its members, the lag of each partition.

    `strays`: the same of partitions that were added later and are not in use (PARTITIONS).
    """

    state: str
    members: tuple[Member, ...]
    lags: tuple[Lag, ...]
    strays: tuple[Lag, ...] = ()


async def live(settings: Settings) -> Live:
    """Returns members and lag of the workers' group.

    Raises:
        KafkaAbsentError: no broker answers.
        NoRightError: the group or the inputs may not be seen.
    """
    async with admin_client(settings) as admin, consumer(settings) as client:
        state, members = "Unknown", list[Member]()
        try:
            for answer in await _described(admin, settings.application_id):
                for group in answer.groups:
                    state = group[2]
                    members += [_member(it) for it in group[5]]
            lags = await _lags(client, admin, settings)
        except GroupAuthorizationFailedError as error:
            words = f"no right to Describe the group {settings.application_id}"
            raise NoRightError(words) from error
        except COORDINATOR_MOVES as error:
            raise _not_known(settings.application_id, error) from error
    used = settings.partitions or len(lags)
    return Live(state, tuple(sorted(members)), lags[:used], lags[used:])


async def _described(admin: AIOKafkaAdminClient, group: str) -> list[Any]:
    """Returns the coordinator's description of the group.

    The first request on a fresh cluster makes Kafka create the topic of groups; until then no
    coordinator is available, so it is asked again. An answer with an error has no members, and says
    nothing of the workers.

    Raises:
        KafkaAbsentError: no coordinator answers for the group.
        KafkaError: the answer is another error.
    """
    for _ in range(COORDINATOR_TRIES):
        try:
            answers = list(await admin.describe_consumer_groups([group]))
            for code in (it[0] for answer in answers for it in answer.groups):
                if code:
                    raise for_code(code)(group)
        except COORDINATOR_MOVES as error:
            why = error
        else:
            return answers
        await asyncio.sleep(COORDINATOR_SECONDS)
    raise _not_known(group, why)


def _not_known(group: str, error: Exception) -> KafkaAbsentError:
    return KafkaAbsentError(
        f"Kafka does not say whether workers of {group} run ({type(error).__name__}): try again"
        " when the brokers are up"
    )


def _member(raw: tuple[str, str, str, bytes, bytes]) -> Member:
    member_id, _, host, _, assigned = raw
    numbers: set[int] = set()
    if assigned:
        for _, partitions in ConsumerProtocol.ASSIGNMENT.decode(assigned).assignment:
            numbers.update(partitions)
    return Member(str(member_id), str(host).lstrip("/"), tuple(sorted(numbers)))


async def _lags(
    client: TolerantConsumer, admin: AIOKafkaAdminClient, settings: Settings
) -> tuple[Lag, ...]:
    names = [names_of(settings).of(topic) for topic in _KEYED]
    view = await view_topics(client._client, names, with_operations=True)
    hidden = missing_rights(view, dict.fromkeys(names, ("Describe",)))
    if hidden:
        # A topic that may not be seen would count as read to its end.
        raise NoRightError(in_words(hidden))
    closed = set(missing_rights(view, dict.fromkeys(names, ("Read",))).get("Read", ()))
    found = [
        TopicPartition(name, number)
        for name in names
        if name in view.topics
        for number in range(view.topics[name].partitions)
    ]
    committed = await stable_offsets(admin, settings.application_id, found)
    ends = await client.end_offsets(found)
    begins = await client.beginning_offsets(found)
    next_ = {it: max(committed.get(it, 0), begins[it]) for it in found}
    behind = {it: max(0, ends[it] - next_[it]) for it in found}
    open_ = {it: next_[it] for it, count in behind.items() if count and it.topic not in closed}
    first = await _first_unread(client, open_)
    lags = []
    for number in sorted({it.partition for it in found}):
        mine = [it for it in found if it.partition == number]
        waiting = [first[it] for it in mine if it in first]
        lags.append(Lag(number, sum(behind[it] for it in mine), min(waiting, default=None)))
    return tuple(lags)


async def _first_unread(
    client: TolerantConsumer, starts: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Returns the timestamp (ms) of the first record from each of these offsets on.

    Partitions whose record does not arrive within FIRST_SECONDS are left out.
    """
    if not starts:
        return {}
    client.assign(list(starts))
    for it, at in starts.items():
        client.seek(it, at)
    found: dict[TopicPartition, int] = {}
    loop = asyncio.get_running_loop()
    until = loop.time() + FIRST_SECONDS
    while len(found) < len(starts) and loop.time() < until:
        for stretch in await client.take(0.3, 1):
            place = TopicPartition(stretch.topic, stretch.partition)
            if stretch.records:
                found.setdefault(place, stretch.records[0].timestamp)
    return found
