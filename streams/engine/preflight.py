"""Checks the cluster before a worker joins the group.

It waits for a broker that does not answer. If topics are missing or do not fit together, it raises
one error with the command that a person must run.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    LeaderNotAvailableError,
    for_code,
)

from streams.engine.config import EngineConfig
from streams.engine.processor import ProcessorSpec
from streams.engine.rights import refusal_of, refuse_missing_rights
from streams.kafka.login import knock
from streams.kafka.requests.coordinators import stable_offsets
from streams.kafka.requests.metadata import (
    NO_RIGHT_TO_SEE,
    UNKNOWN_TOPIC,
    TopicView,
    View,
    view_topics,
)
from streams.kafka.requests.offsets import LATEST, READ_COMMITTED, READ_UNCOMMITTED, offsets
from streams.kafka.rights import RIGHTS_ERRORS
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

# A record batch is slightly larger than the batch builder's count, by the headers of batch and
# records.
BATCH_MARGIN_BYTES = 4_096
# How long missing topics are asked for again: a broker that just started may not know all topics.
MISSING_PATIENCE_SECONDS = 3.0
# Outputs of nobody known are looked at so many times, so many seconds apart, before that counts.
STRANGE_LOOKS = 2
STRANGE_SECONDS = 2.0
REROUTE = (
    "move what lies in the others with `byline cluster reroute` when producers write to the old "
    "ones alone"
)


@dataclass(frozen=True, slots=True)
class KnownCluster:
    """The cluster at the start of the worker, with which the cluster watch compares."""

    cluster_id: str
    partition_count: int
    topics: Mapping[str, TopicView]
    committed: Mapping[TopicPartition, int]
    """The group's committed offsets."""
    beyond: tuple[TopicPartition, ...] = ()
    """Partitions of inputs that exist but are not in use; only `byline cluster reroute` reads them.
    """

    def group_offsets(self, partition: int) -> dict[str, int]:
        """Returns the committed offset of each input in this partition, if there is one."""
        return {tp.topic: o for tp, o in self.committed.items() if tp.partition == partition}

    def ids(self) -> dict[str, str]:
        """Returns the topic ids by name; topics without one (old brokers) are left out."""
        return {name: topic.id for name, topic in self.topics.items() if topic.id}


def changelogs(config: EngineConfig, spec: ProcessorSpec) -> list[str]:
    """Returns the changelog topics of the processor's stores."""
    return [config.changelog(store.name) for store in spec.stores]


def needed_topics(config: EngineConfig, spec: ProcessorSpec) -> list[str]:
    """Returns every topic that the worker reads or writes, without duplicates."""
    once = [spec.broadcast] if spec.broadcast is not None else []
    return list(
        dict.fromkeys([*spec.topics, *changelogs(config, spec), *spec.output_topics, *once])
    )


async def inspect_cluster(
    config: EngineConfig, spec: ProcessorSpec, log: logging.Logger
) -> KnownCluster:
    """Waits for the broker, checks the topics, and returns the cluster.

    Raises:
        StopWorker: with code 70 if no broker answers in time, with code 2 if a login, a right or
            the topics are wrong.
    """
    servers, deadline = config.bootstrap_servers, time.monotonic() + config.broker_wait_seconds
    pause = 0.5
    while True:
        answer = await knock(config.client_arguments())
        if answer.fault is not None:
            raise StopWorker(answer.fault, ExitCode.PERSON)
        why = answer.silence
        if why is None:
            client = AIOKafkaAdminClient(**config.client_arguments())
            try:
                await client.start()
                return await _inspect(client, config, spec)
            except RIGHTS_ERRORS as error:
                raise refusal_of(error) from error
            except (KafkaError, OSError, TimeoutError) as error:
                why = f"{type(error).__name__}: {error}"
            finally:
                await client.close()
        if time.monotonic() + pause > deadline:
            waited = f"{config.broker_wait_seconds:.0f} s"
            raise StopWorker(f"no Kafka at {servers} after {waited}: {why}", ExitCode.RESTART)
        log.warning(
            "no Kafka at %s yet (%s), trying again in %.1f s",
            servers,
            why,
            pause,
            extra=event("kafka_awaited"),
        )
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 5.0)


