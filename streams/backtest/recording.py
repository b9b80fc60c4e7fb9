"""Records topics of Kafka into the cache of backtests, by columns.

A batch of sound records is decoded and checked at once and becomes columns; only where one record
is unsound are they looked at one by one.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.protocol.admin import DescribeConfigsRequest

from schemas.inputs import InputName
from schemas.topics import INPUTS
from streams.backtest.cache import (
    CLEAR,
    MANIFEST,
    Cache,
    CachedFile,
    Manifest,
    digest_of,
    read_manifest,
    verify,
)
from streams.backtest.files import write
from streams.backtest.refusing import Refusing
from streams.backtest.topic_columns import ROWS_A_GROUP, columns_of
from streams.core.inputs.batches import joined, offset_after
from streams.core.inputs.checker import Partitioner
from streams.kafka.configs import TOPIC_RESOURCE
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.metadata import view_topics
from streams.kafka.stretches import Stretch
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import EndHiddenError, UsageError
from streams.operate.send import partition_of

ROWS_A_FILE = 1_000_000
LATE_MS = 3_600_000
"""How much longer than to its `end` a recording goes on, because brokers' clocks differ."""
_POLL_SECONDS = 0.3
_PIECE = 20_000
_CLEANUP, _LAG, _TIMES = "cleanup.policy", "min.compaction.lag.ms", "message.timestamp.type"

Told = Callable[[str, int, int], None]
Offsets = Mapping[TopicPartition, int]


async def record(
    consumer: TolerantConsumer,
    topic: str,
    name: InputName,
    cache: Cache,
    told: Told,
    *,
    span: tuple[int | None, int | None] = (None, None),
    partitions_in_use: int | None = None,
    partitioner: Callable[[int], Partitioner] | None = None,
) -> Path:
    """Records a topic up to its present end; returns the folder with the files.

    The caller has the cache, by `Cache.held`. `told` is called with how many offsets of how many
    are read. `span`: what entered before the first instant or after the second (ms) is not needed;
    None: all is. `partitions_in_use`: how many partitions the workers read; None: all.
    `partitioner`: returns the partition of a key for a number of partitions; None: a slow one.

    Raises:
        UsageError: the topic is missing or was recreated, or a file differs from the manifest.
        EndHiddenError: an open transaction hides the end; what could be read is kept.
    """
    view = await view_topics(consumer._client, [topic])
    known = view.topics.get(topic)
    if known is None or not known.partitions:
        raise UsageError(f"there is no topic {topic}: `byline topics create` makes what is missing")
    place = cache.place(topic, view.cluster_id)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.parent.chmod(0o700)
    start, end = span
    manifest = _manifest_in(place, Manifest(topic, view.cluster_id, known.id, begins=start))
    settings = await _settings_of(consumer, topic, name)
    manifest.compacted |= "compact" in settings[_CLEANUP]
    partitions = [TopicPartition(topic, number) for number in range(known.partitions)]
    high = await consumer.high_watermarks(partitions)
    ends = await consumer.end_offsets(partitions)
    begun = await _begun(consumer, manifest, ends)
    if end is not None and settings[_TIMES] == "LogAppendTime":
        later = await _offsets_at(consumer, partitions, end + LATE_MS)
        ends |= later
        high = {it: at for it, at in high.items() if it not in later}
    count = min(known.partitions, partitions_in_use or known.partitions)
    home = partial(partition_of, partitions=count) if partitioner is None else partitioner(count)
    recording = _Recording(place, manifest, name, home, _compacts_before(settings))
    recording.remove_strays()
    consumer.assign(partitions)
    for it, at in begun.items():
        consumer.seek(it, at)
    with _rare_collections():
        await _read(consumer, begun, ends, recording, told)
        recording.close()
    try:
        await nothing_hidden(consumer, high)
    except EndHiddenError as error:
        raise EndHiddenError(f"{error}: what was recorded is kept, and gone on with") from None
    return place


def _manifest_in(place: Path, fresh: Manifest) -> Manifest:
    """Returns the manifest in a folder; `fresh` if there is none, or it begins too late for that.

    Raises UsageError: the topic was made anew, or a file is not what was recorded.
    """
    if not (place / MANIFEST).exists():
        return fresh
    found = read_manifest(place / MANIFEST)
    if found.topic_id != fresh.topic_id:
        raise UsageError(
            f"{fresh.topic} was made anew since it was recorded: `{CLEAR}` removes the cache, and"
            " it is recorded anew"
        )
    if found.begins is not None and (fresh.begins is None or fresh.begins < found.begins):
        # The manifest is written before the files go, so that it never names what is not there.
        _write(place, fresh)
        return fresh
    verify(place, found)
    return found


async def _settings_of(consumer: TolerantConsumer, topic: str, name: InputName) -> dict[str, str]:
    """Returns the settings of a topic that matter here.

    One that this principal may not see is as Byline makes topics; of the times nothing is known.
    """
    made = next(it for it in INPUTS if it.name == name).config
    found = {_CLEANUP: made[_CLEANUP], _LAG: made.get(_LAG, "0"), _TIMES: ""}
    client = consumer._client
    wanted = [(TOPIC_RESOURCE, topic, list(found))]
    answer = await client.send(client.get_random_node(), DescribeConfigsRequest(wanted))
    for _error, _message, _kind, _topic, entries in answer.resources:
        found |= {entry: value for entry, value, *_ in entries if value is not None}
    return found


