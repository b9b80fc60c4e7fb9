"""The tables of one partition number on disk: one RocksDB, written once per transaction.

The changes of all stores, the checkpoint and the changelog offsets up to which the disk is complete
go into one WriteBatch. So the disk always holds the state after some transaction. It is a cache of
the changelogs and may be deleted at any time.
"""

import logging
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
    boot_id,
    delete,
    is_damage,
    judge,
    mark_broken,
    refusal,
    remove_if_marked,
)
from streams.engine.processor import StoreSpec
from streams.log_events import event
from streams.stop_worker import StopWorker

logger = logging.getLogger(__name__)

Change = tuple[bytes, bytes | None]
META = b"\xffmeta"
_FORMAT = 1
ARENA_BLOCK_BYTES = 64 * 1024


class DiskMeta(msgspec.Struct, frozen=True):
    """What the disk holds besides the tables.

    `identity`: cluster, application, partition and stores. `written_at`: seconds UTC.
    `changelog_next`: by store, the changelog offset to read next. `position`: the encoded
    checkpoint. `boot`: the start of the machine in which it was written; empty after a clean close.
    """

    format: int
    identity: str
    written_at: float
    changelog_next: dict[str, int]
    position: bytes | None
    boot: str = ""

    @property
    def whole(self) -> bool:
        """Whether no write before it can be missing.

        If the machine stops, files of RocksDB may lose what came before something that they keep.
        """
        return self.boot in ("", boot_id())


class DiskMemory(NamedTuple):
    """The memory that the databases of all partitions of a worker share."""

    cache: Cache
    write_buffers: WriteBufferManager

    @classmethod
    def of(cls, cache_bytes: int, write_buffer_bytes: int) -> "DiskMemory":
        """Makes it with limits in bytes; a database at the second limit flushes its buffer."""
        return cls(Cache(cache_bytes), WriteBufferManager(write_buffer_bytes, False))