async def _inspect(
    client: AIOKafkaAdminClient, config: EngineConfig, spec: ProcessorSpec
) -> KnownCluster:
    needed = needed_topics(config, spec)
    view = await _complete_view(client, [*needed, *spec.beside])
    await refuse_missing_rights(client, config.application_id, view, _rights(config, spec))
    partition_count = _check(config, spec, view)
    written = [topic for topic in needed if topic != spec.broadcast or topic in spec.output_topics]
    await _check_sizes(client, config, written)
    if spec.append_time:
        await _check_times(client, config, [*spec.topics, *filter(None, [spec.broadcast])])
    await refuse_deletion(client, changelogs(config, spec))
    await _refuse_other_applications(client, config, spec, partition_count)
    committed = await _committed(client, config.application_id, spec, partition_count)
    # Where the group has read without a state, the state was lost; opening the partition says so.
    never_read = set(range(partition_count)) - {tp.partition for tp in committed}
    await _refuse_strange_outputs(client, config, spec, view, never_read)
    beyond = partitions_beyond(spec, view, partition_count)
    watched = {name: view.topics[name] for name in needed}
    return KnownCluster(view.cluster_id, partition_count, watched, committed, beyond)


def partitions_beyond(
    spec: ProcessorSpec, view: View, partition_count: int
) -> tuple[TopicPartition, ...]:
    """Returns the partitions of inputs that exist but are not in use."""
    used = dict.fromkeys(spec.topics, partition_count)
    if spec.broadcast is not None:
        used[spec.broadcast] = 1
    return tuple(
        TopicPartition(topic, number)
        for topic, count in used.items()
        for number in range(count, view.topics[topic].partitions)
    )


def _rights(config: EngineConfig, spec: ProcessorSpec) -> dict[str, set[str]]:
    """Returns the operations that a worker must be allowed, by topic."""
    wanted = {name: {"DescribeConfigs"} for name in needed_topics(config, spec)}
    for name in (*spec.topics, *changelogs(config, spec), *filter(None, [spec.broadcast])):
        wanted[name].add("Read")
    for name in (*changelogs(config, spec), *spec.output_topics):
        wanted[name].add("Write")
    return {**wanted, **{name: {"Read", "Write"} for name in spec.beside}}


async def _complete_view(client: AIOKafkaAdminClient, needed: list[str]) -> View:
    """Returns the broker's view of the topics; asks again for some seconds if some are missing."""
    deadline = time.monotonic() + MISSING_PATIENCE_SECONDS
    while True:
        view = await view_topics(client._client, needed, with_operations=True)
        for name, topic in view.topics.items():
            if topic.error not in (0, UNKNOWN_TOPIC, NO_RIGHT_TO_SEE):
                raise for_code(topic.error)(f"no answer about {name}")
        found = {name: it for name, it in view.topics.items() if it.error != UNKNOWN_TOPIC}
        if len(found) == len(needed) or time.monotonic() > deadline:
            return View(view.cluster_id, found)
        await asyncio.sleep(0.5)


