"""Records topics of Kafka into the cache of backtests, by columns.

A batch of sound records is decoded at once and becomes columns; only where one record is unsound
are they read one by one. Columns become Arrow's soon, so that few records are Python objects.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from schemas.inputs import InputName
from streams.backtest.cache import MANIFEST, Cache, Manifest, digest_of, read_manifest, verify
from streams.backtest.columns import INSTALL
from streams.backtest.files import write
from streams.core.inputs.batches import NOT_AT_ONCE, decode_batch
from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount, decode
from streams.core.inputs.plain import Refusal
from streams.core.model.instants import EPOCH
from streams.core.model.ports import Records
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.metadata import view_topics
from streams.kafka.stretches import Stretch
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import EndHiddenError, UsageError

ROWS_A_FILE = 1_000_000
ROWS_A_GROUP = 100_000
"""How many rows are Python objects at most, and make a row group of Parquet."""
_POLL_SECONDS = 0.3
_PIECE = 20_000

Told = Callable[[str, int, int], None]


async def record(
    consumer: TolerantConsumer, topic: str, name: InputName, cache: Cache, told: Told
) -> Path:
    """Records a topic up to its present end; returns the folder with the files.

    `told` is called with the progress.

    Raises:
        UsageError: the topic is missing or was recreated, or a file differs from the manifest.
        EndHiddenError: an open transaction hides the end; what could be read is kept.
    """
    view = await view_topics(consumer._client, [topic])
    known_topic = view.topics.get(topic)
    if known_topic is None or not known_topic.partitions:
        raise UsageError(f"there is no topic {topic}: `byline topics create` makes what is missing")
    place = cache.place(topic, view.cluster_id)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.parent.chmod(0o700)
    manifest = Manifest(topic, view.cluster_id, known_topic.id)
    if (place / MANIFEST).exists():
        manifest = read_manifest(place / MANIFEST)
    if manifest.topic_id != known_topic.id:
        raise UsageError(
            f"{topic} was made anew since it was recorded: `byline backtest cache clear` removes"
            " the cache, and it is recorded anew"
        )
    verify(place, manifest)
    partitions = [TopicPartition(topic, number) for number in range(known_topic.partitions)]
    high = await consumer.high_watermarks(partitions)
    ends = await consumer.end_offsets(partitions)
    first = await consumer.beginning_offsets(partitions)
    consumer.assign(partitions)
    for it in partitions:
        known = manifest.next.get(str(it.partition))
        consumer.seek(it, max(known or 0, first[it]))
    recording = _Recording(place, manifest, name)
    recording.remove_strays()
    wanted = Ends(ends)
    with _rare_collections():
        while not wanted.reached({it: await consumer.position(it) for it in partitions}):
            for stretch in await consumer.take(_POLL_SECONDS, _PIECE):
                recording.take(stretch)
            told("records the topic", manifest.rows + recording.pending, sum(ends.values()))
        recording.close()
    try:
        await nothing_hidden(consumer, high)
    except EndHiddenError as error:
        raise EndHiddenError(f"{error}: what was recorded is kept, and gone on with") from None
    return place


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
    """Collects columns and writes them to files."""

    def __init__(self, place: Path, manifest: Manifest, name: InputName) -> None:
        self._place, self._manifest, self._name = place, manifest, name
        self._columns = columns_of(name)
        self._next = dict(manifest.next)
        self._left_out = Counter(manifest.left_out)

    @property
    def pending(self) -> int:
        """How many rows are not in a file yet."""
        return int(self._columns.rows)

    def remove_strays(self) -> None:
        """Deletes files that the manifest does not name: their recording was stopped."""
        named = {it["name"] for it in self._manifest.files} | {MANIFEST}
        for path in self._place.iterdir():
            if path.name not in named:
                path.unlink()

    def take(self, stretch: Stretch) -> None:
        """Takes consecutive records of one partition."""
        if stretch.records:
            try:
                values = decode_batch(self._name, stretch.records)
            except NOT_AT_ONCE:
                self._one_by_one(stretch.records)
            else:
                self._columns.add(stretch.records, values)
        self._left_out["unreadable_batch"] += len(stretch.unreadable)
        self._next[str(stretch.partition)] = stretch.end
        if self._columns.rows >= ROWS_A_FILE:
            self.close()

    def _one_by_one(self, records: Records) -> None:
        for one in records:
            if one.value is None:
                if self._name == "category-changes":
                    self._columns.add_tombstone(one)
                continue
            value = decode(self._name, one.value)
            if isinstance(value, Refusal):
                self._left_out[str(value.reason)] += 1
            else:
                self._columns.add([one], [value])

    def close(self) -> None:
        """Writes the collected rows to a file, then the manifest that names it."""
        rows = self._columns.rows
        if rows:
            name = f"part-{len(self._manifest.files) + 1:06}.parquet"
            path = self._place / name
            write(path, self._columns.taken())
            known = {"name": name, "rows": rows, "sha256": digest_of(path)}
            self._manifest.files.append(known)
        self._manifest.next = dict(self._next)
        self._manifest.left_out = {key: n for key, n in self._left_out.items() if n}
        write(self._place / MANIFEST, json.dumps(asdict(self._manifest), indent=1))


class TopicColumns:
    """The columns of a topic's records. `rows`: how many they are."""

    def __init__(self, more: Mapping[str, Any]) -> None:
        import pyarrow

        self.rows = 0
        self._moment = pyarrow.timestamp("us", "UTC")
        whole, text = pyarrow.int64(), pyarrow.string()
        kinds = {"entered_at": whole, "observed_at": whole, "platform": text, "account_id": text}
        self._schema = pyarrow.schema(list({**kinds, **more}.items()))
        self._lists: list[list[Any]] = [[] for _ in self._schema]
        self._groups: list[Any] = []

    def add(self, records: Records, values: list[Any]) -> None:
        """Takes records with their values."""
        entered, seen, platforms, accounts, *more = self._lists
        entered += [it.timestamp for it in records]
        seen += [it.observed_at for it in values]
        platforms += [it.platform for it in values]
        accounts += [it.account_id for it in values]
        self._add_more(values, more)
        self._added(len(values))

    def _add_more(self, values: list[Any], more: list[list[Any]]) -> None:
        raise NotImplementedError

    def _added(self, count: int) -> None:
        self.rows += count
        if len(self._lists[0]) >= ROWS_A_GROUP:
            self._group()

    def _group(self) -> None:
        """Makes Arrow's columns of the lists."""
        import pyarrow

        arrays = [
            self._instants(values)
            if it.name in ("observed_at", "valid_until")
            else pyarrow.array(values, it.type)
            for it, values in zip(self._schema, self._lists, strict=True)
        ]
        self._groups.append(pyarrow.record_batch(arrays, schema=self._schema))
        self._lists = [[] for _ in self._schema]

    def _instants(self, moments: list[Any]) -> Any:
        """Returns milliseconds since 1970, rounded down, of moments with an offset or None."""
        import pyarrow
        from pyarrow import compute

        exact = pyarrow.array(moments, self._moment)
        floored = compute.floor_temporal(exact, unit="millisecond")
        return floored.cast(pyarrow.timestamp("ms", "UTC")).cast(pyarrow.int64())

    def taken(self) -> bytes:
        """Returns all rows as a Parquet file, and forgets them."""
        import pyarrow
        from pyarrow import parquet

        if self._lists[0]:
            self._group()
        table = pyarrow.Table.from_batches(self._groups, self._schema)
        self.rows, self._groups = 0, []
        buffer = pyarrow.BufferOutputStream()
        parquet.write_table(
            table,
            buffer,
            compression="zstd",
            row_group_size=ROWS_A_GROUP,
            use_dictionary=["platform", self._schema.names[-1], self._schema.names[-2]],
        )
        found: bytes = buffer.getvalue().to_pybytes()
        return found


