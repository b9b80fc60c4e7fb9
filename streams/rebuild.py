"""`byline cluster rebuild`: builds the state again if the changelogs have lost it.

For each partition it takes the first proven source: a worker's disk whose hash chain ends like the
decision log, else a replay of the decision log and the inputs. If a partition has no complete
source, it reports what is lost, in numbers, and changes nothing. Otherwise it starts the producer
of each partition, which fences a worker that runs unseen, and checks that nobody has decided
anything since the sources were proven. Then it deletes and creates the changelogs, and writes each
partition's state with these producers, the checkpoint last. A command that broke off is given
again: it finds its sources anew.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import (
    CHANGELOGS,
    DECISIONS,
    INPUTS,
    OUTPUTS,
    POLICIES,
    STORES,
    TopicNames,
)
from streams.core.log.chain import Chain
from streams.core.model.account import decode_account, decode_label
from streams.engine import acceptance
from streams.engine.checkpoint import FORMAT, Checkpoint
from streams.engine.config import EngineConfig
from streams.engine.disk_reading import Disk, read_disk
from streams.engine.fencing import held, in_one_transaction, refuse_members, told
from streams.engine.processor import ProcessorSpec
from streams.engine.producer import TransactionalProducer
from streams.kafka.requests.metadata import View
from streams.operate import topics
from streams.operate.account_states import check_reserved
from streams.operate.acl import upkeeping
from streams.operate.clients import admin_client, consumer
from streams.operate.deletion import NotDeletedError, delete, refuse_no_deletion
from streams.operate.errors import NoRightError, OperateError, UsageError
from streams.operate.losses import Losses, losses
from streams.operate.role_rights import refuse_lacking
from streams.replay.recorded import Clients, RecordedPartition, policy_texts
from streams.replay.records import ReplayError
from streams.settings import Settings
from streams.stop_worker import ExitCode, StopWorker
from streams.upkeep import group_named, offline

CHUNK_BYTES = 512 * 1024
APPEAR_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a partition's state.

    `kind`: a description of the source. `state`: by store, values by key; None if there is no
    complete source, and then `why` is the reason. `last`: number and hash of the last record of the
    decision log that is in the state; None if nothing was ever decided.
    """

    partition: int
    kind: str
    checkpoint: Checkpoint | None = None
    state: Mapping[str, Mapping[bytes, bytes]] | None = None
    why: str = ""
    last: tuple[int, str] | None = None

    @property
    def keys(self) -> int:
        """The number of keys in the state."""
        return sum(map(len, (self.state or {}).values()))


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The sources of all partitions. `lost`: what is lost if a partition has no source."""

    sources: tuple[Source, ...]
    lost: Losses | None = None
    written: bool = False


async def rebuild(settings: Settings, disks: list[Path], *, yes: bool) -> Rebuilt:
    """Finds a proven source for each partition; if all have one and `yes`, writes them.

    `disks`: DATA_DIRs of workers.

    Raises:
        StopWorker: workers run, or it broke off.
        UsageError: the decision log is missing.
        NoRightError: a right is missing.
    """
    config, spec = offline(settings)
    names = TopicNames(settings.topic_prefix, settings.application_id)
    logs = [config.changelog(store.name) for store in spec.stores]
    read = [*INPUTS, *OUTPUTS, DECISIONS, POLICIES, *CHANGELOGS]
    await refuse_lacking(settings, upkeeping(settings, "Read", topics=read))
    if yes:
        await refuse_lacking(settings, upkeeping(settings, "Write", topics=CHANGELOGS))
    async with admin_client(settings) as client:
        if yes:
            await refuse_no_deletion(client, logs)
            await topics.refuse_no_creation(client, logs)
        with group_named(config):
            await refuse_members(client, config.application_id, config.session_timeout_seconds)
        view = await acceptance.look(client, config, spec)
        decisions = view.topics[names.of(DECISIONS)]
    if decisions.error:
        raise UsageError("the decision log is missing: without it no source can be proven")
    count = settings.partitions or decisions.partitions
    texts = await _policy_texts(settings)
    held_disks = _on_disks(settings, disks, spec)
    sources = []
    for number in range(count):
        sources.append(await _source(settings, held_disks.get(number, []), number, count, texts))
    missing = [it.partition for it in sources if it.state is None]
    if missing:
        return Rebuilt(tuple(sources), await losses(settings, frozenset(missing)))
    if yes:
        await _write(settings, config, spec, sources, decisions.partitions)
    return Rebuilt(tuple(sources), written=yes)


async def _policy_texts(settings: Settings) -> dict[str, bytes]:
    async with consumer(settings) as client:
        return (await policy_texts(client, settings)).known


def _on_disks(settings: Settings, disks: list[Path], spec: ProcessorSpec) -> dict[int, list[Disk]]:
    """Returns the readable disks by partition."""
    found: dict[int, list[Disk]] = {}
    stores = [store.name for store in spec.stores]
    for folder in disks:
        for path in sorted(folder.glob(f"{settings.application_id}/*/state/partition-*")):
            disk = read_disk(path, stores)
            if disk is not None:
                found.setdefault(int(path.name.rpartition("-")[2]), []).append(disk)
    return found


async def _source(
    settings: Settings,
    held: list[Disk],
    number: int,
    count: int,
    texts: Mapping[str, bytes],
) -> Source:
    async with AsyncExitStack() as stack:
        replay = RecordedPartition(settings, Clients(settings, stack), number, count, texts)
        try:
            last = await replay.last_of_log()
        except ReplayError as error:
            return Source(number, "lost", why=str(error))
        if last is None:
            # Nothing was ever decided, so there is no state; the inputs are read again.
            nothing: dict[str, dict[bytes, bytes]] = {store: {} for store in STORES}
            return Source(number, "nothing decided", Checkpoint(FORMAT, count, 0, {}), nothing)
        for disk in held:
            if _end_of_chain(disk) == last:
                kind = f"disk {disk.path}"
                return Source(number, kind, disk.checkpoint, disk.state, last=last)
        try:
            await replay.run()
        except ReplayError as error:
            return Source(number, "lost", why=str(error))
        done = replay.replay
        checkpoint = Checkpoint(FORMAT, count, done.now, done.reads)
        kind = f"replay of {done.transactions} transactions"
        return Source(number, kind, checkpoint, done.state, last=last)


def _end_of_chain(disk: Disk) -> tuple[int, str] | None:
    """Returns where the hash chain of a disk ends; None if it holds what no worker wrote."""
    accounts = disk.state["accounts"]
    try:
        for key, raw in accounts.items():
            if key[:1] == b"#":
                check_reserved(key, raw)
            else:
                decode_account(raw)
        for raw in disk.state["categories"].values():
            decode_label(raw)
        end = accounts.get(b"#chain")
        chain = msgspec.msgpack.decode(end, type=Chain) if end else Chain()
    except (msgspec.MsgspecError, ValueError):
        return None
    return chain.number, chain.previous


async def _write(
    settings: Settings,
    config: EngineConfig,
    spec: ProcessorSpec,
    sources: list[Source],
    partitions: int,
) -> None:
    """Makes the changelogs anew, with this number of partitions, and writes the sources into them.

    Raises:
        StopWorker: workers run, or it broke off; the message says what was done and what was not.
    """
    done = _RebuildProgress(sources)
    async with (
        admin_client(settings) as client,
        held(config, [it.partition for it in sources]) as producers,
    ):
        with group_named(config):
            await refuse_members(client, config.application_id, config.session_timeout_seconds)
        await _refuse_later(settings, sources)
        notes = await acceptance.read_checkpoints(config, spec, leave_unreadable=True)
        elsewhere = next((it.ids for it in notes.values() if it.ids), {})
        view = await acceptance.look(client, config, spec)
        with told("the changelogs were not touched, and the state is as it was. Run this again"):
            for source in sources:
                await _keep_offsets(config, spec, view, source, producers[source.partition])
        logs = [config.changelog(store.name) for store in spec.stores]
        with done.broken_off():
            ids = await _make_anew(settings, client, config, spec, logs, partitions, done)
            for source in sources:
                assert source.checkpoint is not None
                # An input that was deleted and created again keeps its old id: `accept` handles it.
                note = notes.get(source.partition)
                known = source.checkpoint.ids or (note.ids if note is not None else elsewhere)
                own = {name: known.get(name, now) for name, now in ids.items() if name not in logs}
                own |= {name: ids[name] for name in logs if name in ids}
                checkpoint = msgspec.structs.replace(source.checkpoint, ids=own)
                with told(f"partition {source.partition} was not filled"):
                    await _fill(config, spec, source, checkpoint, producers[source.partition])
                done.filled.append(source.partition)


class _RebuildProgress:
    """What was done so far, for the message of a command that breaks off."""

    def __init__(self, sources: list[Source]) -> None:
        self._partitions = [source.partition for source in sources]
        self.deleted: list[str] = []
        self.deleting: list[str] = []
        """What Kafka was asked to delete, until it answers."""
        self.gone = False
        """Whether there are no changelogs of before any more."""
        self.filled: list[int] = []

    @contextmanager
    def broken_off(self) -> Iterator[None]:
        """Adds to an error what was done, if anything was.

        Raises:
            StopWorker: in place of the error.
        """
        try:
            yield
        except (StopWorker, OperateError, KafkaError, TimeoutError, OSError) as error:
            if isinstance(error, NotDeletedError | NoRightError):
                self.deleted += getattr(error, "deleted", ())
                self.deleting = []
            if not (self.gone or self.deleted or self.deleting):
                raise
            gone = f"{', '.join(self.deleted)} deleted" if self.deleted else "nothing was deleted"
            if self.deleting:
                gone = f"whether {', '.join(self.deleting)} are deleted is not known"
            left = [number for number in self._partitions if number not in self.filled]
            filled = f"{_listed(self.filled)} filled, " if self.filled else ""
            raise StopWorker(
                f"{str(error) or type(error).__name__}. It broke off: {gone}; of the "
                f"partitions {filled}{_listed(left)} not. No worker starts on "
                "these until they are. Stop all workers and run this again, with the same disks: "
                "it goes on",
                ExitCode.PERSON,
            ) from error


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


async def _refuse_later(settings: Settings, sources: list[Source]) -> None:
    """Checks that the decision log ends where the sources end.

    Raises:
        StopWorker: a worker has decided more since then.
    """
    for source in sources:
        async with AsyncExitStack() as stack:
            clients = Clients(settings, stack)
            log = RecordedPartition(settings, clients, source.partition, len(sources), {})
            if await log.last_of_log() != source.last:
                raise StopWorker(
                    f"a worker has decided more in partition {source.partition} since this command "
                    "began. Nothing was changed. Stop all workers and run this again",
                    ExitCode.PERSON,
                )


async def _keep_offsets(
    config: EngineConfig,
    spec: ProcessorSpec,
    view: View,
    source: Source,
    producer: TransactionalProducer,
) -> None:
    """Commits the positions of a source as the group's offsets.

    A worker that finds such offsets and no state does not start, so from here on none starts on a
    changelog that is empty or half filled. It also shows that nobody has fenced us meanwhile.
    """
    assert source.checkpoint is not None
    offsets = {
        TopicPartition(topic, source.partition): offset
        for topic, offset in source.checkpoint.next.items()
        if topic in spec.topics and source.partition < view.topics[topic].partitions
    }
    if offsets:
        async with asyncio.timeout(config.broker_wait_seconds):
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction(offsets, config.application_id)
            await producer.commit_transaction()


async def _make_anew(
    settings: Settings,
    client: AIOKafkaAdminClient,
    config: EngineConfig,
    spec: ProcessorSpec,
    logs: list[str],
    partitions: int,
    done: _RebuildProgress,
) -> dict[str, str]:
    """Deletes the changelogs and creates them again. Returns the new ids of all topics by name.

    Raises:
        OperateError: Kafka refuses to delete or to make one, or they do not appear in time.
    """
    before = (await acceptance.look(client, config, spec)).topics
    there = [name for name in logs if not before[name].error]
    if there:
        done.deleting = there
        await delete(client, there)
        done.deleting, done.deleted = [], there
    done.gone = True
    try:
        async with asyncio.timeout(APPEAR_SECONDS):
            while True:
                now = (await acceptance.look(client, config, spec)).topics
                old = [name for name in there if now[name].id == before[name].id]
                if not old and not any(now[name].error for name in logs):
                    return {name: topic.id for name, topic in now.items() if topic.id}
                # Brokers learn one by one that a topic is gone; a topic that one of them still
                # lists does not count as missing, or contradicts the number of partitions.
                with suppress(TimeoutError, UsageError):
                    await topics.create(settings, partitions, only=CHANGELOGS)
                await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise OperateError(
            f"{', '.join(logs)} were not there again after {APPEAR_SECONDS:.0f} s"
        ) from error


async def _fill(
    config: EngineConfig,
    spec: ProcessorSpec,
    source: Source,
    checkpoint: Checkpoint,
    producer: TransactionalProducer,
) -> None:
    assert source.state is not None
    for store in spec.stores:
        topic = config.changelog(store.name)
        for chunk in _chunks(source.state[store.name]):
            await in_one_transaction(producer, topic, source.partition, chunk)
    await acceptance.put_checkpoint(producer, config, spec, source.partition, checkpoint)


def _chunks(table: Mapping[bytes, bytes]) -> list[list[tuple[bytes, bytes]]]:
    chunks: list[list[tuple[bytes, bytes]]] = [[]]
    size = 0
    for key, value in table.items():
        if size > CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append((key, value))
        size += len(key) + len(value)
    return [chunk for chunk in chunks if chunk]
