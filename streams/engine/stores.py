"""The tables of one partition number on disk: one RocksDB, written once a transaction.

The changes of all stores, the position and the changelog offsets they correspond to go into a
single WriteBatch, so the disk is always some transaction's exact outcome. It is a cache of the
changelogs: what is wrong with it is cured by deleting it.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompactionStyle,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.engine.disk_faults import (
    is_corrupt,
    is_shortage,
    mark_broken,
    refusal,
    remove_if_marked,
)
from streams.engine.processor import StoreSpec

logger = logging.getLogger(__name__)

Change = tuple[bytes, bytes | None]
META = b"\xffmeta"
_FORMAT = 1
ARENA_BLOCK_BYTES = 64 * 1024


class DiskMeta(msgspec.Struct, frozen=True):
    """The state that the disk holds: for each store the changelog offset to read on from."""

    format: int
    identity: str
    written_at: float
    changelog_next: dict[str, int]
    position: bytes | None


class DiskMemory(NamedTuple):
    """The memory that the databases of all partitions of a worker share."""

    cache: Cache
    write_buffers: WriteBufferManager

    @classmethod
    def of(cls, cache_bytes: int, write_buffer_bytes: int) -> "DiskMemory":
        """With these limits; a database that would exceed the second writes its buffer out."""
        return cls(Cache(cache_bytes), WriteBufferManager(write_buffer_bytes, False))


def _options(memory: DiskMemory) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(memory.cache)
    table.set_bloom_filter(10, False)
    # A filter is one block, soon of a megabyte: in the cache it would be read and checked for each
    # key, and push out what is wanted. Kept aside they take under two bytes a key.
    table.set_cache_index_and_filter_blocks(False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_manager(memory.write_buffers)
    options.set_write_buffer_size(memory.write_buffers.get_buffer_size() // 4)
    options.set_max_write_buffer_number(2)
    # Most keys that are asked for are not there: a new account has no label yet.
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(0.01)
    # What a nearly empty buffer takes counts too, of each partition.
    options.set_arena_block_size(ARENA_BLOCK_BYTES)
    # Each label is written once or seldom and looked for rarely: what is merged by size is written
    # over less often than what is merged level by level.
    options.set_compaction_style(DBCompactionStyle.universal())
    options.set_max_background_jobs(2)
    options.set_max_open_files(64)
    options.set_keep_log_file_num(1)
    options.set_compression_type(DBCompressionType.lz4())
    return options


class BrokenDiskError(Exception):
    """What the disk holds cannot be read whole. It is a cache: start over from the changelog."""


class PartitionStores:
    """All stores of one partition number. Reads see committed state only."""

    def __init__(
        self,
        path: Path,
        specs: tuple[StoreSpec, ...],
        identity: str,
        memory: DiskMemory,
    ) -> None:
        self._path = path
        self._specs = specs
        self._identity = identity
        self._prefix = {spec.name: bytes((index,)) for index, spec in enumerate(specs)}
        self._disk_memory = memory
        self.memory: dict[str, dict[bytes, bytes]] = {s.name: {} for s in specs if s.in_memory}
        self.meta = DiskMeta(_FORMAT, identity, 0.0, {}, None)
        self._db = self._open_or_start_over()

    def _open(self) -> Rdict:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return Rdict(str(self._path), _options(self._disk_memory))

    def _open_or_start_over(self) -> Rdict:
        """A disk that RocksDB calls corrupt is deleted; one that is full or forbidden is not.

        Raises `StopWorker` for the latter.
        """
        remove_if_marked(self._path)
        try:
            return self._open()
        except Exception as error:
            if is_shortage(error):
                raise refusal(self._path, error) from error
            if not is_corrupt(error):
                raise
            logger.warning("%s is broken and is made anew: %s", self._path, error)
            shutil.rmtree(self._path, ignore_errors=True)
            return self._open()

    def load_meta(self, max_age_seconds: float) -> bool:
        """Read the disk's meta record. Returns False and wipes the disk if it cannot be used.

        A disk older than `max_age_seconds` may hold keys whose deletion has meanwhile been
        compacted out of the changelog, so it must not be continued.
        """
        try:
            raw = self._db.get(META)
        except Exception as error:
            if not is_corrupt(error):
                raise
            logger.warning("%s is broken and is made anew: %s", self._path, error)
            self.wipe()
            return False
        if raw is None:
            self._wipe_if_any()
            return False
        try:
            meta = msgspec.json.decode(raw, type=DiskMeta)
        except msgspec.DecodeError:
            # Of another version, or damaged: in either case of no use.
            self.wipe()
            return False
        age = time.time() - meta.written_at
        if meta.format != _FORMAT or meta.identity != self._identity or age > max_age_seconds:
            self.wipe()
            return False
        self.meta = meta
        return True

    def _wipe_if_any(self) -> None:
        if next(iter(self._db.keys()), None) is not None:
            self.wipe()

    def wipe(self) -> None:
        """Start over with an empty disk."""
        with suppress(Exception):
            self._db.close()
        shutil.rmtree(self._path, ignore_errors=True)
        self._db = self._open()
        self.meta = DiskMeta(_FORMAT, self._identity, 0.0, {}, None)
        for table in self.memory.values():
            table.clear()

    def reader(self, store: str) -> Callable[[bytes], bytes | None]:
        """A function from key to committed value, valid until the stores are wiped or closed."""
        table = self.memory.get(store)
        if table is not None:
            return table.get
        get, prefix, path = self._db.get, self._prefix[store], self._path

        def read(key: bytes) -> bytes | None:
            try:
                return get(prefix + key)  # type: ignore[no-any-return]
            except Exception as error:
                mark_broken(path, error)
                raise

        return read

    def get(self, store: str, key: bytes) -> bytes | None:
        """The committed value."""
        return self.reader(store)(key)

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """All committed keys and values of a store, in key order when it is not in memory."""
        table = self.memory.get(store)
        if table is not None:
            yield from table.items()
            return
        yield from self.items_on_disk(store)

    def items_on_disk(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """The same, from the disk. Raises `BrokenDiskError` when that cannot be read to its end."""
        prefix = self._prefix[store]
        once = ReadOptions()
        once.fill_cache(False)
        iterator = self._db.iter(once)
        iterator.seek(prefix)
        while iterator.valid():
            key: bytes = iterator.key()
            if key[:1] != prefix:
                return
            yield key[1:], iterator.value()
            iterator.next()
        # Behind the last store lies the meta record: only a disk that fails ends before it.
        if self.meta.changelog_next:
            mark_broken(self._path, Exception("Corruption: a scan ends before the last record"))
            raise BrokenDiskError(f"{self._path} cannot be read to its end")

    def apply(
        self,
        changes: Iterable[tuple[str, Iterable[Change]]],
        position: bytes | None,
        changelog_next: dict[str, int],
    ) -> None:
        """Make a transaction's outcome visible: in memory, and on disk in one write."""
        batch = WriteBatch(raw_mode=True)
        for store, pairs in changes:
            prefix = self._prefix[store]
            table = self.memory.get(store)
            for key, value in pairs:
                if value is None:
                    batch.delete(prefix + key)
                    if table is not None:
                        table.pop(key, None)
                else:
                    batch.put(prefix + key, value)
                    if table is not None:
                        table[key] = value
        self.meta = DiskMeta(
            _FORMAT,
            self._identity,
            time.time(),
            {**self.meta.changelog_next, **changelog_next},
            position if position is not None else self.meta.position,
        )
        batch.put(META, msgspec.json.encode(self.meta))
        try:
            self._db.write(batch, WriteOptions())
        except Exception as error:
            mark_broken(self._path, error)
            raise

    def close(self) -> None:
        """Close the files. Data that cannot be written any more is in the changelogs."""
        try:
            self._db.close()
        except Exception as error:
            mark_broken(self._path, error)
            logger.warning("%s was not closed cleanly: %s", self._path, error)
        self.memory.clear()