class CountColumns(TopicColumns):
    """The columns of readings."""

    def __init__(self) -> None:
        import pyarrow

        super().__init__({"followers": pyarrow.int64(), "cause": pyarrow.string()})

    def _add_more(self, values: list[DecodedFollowerCount], more: list[list[Any]]) -> None:
        followers, causes = more
        followers += [it.followers for it in values]
        causes += [it.cause for it in values]


class LabelColumns(TopicColumns):
    """The columns of labels."""

    def __init__(self) -> None:
        import pyarrow

        whole, text = pyarrow.int64(), pyarrow.string()
        super().__init__({"category": text, "source": text, "valid_until": whole})

    def _add_more(self, values: list[DecodedCategoryChange], more: list[list[Any]]) -> None:
        categories, sources, ends = more
        categories += [it.category for it in values]
        sources += [it.source for it in values]
        ends += [it.valid_until for it in values]

    def add_tombstone(self, one: Any) -> None:
        """Adds a record without value. It states no time; the time of its append counts."""
        platform, _, account = (one.key or b"").decode(errors="replace").partition(":")
        if account:
            moment = EPOCH + timedelta(milliseconds=one.timestamp)
            row = (one.timestamp, moment, platform, account, None, None, None)
            for values, value in zip(self._lists, row, strict=True):
                values.append(value)
            self._added(1)


def columns_of(name: InputName) -> Any:
    """Returns empty columns of a topic. Raises UsageError if pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401 - the columns are Arrow's
    except ImportError:
        raise UsageError(INSTALL) from None
    return CountColumns() if name == "follower-counts" else LabelColumns()
