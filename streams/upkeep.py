"""Implements `byline cluster`: uses the engine's tools on Byline's topics."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError

from schemas.topics import CHANGELOGS, INPUTS, TopicNames
from streams.engine import acceptance
from streams.engine.acceptance import AcceptedChange, ReadFrom
from streams.engine.checkpoint import Checkpoint
from streams.engine.config import EngineConfig
from streams.engine.fencing import held, refuse_members
from streams.engine.processor import ProcessorSpec
from streams.instance import Instance
from streams.kafka.requests.metadata import NO_RIGHT_TO_SEE, View, view_topics
from streams.operate.acl import upkeeping
from streams.operate.clients import admin_client, producer
from streams.operate.deletion import delete, refuse_no_deletion
from streams.operate.errors import NoRightError, UsageError
from streams.operate.role_rights import refuse_lacking, refuse_lacking_on
from streams.processor import spec_of
from streams.settings import Settings
from streams.worker_config import engine_config

BEGUN_KEY = b"#begun"
"""The key of a record without value that begins the state of an application id."""


@dataclass(frozen=True, slots=True)
class UpkeepFinding:
    """A difference between the state and the topics, and what to do about it."""

    topic: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what}; {self.way_out}"


def offline(settings: Settings) -> tuple[EngineConfig, ProcessorSpec]:
    """Returns the engine's configuration and spec for a tool; it claims no worker folder."""
    nobody = Instance(folder=Path(), instance_id="", http_port=0, lock=-1)
    names = TopicNames(settings.topic_prefix, settings.application_id)
    return engine_config(settings, nobody), spec_of(names)


async def check(settings: Settings) -> list[UpkeepFinding]:
    """Returns every difference between state and topics because of which a worker would not start.

    A topic is missing, was created again, has another partition count, or lost unread records.
    Raises NoRightError if a topic may not be seen or the state not be read, KafkaAbsentError.
    """
    config, spec = offline(settings)
    async with admin_client(settings) as client:
        view = await acceptance.look(client, config, spec)
        hidden = [name for name, it in view.topics.items() if it.error == NO_RIGHT_TO_SEE]
        if hidden:
            raise NoRightError(f"no right to Describe {', '.join(sorted(hidden))}")
        await refuse_lacking_on(client._client, [config.changelog(spec.stores[0].name)], ("Read",))
        checkpoints = await acceptance.read_checkpoints(config, spec)
        found = list(_topics(settings, view, checkpoints))
        if not any(finding.what == "missing" for finding in found):
            found += await _places(config, spec, view, checkpoints)
    return found


def _topics(
    settings: Settings, view: View, checkpoints: dict[int, Checkpoint]
) -> Iterator[UpkeepFinding]:
    names = TopicNames(settings.topic_prefix, settings.application_id)
    logs = {names.of(topic) for topic in CHANGELOGS}
    for name, topic in sorted(view.topics.items()):
        if topic.error:
            yield UpkeepFinding(name, "missing", "`byline topics create` makes it")
            continue
        known = {p.ids[name] for p in checkpoints.values() if name in p.ids} - {topic.id}
        if known and topic.id:
            command = f"byline cluster accept {name}={topic.id}"
            restored = (
                f"`byline cluster rebuild`; if it holds all that it held, `{command} --read on`"
            )
            way_out = restored if name in logs else f"`{command}`"
            yield UpkeepFinding(name, f"made anew, its id was {', '.join(sorted(known))}", way_out)
    built = {checkpoint.partitions for checkpoint in checkpoints.values()}
    in_use = settings.partitions
    for name in (names.of(topic) for topic in (*INPUTS, *CHANGELOGS) if not topic.single):
        count = view.topics[name].partitions
        if built and not view.topics[name].error and count not in built and in_use not in built:
            (number, *_) = sorted(built)
            words = f"{count} partitions, the state was built with {number}"
            yield UpkeepFinding(
                name, words, f"set BYLINE_PARTITIONS={number}, then `byline cluster reroute`"
            )


async def _places(
    config: EngineConfig, spec: ProcessorSpec, view: View, checkpoints: dict[int, Checkpoint]
) -> list[UpkeepFinding]:
    logs = [config.changelog(store.name) for store in spec.stores]
    home = dict.fromkeys(filter(None, [spec.broadcast]), 0)
    inputs = {
        (topic, number): TopicPartition(topic, home.get(topic, number))
        for number, checkpoint in checkpoints.items()
        for topic in checkpoint.next
        if topic in view.topics and number < view.topics[topic].partitions
    }
    numbers = range(min(view.topics[name].partitions for name in logs))
    places = [TopicPartition(name, number) for name in logs for number in numbers]
    bounds = await acceptance.bounds_of(config, {*inputs.values(), *places})
    found = [
        UpkeepFinding(
            f"{tp.topic}[{tp.partition}]",
            f"begins at offset {bounds[tp][0]}: state was deleted",
            "`byline cluster rebuild`",
        )
        for tp in places
        if bounds[tp][0] > 0
    ]
    for (topic, number), tp in inputs.items():
        (begin, end), next_ = bounds[tp], checkpoints[number].next[topic]
        now_id = view.topics[topic].id
        if checkpoints[number].ids.get(topic, now_id) == now_id and not begin <= next_ <= end:
            words = f"holds offsets {begin} to {end}, partition {number} reads on at {next_}"
            way_out = f"`byline cluster accept {topic}={now_id}`"
            found.append(UpkeepFinding(f"{topic}[{tp.partition}]", words, way_out))
    return found