def _check(config: EngineConfig, spec: ProcessorSpec, view: View) -> int:
    needed = [*needed_topics(config, spec), *spec.beside]
    missing = [topic for topic in needed if topic not in view.topics]
    if missing:
        raise StopWorker(
            f"missing topics: {', '.join(missing)}. Make them with: {config.topics_command}",
            ExitCode.PERSON,
        )
    counts = {name: topic.partitions for name, topic in view.topics.items()}
    keyed = {topic: counts[topic] for topic in [*spec.topics, *changelogs(config, spec)]}
    listed = ", ".join(f"{topic} {count}" for topic, count in keyed.items())
    if config.partitions is not None:
        if min(keyed.values()) < config.partitions:
            raise StopWorker(
                f"BYLINE_PARTITIONS is {config.partitions}, but inputs and changelogs have: "
                f"{listed}. It is the number before partitions were added, which all of them have",
                ExitCode.PERSON,
            )
        return config.partitions
    if len(set(keyed.values())) != 1:
        raise StopWorker(
            f"inputs and changelogs must have the same number of partitions, but have: {listed}. "
            f"Where partitions were added, set BYLINE_PARTITIONS={min(keyed.values())} to go on "
            f"with the old ones, and {REROUTE}",
            ExitCode.PERSON,
        )
    (partition_count,) = set(keyed.values())
    if spec.broadcast is not None and counts[spec.broadcast] != 1:
        raise StopWorker(
            f"{spec.broadcast} must have one partition, it has {counts[spec.broadcast]}. Set "
            f"BYLINE_PARTITIONS={partition_count} to go on with the first, and {REROUTE}",
            ExitCode.PERSON,
        )
    return partition_count


async def _check_sizes(
    client: AIOKafkaAdminClient, config: EngineConfig, topics: list[str]
) -> None:
    """Checks that every topic accepts a full batch.

    Raises:
        StopWorker: `max.message.bytes` of a topic is too small.
    """
    needed = config.max_batch_bytes + BATCH_MARGIN_BYTES
    for topic, limit in (await _configs(client, topics, "max.message.bytes")).items():
        if int(limit) < needed:
            raise StopWorker(
                f"{topic} takes batches of {limit} bytes (max.message.bytes), {needed} are "
                f"needed. Raise it, or remove the topic and run: {config.topics_command}",
                ExitCode.PERSON,
            )


async def _check_times(
    client: AIOKafkaAdminClient, config: EngineConfig, topics: list[str]
) -> None:
    """Checks that the broker sets the timestamps of the inputs.

    Raises:
        StopWorker: `message.timestamp.type` of a topic is not LogAppendTime.
    """
    for topic, kind in (await _configs(client, topics, "message.timestamp.type")).items():
        if kind != "LogAppendTime":
            raise StopWorker(
                f"{topic} has message.timestamp.type {kind}: a producer would say itself when its "
                "records came in. It has to be LogAppendTime: "
                f"`{config.topics_apply_command} --dry-run` says what "
                f"`{config.topics_apply_command}` sets",
                ExitCode.PERSON,
            )


async def refuse_deletion(client: AIOKafkaAdminClient, topics: list[str]) -> list[str]:
    """Checks that these changelogs never delete records by retention.

    Returns those whose settings the brokers do not tell.

    Raises:
        StopWorker: `cleanup.policy` of one contains `delete`.
    """
    policies = await _configs(client, topics, "cleanup.policy")
    for topic, policy in policies.items():
        if "delete" in policy:
            raise StopWorker(
                f"changelog {topic} has cleanup.policy {policy}: state that is older than its "
                "retention would be deleted. Set cleanup.policy to compact "
                "with `byline topics apply`",
                ExitCode.PERSON,
            )
    return [topic for topic in topics if topic not in policies]


