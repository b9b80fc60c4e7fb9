"""Records readings and labels from Kafka as Parquet files, so that backtests can read them again.

The cache of a topic is a folder with a manifest. That names the topic and its cluster, the files
with their digests and rows, and the next offset of each partition. A file is valid once the
manifest names it; both are written atomically. So whatever stops a recording, the next one goes on
after the last file. Only known columns are kept, of committed records that can be decoded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from schemas.inputs import InputName
from streams.backtest.columns import INSTALL
from streams.backtest.files import write
from streams.core.inputs.decode import CategoryChange, FollowerCount, decode
from streams.core.inputs.plain import Refusal
from streams.core.model.instants import milliseconds
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.metadata import view_topics
from streams.kafka.stretches import Stretch
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import EndHiddenError, UsageError

ROWS_A_FILE = 1_000_000
MOST_DAYS = 30
"""How many days a topic's cache is kept after its last recording."""
MANIFEST = "manifest.json"
FORM = "byline-backtest-cache/1"
_POLL_SECONDS = 0.3
_PIECE = 20_000

Told = Callable[[str, int, int], None]


@dataclass
class Manifest:
    """The manifest of a topic's cache.

    `cluster`, `topic_id`: Kafka's own ids. `next`: the next offset to record, by partition number.
    `files`: name, rows and SHA-256 of each. `left_out`: records not recorded, by reason.
    """

    topic: str
    cluster: str
    topic_id: str
    form: str = FORM
    next: dict[str, int] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many records all files have."""
        return sum(it["rows"] for it in self.files)


class Cache:
    """A folder with the caches of topics, which only its owner may enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, topic: str, cluster: str) -> Path:
        """Returns the folder of the cache of a topic of a cluster."""
        mark = hashlib.sha256(cluster.encode()).hexdigest()[:12]
        return self._folder / f"{topic}-{mark}"

    def manifests(self) -> list[tuple[Path, Manifest]]:
        """Returns folder and manifest of each topic's cache, by folder. Raises UsageError."""
        found = sorted(self._folder.glob(f"*/{MANIFEST}")) if self._folder.is_dir() else []
        return [(it.parent, read_manifest(it)) for it in found]

    def expire(self, now_seconds: float) -> int:
        """Deletes caches that were not recorded into for MOST_DAYS; returns how many."""
        old = [
            place
            for place, _ in self.manifests()
            if now_seconds - (place / MANIFEST).stat().st_mtime > MOST_DAYS * 86_400
        ]
        for place in old:
            shutil.rmtree(place)
        return len(old)

    def clear(self) -> int:
        """Deletes all caches; returns how many there were."""
        known = self.manifests()
        if self._folder.is_dir():
            shutil.rmtree(self._folder)
        return len(known)


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest. Raises UsageError if it is none of this version."""
    try:
        plain = json.loads(path.read_text())
        if plain["form"] != FORM:
            raise ValueError("another form")
        return Manifest(**plain)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: not a manifest of this version ({error}): `byline backtest cache clear`"
            " removes the cache, and it is recorded anew"
        ) from None


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


def verify(place: Path, manifest: Manifest) -> None:
    """Checks the digest of every file. Raises UsageError if one differs."""
    for it in manifest.files:
        path = place / it["name"]
        if not path.exists() or digest_of(path) != it["sha256"]:
            raise UsageError(
                f"{path} is not what was recorded: `byline backtest cache clear` removes the"
                " cache, and it is recorded anew"
            )


def digest_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Recording:
    """Collects rows and writes them to files."""

    def __init__(self, place: Path, manifest: Manifest, name: InputName) -> None:
        self._place, self._manifest, self._name = place, manifest, name
        self._rows: list[tuple[Any, ...]] = []
        self._next = dict(manifest.next)
        self._left_out = Counter(manifest.left_out)

    @property
    def pending(self) -> int:
        """How many rows are not in a file yet."""
        return len(self._rows)

    def remove_strays(self) -> None:
        """Deletes files that the manifest does not name: their recording was stopped."""
        named = {it["name"] for it in self._manifest.files} | {MANIFEST}
        for path in self._place.iterdir():
            if path.name not in named:
                path.unlink()

    def take(self, stretch: Stretch) -> None:
        """Takes consecutive records of one partition."""
        for one in stretch.records:
            self._take(one)
        self._left_out["unreadable_batch"] += len(stretch.unreadable)
        self._next[str(stretch.partition)] = stretch.end
        if len(self._rows) >= ROWS_A_FILE:
            self.close()

    def _take(self, one: Any) -> None:
        if one.value is None:
            platform, _, account = (one.key or b"").decode(errors="replace").partition(":")
            if self._name == "category-changes" and account:
                # A tombstone has no time of its own.
                at = one.timestamp
                self._rows.append((at, at, platform, account, None, None, None))
            return
        value = decode(self._name, one.value)
        if isinstance(value, Refusal):
            self._left_out[str(value.reason)] += 1
        elif isinstance(value, FollowerCount):
            at, cause = milliseconds(value.observed_at), str(value.cause)
            self._rows.append(
                (one.timestamp, at, value.platform, value.account_id, value.followers, cause)
            )
        elif isinstance(value, CategoryChange):
            end = None if value.valid_until is None else milliseconds(value.valid_until)
            at, source = milliseconds(value.observed_at), str(value.source)
            who = (value.platform, value.account_id)
            self._rows.append((one.timestamp, at, *who, value.category, source, end))

    def close(self) -> None:
        """Writes the collected rows to a file, then the manifest that names it."""
        if self._rows:
            name = f"part-{len(self._manifest.files) + 1:06}.parquet"
            write_rows(self._place / name, self._name, self._rows)
            path = self._place / name
            known = {"name": name, "rows": len(self._rows), "sha256": digest_of(path)}
            self._manifest.files.append(known)
            self._rows = []
        self._manifest.next = dict(self._next)
        self._manifest.left_out = {key: n for key, n in self._left_out.items() if n}
        write(self._place / MANIFEST, json.dumps(asdict(self._manifest), indent=1))


def write_rows(path: Path, name: InputName, rows: list[tuple[Any, ...]]) -> None:
    """Writes a Parquet file atomically. Raises UsageError if pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(INSTALL) from None
    whole, text = pyarrow.int64(), pyarrow.string()
    kinds: Mapping[str, Any] = {"entered_at": whole, "observed_at": whole, "platform": text}
    kinds = {**kinds, "account_id": text}
    if name == "follower-counts":
        kinds = {**kinds, "followers": whole, "cause": text}
    else:
        kinds = {**kinds, "category": text, "source": text, "valid_until": whole}
    columns = zip(*rows, strict=True)
    arrays = [
        pyarrow.array(column, kind) for column, kind in zip(columns, kinds.values(), strict=True)
    ]
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(arrays, names=list(kinds)), buffer, compression="zstd")
    write(path, buffer.getvalue().to_pybytes())
