"""Accepts topics that were deleted and created again: writes their new ids into the checkpoints.

Workers must be stopped. The producers of all partitions are started first, which fences a worker
that runs unseen (fencing.py), and only then the checkpoints are read. Each is written with the new
topic ids in a transaction of its own. A command that was interrupted can be repeated: it does the
rest. Repeated again, it does nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.engine.checkpoint import CHECKPOINT_KEY, Checkpoint, encode_checkpoint
from streams.engine.config import EngineConfig
from streams.engine.continuity import REBUILD, since_when
from streams.engine.fencing import held, in_one_transaction, refuse_members, told
from streams.engine.notes import read_notes
from streams.engine.preflight import changelogs, needed_topics
from streams.engine.processor import ProcessorSpec
from streams.engine.producer import TransactionalProducer
from streams.engine.recovery import plain_consumer
from streams.kafka.requests.metadata import View, view_topics
from streams.stop_worker import ExitCode, StopWorker


class ReadFrom(StrEnum):
    """Where reading of an accepted input starts."""

    BEGINNING = "beginning"
    """At the first offset: none of its records were read."""
    ON = "on"
    """Reading goes on at the old offset: the topic has the same records at the same offsets."""
    END = "end"
    """At the end: its present records are skipped."""


@dataclass(frozen=True, slots=True)
class AcceptedChange:
    """What accepting a topic changes in one partition's checkpoint.

    `next_before`, `next_after`: the offset to read next, before and after; None for a topic that is
    not read. `unread`: the number of offsets from `next_after` to the end.
    """

    topic: str
    partition: int
    old_id: str
    new_id: str
    next_before: int | None
    next_after: int | None
    unread: int


async def read_checkpoints(
    config: EngineConfig, spec: ProcessorSpec, *, leave_unreadable: bool = False
) -> dict[int, Checkpoint]:
    """Reads the checkpoint of each partition that has one.

    `leave_unreadable`: those that no worker wrote are left out.

    Raises:
        StopWorker: an open transaction hides the end of the changelog, or no worker wrote one.
    """
    changelog = config.changelog(spec.stores[0].name)
    consumer = plain_consumer(config, "read_committed", "checkpoints")
    await consumer.start()
    try:
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(changelog) or ()
        if not numbers:
            return {}
        return await read_notes(
            consumer, changelog, sorted(numbers), leave_unreadable=leave_unreadable
        )
    except TimeoutError as error:
        raise StopWorker(
            f"{changelog} is not read to its end: an open transaction hides what follows. A"
            " worker's ends by itself; `byline doctor` names it. Then run this again",
            ExitCode.PERSON,
        ) from error
    finally:
        await consumer.stop()


async def look(client: AIOKafkaAdminClient, config: EngineConfig, spec: ProcessorSpec) -> View:
    """Returns the broker's present view of the topics that workers read or write."""
    return await view_topics(client._client, needed_topics(config, spec))


async def plan(
    client: AIOKafkaAdminClient,
    config: EngineConfig,
    spec: ProcessorSpec,
    wanted: Mapping[str, str],
    reading: ReadFrom,
) -> list[AcceptedChange]:
    """Returns the changes that accepting `wanted` (topic to new id) makes; empty if none are left.

    Raises:
        StopWorker: the topic has another id, there is no state, `reading` does not fit the topic's
            offsets, or a changelog is to be accepted without `ReadFrom.ON`.
    """
    view = await look(client, config, spec)
    for topic, topic_id in wanted.items():
        _refuse_other_id(view, topic, topic_id)
    checkpoints = await read_checkpoints(config, spec)
    if not checkpoints:
        raise StopWorker(
            f"{config.application_id} has no state here: there is nothing to accept",
            ExitCode.PERSON,
        )
    inputs = [*spec.topics, *filter(None, [spec.broadcast])]
    asked = {
        (topic, number): TopicPartition(topic, 0 if topic == spec.broadcast else number)
        for topic in inputs
        for number in checkpoints
        if topic in wanted
    }
    logs = [name for name in changelogs(config, spec) if name in wanted]
    if logs and reading is not ReadFrom.ON:
        raise StopWorker(
            f"{', '.join(logs)} carries the state: it is accepted with --read on alone, which says "
            f"that it holds all that it held. Else {REBUILD}",
            ExitCode.PERSON,
        )
    bounds = await bounds_of(config, set(asked.values()))
    changes = []
    for topic, topic_id in wanted.items():
        for number, checkpoint in sorted(checkpoints.items()):
            place = asked.get((topic, number))
            change = _change(
                checkpoint,
                topic,
                number,
                topic_id,
                None if place is None else bounds[place],
                reading,
            )
            if change is not None:
                changes.append(change)
    return changes


def _refuse_other_id(view: View, topic: str, topic_id: str) -> None:
    found = view.topics.get(topic)
    if found is None or found.error:
        raise StopWorker(
            f"{topic} is not one of the topics that workers read or write, or it is missing: "
            "`byline topics check` lists them",
            ExitCode.PERSON,
        )
    if found.id != topic_id:
        raise StopWorker(
            f"the topic id of {topic} is {found.id or 'not known'}, not {topic_id}", ExitCode.PERSON
        )