async def _configs(client: AIOKafkaAdminClient, topics: list[str], name: str) -> dict[str, str]:
    """Returns one setting of each topic. Topics whose settings may not be read are left out."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic, {name: ""}) for topic in topics]
    found = {}
    for response in await client.describe_configs(resources) if resources else []:
        for _error, _message, _kind, topic, entries in response.resources:
            for entry, value, *_ in entries:
                if entry == name and value is not None:
                    found[topic] = value
    return found


async def _committed(
    client: AIOKafkaAdminClient, group: str, spec: ProcessorSpec, partition_count: int
) -> dict[TopicPartition, int]:
    """Returns the committed offsets of a group in the inputs."""
    partitions = [
        TopicPartition(topic, number) for topic in spec.topics for number in range(partition_count)
    ]
    return await stable_offsets(client, group, partitions)


async def _refuse_other_applications(
    client: AIOKafkaAdminClient, config: EngineConfig, spec: ProcessorSpec, partition_count: int
) -> None:
    """Checks that no other application id has processed the same inputs.

    Another one is found by its changelogs and its group, if this worker may see them.

    Raises:
        StopWorker: there is another one.
    """
    tail = "-" + config.changelog(spec.stores[0].name).removeprefix(f"{config.application_id}-")
    for topic in await client.list_topics():
        other = topic.removesuffix(tail)
        if other in (topic, config.application_id):
            continue
        try:
            committed = await _committed(client, other, spec, partition_count)
        except GroupAuthorizationFailedError:
            continue
        if committed:
            raise StopWorker(
                f"application id {other} has worked on {next(iter(committed)).topic} and writes to "
                f"the same outputs: {config.application_id} would send every event there a second "
                f"time, under the same ids. Go on with {other} (BYLINE_APPLICATION_ID={other}), or "
                f"take another topic prefix. `byline cluster retire {other}` says what it would "
                "mean to end it for good",
                ExitCode.PERSON,
            )


async def _refuse_strange_outputs(
    client: AIOKafkaAdminClient,
    config: EngineConfig,
    spec: ProcessorSpec,
    view: View,
    numbers: Collection[int],
) -> None:
    """Checks that these partition numbers hold no outputs that this application id never wrote.

    Each transaction writes into a changelog too, so where outputs end behind their first offset and
    the changelogs do not, another application id was at work, or the changelogs were emptied.
    Unlike groups and their offsets this never expires, and whoever may write to a topic may ask for
    its end.

    Raises:
        StopWorker: there are such outputs.
        KafkaError: a partition has no leader that answers.
    """
    strange: dict[TopicPartition, int] = {}
    for attempt in range(STRANGE_LOOKS):
        if attempt:
            # Of a transaction that another worker of this id just ends, both ends come soon.
            await asyncio.sleep(STRANGE_SECONDS)
        logs = _partitions(changelogs(config, spec), numbers, view)
        own = await _ends(client, logs, READ_UNCOMMITTED)
        fresh = set(numbers) - {tp.partition for tp, end in own.items() if end > 0}
        # A record counts when its transaction has ended; an aborted one has an offset too.
        outputs = _partitions(spec.sole_outputs, sorted(fresh), view)
        found = await _ends(client, outputs, READ_COMMITTED)
        strange = {tp: end for tp, end in found.items() if end > 0}
        if not strange:
            return
    at, end = min(strange.items())
    raise StopWorker(
        f"another application id has worked on these topics, or {config.application_id} has lost "
        f"its state: {at.topic}[{at.partition}] ends at offset {end}, but {config.application_id} "
        "has never written there, or its changelogs were emptied or made anew. It would send every "
        "event a second time, under the same ids. Go on with the application id that wrote them "
        "(BYLINE_APPLICATION_ID), or take another topic prefix and application id. If it is "
        f"{config.application_id} itself, `byline cluster rebuild` makes its state anew",
        ExitCode.PERSON,
    )


def _partitions(topics: Iterable[str], numbers: Iterable[int], view: View) -> list[TopicPartition]:
    """Returns these partition numbers of the topics, as far as they have them."""
    known = view.topics
    return [TopicPartition(t, n) for t in topics for n in numbers if n < known[t].partitions]


async def _ends(
    client: AIOKafkaAdminClient, partitions: list[TopicPartition], isolation: int
) -> dict[TopicPartition, int]:
    """Returns the end offsets of partitions.

    Raises:
        LeaderNotAvailableError: one is not known.
    """
    answer = await offsets(client._client, partitions, LATEST, isolation)
    for tp, why in answer.failed.items():
        raise LeaderNotAvailableError(f"where {tp.topic}[{tp.partition}] ends: {why}")
    return answer.found