def _options(memory: DiskMemory) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(memory.cache)
    table.set_bloom_filter(10, False)
    # A filter is one block of up to a megabyte. In the cache it would push out data blocks; outside
    # of it the filters take under two bytes per key.
    table.set_cache_index_and_filter_blocks(False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_manager(memory.write_buffers)
    options.set_write_buffer_size(memory.write_buffers.get_buffer_size() // 4)
    options.set_max_write_buffer_number(2)
    # Most look-ups find nothing: a new account has no label yet.
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(0.01)
    # Each partition has buffers, so even a nearly empty one should be small.
    options.set_arena_block_size(ARENA_BLOCK_BYTES)
    # Labels are written seldom and read rarely, so compaction should rewrite data as little as
    # possible: universal compaction does it less often than levelled compaction.
    options.set_compaction_style(DBCompactionStyle.universal())
    options.set_max_background_jobs(2)
    options.set_max_open_files(64)
    options.set_keep_log_file_num(1)
    options.set_compression_type(DBCompressionType.lz4())
    return options


class BrokenDiskError(Exception):
    """The disk cannot be read completely, so the state must be restored from the changelog."""


class PartitionStores:
    """All stores of one partition number. Reads see committed state only.

    `memory`: by store with `in_memory`, a complete copy. `meta`: what the disk states about itself.

    Raises:
        StopWorker: the disk cannot be used before a person has changed something; nothing is
            deleted. Reading and writing raise it too.
    """

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
        self._boot = boot_id()
        self.memory: dict[str, dict[bytes, bytes]] = {s.name: {} for s in specs if s.in_memory}
        self.meta = DiskMeta(_FORMAT, identity, 0.0, {}, None)
        self._db = self._open_or_start_over()

    def _open(self) -> Rdict:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return Rdict(str(self._path), _options(self._disk_memory))

    def _open_or_start_over(self) -> Rdict:
        """Opens the database, and deletes it first if it is marked, damaged or incomplete."""
        try:
            remove_if_marked(self._path)
            return self._open()
        except Exception as error:
            if not is_damage(error):
                raise refusal(self._path, error) from error
            self._tell_broken(error)
        return self._open_anew()

    def _open_anew(self) -> Rdict:
        """Deletes the folder and opens an empty database in its place."""
        try:
            delete(self._path)
            return self._open()
        except Exception as error:
            raise refusal(self._path, error) from error

    def _tell_broken(self, error: Exception) -> None:
        logger.warning(
            "%s is broken and is made anew: %s", self._path, error, extra=event("disk_broken")
        )

    def load_meta(self, max_age_seconds: float) -> bool:
        """Reads the meta record. Returns False, and deletes all data, if the disk cannot be used.

        A disk older than `max_age_seconds` cannot be used: it may hold keys whose tombstones
        compaction has removed from the changelog meanwhile.
        """
        try:
            raw = self._db.get(META)
        except Exception as error:
            if not is_damage(error):
                raise refusal(self._path, error) from error
            self._tell_broken(error)
            self.wipe()
            return False
        if raw is None:
            self._wipe_if_any()
            return False
        try:
            meta = msgspec.json.decode(raw, type=DiskMeta)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Written by another version, or damaged.
            self.wipe()
            return False
        age = time.time() - meta.written_at
        if meta.format != _FORMAT or meta.identity != self._identity or age > max_age_seconds:
            self.wipe()
            return False
        if not meta.whole:
            logger.warning(
                "the machine stopped while %s was in use: it may have a gap, so the changelog is "
                "read instead",
                self._path,
                extra=event("disk_not_used"),
            )
            self.wipe()
            return False
        self.meta = meta
        return True

    def _wipe_if_any(self) -> None:
        if next(iter(self._db.keys()), None) is not None:
            self.wipe()

    def wipe(self) -> None:
        """Deletes all data, on disk and in memory."""
        with suppress(Exception):
            self._db.close()
        self._db = self._open_anew()
        self.meta = DiskMeta(_FORMAT, self._identity, 0.0, {}, None)
        for table in self.memory.values():
            table.clear()

    def reader(self, store: str) -> Callable[[bytes], bytes | None]:
        """Returns a function that reads committed values by key.

        It is valid until the stores are wiped or closed.
        """
        table = self.memory.get(store)
        if table is not None:
            return table.get
        get, prefix, path = self._db.get, self._prefix[store], self._path

        def read(key: bytes) -> bytes | None:
            try:
                return get(prefix + key)  # type: ignore[no-any-return]
            except Exception as error:
                judge(path, error)
                raise

        return read

    def get(self, store: str, key: bytes) -> bytes | None:
        """Returns the committed value of a key, or None."""
        return self.reader(store)(key)

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """Yields all committed keys and values of a store; in key order if it is not in memory."""
        table = self.memory.get(store)
        if table is not None:
            yield from table.items()
            return
        yield from self.items_on_disk(store)

    def items_on_disk(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """Yields all committed keys and values of a store from the disk, in key order.

        Raises:
            BrokenDiskError: the disk cannot be read to its end.
        """
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
        # An iterator ends at an error as at the end of the data.
        try:
            iterator.status()
        except Exception as error:
            judge(self._path, error)
            raise BrokenDiskError(f"{self._path} cannot be read to its end: {error}") from error
        # The meta record has the last key, so a scan that ends before it was not complete.
        if self.meta.changelog_next:
            mark_broken(self._path, Exception("Corruption: a scan ends before the last record"))
            raise BrokenDiskError(f"{self._path} cannot be read to its end")

    def apply(
        self,
        changes: Iterable[tuple[str, Iterable[Change]]],
        position: bytes | None,
        changelog_next: dict[str, int],
    ) -> None:
        """Applies a committed transaction: to memory, and to the disk in one write.

        `position`: the encoded checkpoint; None keeps the last one. `changelog_next`: by store, the
        changelog offset after the transaction.
        """
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for store, pairs in changes:
            prefix = self._prefix[store]
            table = self.memory.get(store)
            for key, value in pairs:
                if value is None:
                    delete(prefix + key)
                    if table is not None:
                        table.pop(key, None)
                else:
                    put(prefix + key, value)
                    if table is not None:
                        table[key] = value
        self.meta = DiskMeta(
            _FORMAT,
            self._identity,
            time.time(),
            {**self.meta.changelog_next, **changelog_next},
            position if position is not None else self.meta.position,
            self._boot,
        )
        batch.put(META, msgspec.json.encode(self.meta))
        try:
            self._db.write(batch, WriteOptions())
        except Exception as error:
            judge(self._path, error)
            raise

    def close(self) -> None:
        """Closes the files. It raises nothing, because the changelogs have all data."""
        try:
            try:
                if self.meta.boot:
                    clean = msgspec.structs.replace(self.meta, boot="")
                    self._db.put(META, msgspec.json.encode(clean))
            finally:
                # An open database cannot be opened again, also not by this process.
                self._db.close()
        except Exception as error:
            with suppress(StopWorker):
                mark_broken(self._path, error)
            logger.warning(
                "%s was not closed cleanly: %s", self._path, error, extra=event("disk_not_closed")
            )
        self.memory.clear()
