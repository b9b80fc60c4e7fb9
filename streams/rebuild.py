"""`byline cluster rebuild`: builds the state again if the changelogs have lost it.

For each partition it takes the first proven source: a worker's disk whose hash chain ends like the
decision log, else a replay of the decision log and the inputs. If a partition has no complete
source, it reports what is lost, in numbers, and changes nothing. Otherwise it deletes and creates
the changelogs, and writes each partition's state in transactions that fence other producers, the
checkpoint last.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import DECISIONS, STORES, TopicNames
from streams.core.log.chain import Chain
from streams.core.model.account import decode_account, decode_label
from streams.engine import acceptance
from streams.engine.checkpoint import FORMAT, Checkpoint
from streams.engine.config import EngineConfig
from streams.engine.disk_reading import Disk, read_disk
from streams.engine.processor import ProcessorSpec
from streams.engine.producer import TransactionalProducer
from streams.operate import topics
from streams.operate.account_states import check_reserved
from streams.operate.clients import admin_client, consumer
from streams.operate.errors import UsageError
from streams.operate.losses import Losses, losses
from streams.replay.recorded import Clients, RecordedPartition, policy_texts
from streams.replay.records import ReplayError
from streams.settings import Settings
from streams.stop_worker import ExitCode, StopWorker
from streams.upkeep import offline

CHUNK_BYTES = 512 * 1024
APPEAR_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a partition's state.

    `kind`: a description of the source. `state`: by store, values by key; None if there is no
    complete source, and then `why` is the reason.
    """

    partition: int
    kind: str
    checkpoint: Checkpoint | None = None
    state: Mapping[str, Mapping[bytes, bytes]] | None = None
    why: str = ""

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
        StopWorker: workers run.
        UsageError: the decision log is missing.
    """
    config, spec = offline(settings)
    names = TopicNames(settings.topic_prefix, settings.application_id)
    async with admin_client(settings) as client:
        await acceptance.refuse_members(
            client, settings.application_id, settings.session_timeout_seconds
        )
        view = await acceptance.look(client, config, spec)
        decisions = view.topics[names.of(DECISIONS)]
    if decisions.error:
        raise UsageError("the decision log is missing: without it no source can be proven")
    count = settings.partitions or decisions.partitions
    texts = await _policy_texts(settings)
    held = _on_disks(settings, disks, spec)
    sources = []
    for number in range(count):
        sources.append(await _source(settings, held.get(number, []), number, count, texts))
    missing = [it.partition for it in sources if it.state is None]
    if missing:
        return Rebuilt(tuple(sources), await losses(settings, frozenset(missing)))
    if yes:
        await _write(settings, config, spec, sources)
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
                return Source(number, f"disk {disk.path}", disk.checkpoint, disk.state)
        try:
            await replay.run()
        except ReplayError as error:
            return Source(number, "lost", why=str(error))
        done = replay.replay
        checkpoint = Checkpoint(FORMAT, count, done.now, done.reads)
        return Source(number, f"replay of {done.transactions} transactions", checkpoint, done.state)


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
) -> None:
    notes = await acceptance.read_checkpoints(config, spec, leave_unreadable=True)
    elsewhere = next((it.ids for it in notes.values() if it.ids), {})
    async with admin_client(settings) as client:
        logs = [config.changelog(store.name) for store in spec.stores]
        ids = await _make_anew(settings, client, config, spec, logs)
    for source in sources:
        assert source.checkpoint is not None
        # An input that was deleted and created again keeps its old id: `accept` handles it.
        note = notes.get(source.partition)
        known = source.checkpoint.ids or (note.ids if note is not None else elsewhere)
        own = {name: known.get(name, now) for name, now in ids.items() if name not in logs}
        own |= {name: ids[name] for name in logs if name in ids}
        await _fill(config, spec, source, msgspec.structs.replace(source.checkpoint, ids=own))


async def _make_anew(
    settings: Settings,
    client: AIOKafkaAdminClient,
    config: EngineConfig,
    spec: ProcessorSpec,
    logs: list[str],
) -> dict[str, str]:
    """Deletes the changelogs and creates them again. Returns the new ids of all topics by name.

    Raises:
        StopWorker: Kafka refuses to delete them.
        TimeoutError: they do not appear again in time.
    """
    before = (await acceptance.look(client, config, spec)).topics
    there = [name for name in logs if not before[name].error]
    if there:
        response = await client.delete_topics(there)
        refused = [topic for topic, code, *_ in response.topic_error_codes if code]
        if refused:
            raise StopWorker(
                f"Kafka does not delete {', '.join(refused)}: nothing was changed", ExitCode.PERSON
            )
    async with asyncio.timeout(APPEAR_SECONDS):
        while True:
            # It creates missing topics; a topic that is still being deleted does not count as such.
            with suppress(TimeoutError):
                await topics.create(settings)
            now = (await acceptance.look(client, config, spec)).topics
            if not any(now[name].error or now[name].id == before[name].id for name in logs):
                return {name: topic.id for name, topic in now.items() if topic.id}
            await asyncio.sleep(0.5)


async def _fill(
    config: EngineConfig, spec: ProcessorSpec, source: Source, checkpoint: Checkpoint
) -> None:
    assert source.state is not None
    producer = TransactionalProducer(config, source.partition)
    await producer.start()
    try:
        for store in spec.stores:
            topic = config.changelog(store.name)
            for chunk in _chunks(source.state[store.name]):
                await producer.begin_transaction()
                waiting = [
                    await producer.send(topic, value, key, source.partition) for key, value in chunk
                ]
                for future in waiting:
                    await future
                await producer.commit_transaction()
        await acceptance.put_checkpoint(producer, config, spec, source.partition, checkpoint)
    finally:
        await producer.stop()


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