def _change(
    checkpoint: Checkpoint,
    topic: str,
    number: int,
    topic_id: str,
    bounds: tuple[int, int] | None,
    reading: ReadFrom,
) -> AcceptedChange | None:
    """Returns the change for one partition; None if it has accepted the topic already.

    `bounds`: first offset and end offset; None for a topic that is not read.
    """
    old_id = checkpoint.ids.get(topic, "")
    if bounds is None:
        known = topic in checkpoint.ids and old_id == topic_id
        return None if known else AcceptedChange(topic, number, old_id, topic_id, None, None, 0)
    begin, end = bounds
    before = checkpoint.next.get(topic)
    inside = before is not None and begin <= before <= end
    if old_id == topic_id and inside:
        return None
    if checkpoint.served.get(topic) == topic_id and inside and reading is ReadFrom.BEGINNING:
        # Workers with --favourable-only have read it from its beginning up to here.
        after = before
    elif reading is ReadFrom.BEGINNING:
        after = begin
    elif reading is ReadFrom.END:
        after = end
    elif inside:
        after = before
    else:
        raise StopWorker(
            f"{topic}[{number}] holds offsets {begin} to {end}, but {before} is to be read next: "
            "it does not hold the same records at the same offsets. Accept it with --read "
            "beginning, or with --read end",
            ExitCode.PERSON,
        )
    assert after is not None
    return AcceptedChange(topic, number, old_id, topic_id, before, after, end - after)


async def bounds_of(
    config: EngineConfig, places: Collection[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    """Returns the first offset and the end offset of each partition."""
    if not places:
        return {}
    consumer = plain_consumer(config, "read_uncommitted", "bounds")
    await consumer.start()
    try:
        begins = await consumer.beginning_offsets(list(places))
        ends = await consumer.end_offsets(list(places))
    finally:
        await consumer.stop()
    return {tp: (begins[tp], ends[tp]) for tp in places}


async def accept(
    client: AIOKafkaAdminClient,
    config: EngineConfig,
    spec: ProcessorSpec,
    wanted: Mapping[str, str],
    reading: ReadFrom,
) -> list[AcceptedChange]:
    """Makes the changes of `plan`, and returns them.

    Raises:
        StopWorker: as `plan`; workers run; or not all partitions were written.
    """
    await refuse_members(client, config.application_id, config.session_timeout_seconds)
    if not await plan(client, config, spec, wanted, reading):
        return []
    changelog = config.changelog(spec.stores[0].name)
    count = (await look(client, config, spec)).topics[changelog].partitions
    async with held(config, range(count)) as producers:
        await refuse_members(client, config.application_id, config.session_timeout_seconds)
        # What was planned before may not be true any more: a worker may have written until now.
        changes = await plan(client, config, spec, wanted, reading)
        await _write(config, spec, changes, producers)
    return changes


async def _write(
    config: EngineConfig,
    spec: ProcessorSpec,
    changes: Iterable[AcceptedChange],
    producers: Mapping[int, TransactionalProducer],
) -> None:
    """Writes the changes, partition by partition."""
    by_partition: dict[int, list[AcceptedChange]] = {}
    for change in changes:
        by_partition.setdefault(change.partition, []).append(change)
    checkpoints = await read_checkpoints(config, spec)
    left = list(by_partition)
    for number, own in by_partition.items():
        with told(
            f"accepted for {len(by_partition) - len(left)} of {len(by_partition)} partitions, not "
            f"for {', '.join(map(str, left))}. Stop the workers and run this again: it does the "
            "rest"
        ):
            await put_checkpoint(
                producers[number], config, spec, number, _with(checkpoints[number], own)
            )
        left.remove(number)


def _with(checkpoint: Checkpoint, changes: Iterable[AcceptedChange]) -> Checkpoint:
    reads, ids, served = dict(checkpoint.next), dict(checkpoint.ids), dict(checkpoint.served)
    anew = dict(checkpoint.anew)
    for change in changes:
        ids[change.topic] = change.new_id
        served.pop(change.topic, None)
        if change.next_after is not None and change.next_after != change.next_before:
            anew |= since_when(change.topic, change.next_before or 0, anew)
            reads[change.topic] = change.next_after
    return msgspec.structs.replace(checkpoint, next=reads, ids=ids, served=served, anew=anew)


async def put_checkpoint(
    producer: TransactionalProducer,
    config: EngineConfig,
    spec: ProcessorSpec,
    number: int,
    checkpoint: Checkpoint,
) -> None:
    """Writes a partition's checkpoint in a transaction of its own."""
    changelog = config.changelog(spec.stores[0].name)
    await in_one_transaction(
        producer, changelog, number, [(CHECKPOINT_KEY, encode_checkpoint(checkpoint))]
    )