def _compacts_before(settings: Mapping[str, str]) -> int | None:
    """Returns the instant (ms) before which a record may be compacted; None: none is."""
    if "compact" not in settings[_CLEANUP]:
        return None
    return time.time_ns() // 1_000_000 - int(settings[_LAG])


async def _begun(
    consumer: TolerantConsumer, manifest: Manifest, ends: Offsets
) -> dict[TopicPartition, int]:
    """Returns the offsets to go on from; notes what Kafka has deleted before them."""
    first = await consumer.beginning_offsets(list(ends))
    new = [it for it in ends if str(it.partition) not in manifest.next]
    begun = {it: first[it] for it in new}
    if manifest.begins is not None:
        at = await _offsets_at(consumer, new, manifest.begins)
        begun = {it: at.get(it, ends[it]) for it in new}
    for it in ends:
        if it not in begun:
            known = manifest.next[str(it.partition)]
            manifest.deleted += max(0, first[it] - known)
            begun[it] = max(known, first[it])
        manifest.next[str(it.partition)] = begun[it]
    return begun


async def _offsets_at(
    consumer: TolerantConsumer, partitions: Sequence[TopicPartition], instant: int
) -> dict[TopicPartition, int]:
    """Returns the offsets of the first records at or after an instant (ms), where there is one."""
    if not partitions:
        return {}
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, instant)))
    return {it: at.offset for it, at in found.items() if at is not None}


async def _read(
    consumer: TolerantConsumer, begun: Offsets, ends: Offsets, recording: _Recording, told: Told
) -> None:
    """Reads partitions from `begun` to `ends`; tells how many offsets of how many are read."""
    wanted, at = Ends(ends), dict(begun)
    what = f"records {recording.topic}"
    total = sum(max(0, ends[it] - offset) for it, offset in begun.items())
    told(what, 0, total)
    while not wanted.reached(at):
        consumer.pause(*(it for it in begun if at[it] >= ends[it]))
        for stretch in await consumer.take(_POLL_SECONDS, _PIECE):
            recording.take(stretch)
        at = {it: await consumer.position(it) for it in begun}
        done = sum(max(0, min(at[it], ends[it]) - offset) for it, offset in begun.items())
        told(what, done, total)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Lets the garbage collector look seldom; at its usual pace it takes a third of the time.

    Records refer to nothing that refers back to them, so that it finds nothing among them.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(ROWS_A_GROUP, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


class _Recording:
    """Collects columns and writes them to files.

    `home`: the partition of a key. `compacts_before` (ms): compaction may have removed records that
    are older; None: the topic is not compacted.
    """

    def __init__(
        self,
        place: Path,
        manifest: Manifest,
        name: InputName,
        home: Partitioner,
        compacts_before: int | None,
    ) -> None:
        self._place, self._manifest, self._name = place, manifest, name
        self._home, self._compacts_before = home, compacts_before
        self._columns = columns_of(name)
        self._refusing: dict[int, Refusing] = {}
        self._refused = Counter(manifest.left_out)
        self._seen_at: dict[int, int] = {}
        """By partition, the timestamp (ms) of the record read last."""

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return self._manifest.topic

    def remove_strays(self) -> None:
        """Deletes what the manifest does not name: its recording was stopped, or replaced."""
        named = {it.name for it in self._manifest.files} | {MANIFEST}
        for path in self._place.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in named:
                path.unlink()

    def take(self, stretch: Stretch) -> None:
        """Takes consecutive records of one partition."""
        number = stretch.partition
        if stretch.records:
            checks = self._refusing.get(number)
            if checks is None:
                checks = self._refusing[number] = Refusing(self._name, number, self._home)
            self._columns.add(*checks.accepted(stretch.records, self._refused))
        lost = sum(it.last - it.first + 1 for it in stretch.unreadable)
        self._refused["unreadable_batch"] += lost
        if len(stretch.records) < stretch.end - stretch.start:
            self._note_holes(stretch)
        if stretch.records:
            self._seen_at[number] = stretch.records[-1].timestamp
        self._manifest.next[str(number)] = stretch.end
        if self._columns.rows >= ROWS_A_FILE:
            self.close()

    def _note_holes(self, stretch: Stretch) -> None:
        """Counts the offsets without a record where compaction may be the reason.

        Nothing says of one whether it was compacted, or is the end of a transaction, or of one that
        was given up. But what was compacted was not younger than the record before it.
        """
        expected, seen_at = stretch.start, self._seen_at.get(stretch.partition)
        for it in joined(stretch.records, stretch.unreadable):
            self._note_hole(it.offset - expected, seen_at)
            expected, seen_at = offset_after(it), it.timestamp
        self._note_hole(stretch.end - expected, seen_at)

    def _note_hole(self, count: int, seen_at: int | None) -> None:
        if self._compacts_before is None:
            # It may have been compacted earlier. The end of a transaction takes one offset.
            doubtful = count > 1
        else:
            doubtful = seen_at is None or seen_at < self._compacts_before
        self._manifest.missing += count * doubtful

    def close(self) -> None:
        """Writes the collected rows to a file, then the manifest that names it."""
        manifest, rows = self._manifest, self._columns.rows
        if rows:
            name = f"part-{len(manifest.files) + 1:06}.parquet"
            path = self._place / name
            write(path, self._columns.taken())
            manifest.files.append(CachedFile(name, rows, digest_of(path)))
        manifest.left_out = {key: n for key, n in self._refused.items() if n}
        _write(self._place, manifest)


def _write(place: Path, manifest: Manifest) -> None:
    write(place / MANIFEST, json.dumps(asdict(manifest), indent=1))