async def accept(
    settings: Settings, wanted: dict[str, str], reading: ReadFrom, *, yes: bool
) -> list[AcceptedChange]:
    """Returns what accepting topics (`wanted`: ids by name) changes; with `yes`, writes it.

    Raises:
        StopWorker: it is not possible, or workers run (engine/acceptance.py).
        NoRightError: a right is missing.
    """
    config, spec = offline(settings)
    operations = ("Read", "Write") if yes else ("Read",)
    await refuse_lacking(settings, upkeeping(settings, *operations, topics=CHANGELOGS[:1]))
    async with admin_client(settings) as client:
        if not yes:
            return await acceptance.plan(client, config, spec, wanted, reading)
        with group_named(config):
            return await acceptance.accept(client, config, spec, wanted, reading)


@contextmanager
def group_named(config: EngineConfig) -> Iterator[None]:
    """Names the right that is missing if the workers' group may not be described.

    Raises:
        NoRightError: it may not.
    """
    try:
        yield
    except GroupAuthorizationFailedError as error:
        raise NoRightError(f"no right to Describe the group {config.application_id}") from error


@dataclass(frozen=True, slots=True)
class Retired:
    """The changelogs of an application id that is to be retired.

    `offsets`: the number of offsets in them. `read`: the sum of its positions in the inputs.
    """

    changelogs: tuple[str, ...]
    offsets: int
    read: int


async def retire(settings: Settings, other: str, *, yes: bool) -> Retired:
    """Finds the changelogs of another application id; with `yes`, deletes them.

    Raises:
        StopWorker: its workers run.
        UsageError: it is the id of these settings, or one of the two has no changelogs.
        NotDeletedError: Kafka does not delete all of them.
        NoRightError: a right is missing.
    """
    if other == settings.application_id:
        raise UsageError(f"{other} is the application id of these settings: nobody retires himself")
    others = settings.model_copy(update={"application_id": other})
    config, spec = offline(others)
    names = TopicNames(settings.topic_prefix, other)
    async with admin_client(settings) as client:
        there = set(await client.list_topics())
        logs = [names.of(topic) for topic in CHANGELOGS if names.of(topic) in there]
        if not logs:
            raise UsageError(f"{other} has no changelogs here: there is nothing to retire")
        await refuse_lacking_on(client._client, logs, ("Read",))
        if yes:
            await refuse_lacking(others, upkeeping(others, "Write", topics=()))
            await refuse_lacking(settings, upkeeping(settings, "Write", topics=CHANGELOGS[:1]))
            await refuse_no_deletion(client, logs)
        with group_named(config):
            await refuse_members(client, other, config.session_timeout_seconds)
        offsets = await _offsets(client, config, logs)
        read = sum(
            sum(checkpoint.next.values())
            for checkpoint in (await acceptance.read_checkpoints(config, spec)).values()
        )
        if yes:
            count = max((await _counts(client, logs)).values())
            async with held(config, range(count)):
                with group_named(config):
                    await refuse_members(client, other, config.session_timeout_seconds)
                await _begin(settings)
                await delete(client, logs)
    return Retired(tuple(logs), offsets, read)


async def _counts(client: AIOKafkaAdminClient, logs: list[str]) -> dict[str, int]:
    view = await view_topics(client._client, logs)
    return {name: topic.partitions for name, topic in view.topics.items()}


async def _begin(settings: Settings) -> None:
    """Marks the state of these settings' application id as begun, in each partition.

    A worker refuses outputs where its own changelog was never written to. With this mark it goes on
    behind those of the retired one. The mark deletes a key that no state has, so it changes none.

    Raises:
        UsageError: the application id has no changelogs.
    """
    log = TopicNames(settings.topic_prefix, settings.application_id).of(CHANGELOGS[0])
    async with admin_client(settings) as client:
        if log not in await client.list_topics():
            raise UsageError(f"{log} is missing: `byline topics create` makes it")
    async with producer(settings, log) as sender:
        for number in sorted(await sender.partitions_for(log)):
            await sender.send_and_wait(log, None, BEGUN_KEY, partition=number)


async def _offsets(client: AIOKafkaAdminClient, config: EngineConfig, logs: list[str]) -> int:
    counts = await _counts(client, logs)
    places = [TopicPartition(log, number) for log in logs for number in range(counts[log])]
    bounds = await acceptance.bounds_of(config, places)
    return sum(end - begin for begin, end in bounds.values())
