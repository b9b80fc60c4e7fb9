"""RocksDB opens a file at each flush and closes several when it merges them: they stay bounded."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import Options

from streams.engine import stores
from streams.engine.processor import StoreSpec
from streams.engine.stores import DiskMemory, PartitionStores
from tests.engine.harness import wait_until

DATABASES = 4
MOST_FILES = 12
"""Of one database: log, lock, manifest, write-ahead logs, and the tables that are not merged."""
WORK = (
    *("mem-table-flush-pending", "num-running-flushes"),
    *("compaction-pending", "num-running-compactions"),
)
SPECS = (StoreSpec("accounts", in_memory=False),)
KEYS = [b"weibo:a%d" % number for number in range(400)]


def open_files(folder: Path) -> int:
    """How many descriptors of this process are files below a folder."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            found += str(path.readlink()).startswith(f"{folder}/")
        except OSError:
            continue
    return found


def merging(stores: PartitionStores) -> bool:
    """Whether RocksDB has still to merge: where a neighbour has the processor, that waits."""
    return any(stores._db.property_int_value(f"rocksdb.{name}") for name in WORK)


def counted(folder: Path, transactions: int, *, merged: bool = True) -> list[int]:
    """The files that are open after each ten of so many transactions, 12 KB each.

    `merged`: what is to be merged then is waited for.
    """
    memory, chance = DiskMemory.of(1 << 20, 1 << 20), random.Random(1)
    open_ones = [
        PartitionStores(folder / str(number), SPECS, str(number), memory)
        for number in range(DATABASES)
    ]
    found = []
    for number in range(transactions):
        changes = [(key, chance.randbytes(300)) for key in chance.sample(KEYS, 40)]
        open_ones[number % DATABASES].apply([("accounts", changes)], None, {})
        if number % 10 == 0:
            for it in open_ones if merged else ():
                wait_until(lambda it=it: not merging(it), 20, "merged", every=0.001)
            found.append(open_files(folder))
    for it in open_ones:
        it.close()
    assert open_files(folder) == 0
    return found


def grown(found: list[int]) -> float:
    """By what the fewest files of the last quarter are more than the fewest of the second."""
    quarter = len(found) // 4
    return min(found[-quarter:]) / min(found[quarter : 2 * quarter])


@pytest.mark.slow
def test_a_store_that_is_written_for_ever_opens_no_more_files(tmp_path: Path) -> None:
    found = counted(tmp_path, 12_000)
    assert grown(found) <= 1.05
    assert max(found) <= DATABASES * MOST_FILES


@pytest.mark.slow
def test_without_merging_it_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped: Callable[[DiskMemory], Options] = stores._options

    def unmerged(memory: DiskMemory) -> Options:
        options = shipped(memory)
        options.set_disable_auto_compactions(True)
        return options

    monkeypatch.setattr(stores, "_options", unmerged)
    found = counted(tmp_path, 3_000, merged=False)
    assert max(found) > DATABASES * MOST_FILES
    assert grown(found) > 1.5
