"""RocksDB opens a file at each flush and closes several when it merges them: they stay bounded."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import Options

from streams.engine import stores
from streams.engine.processor import StoreSpec
from streams.engine.stores import DiskMemory, PartitionStores

DATABASES = 4
MOST_FILES = 12
"""Of one database: log, lock, manifest, write-ahead logs, and the tables that are not merged."""
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


def counted(folder: Path, transactions: int) -> list[int]:
    """The files that are open after each ten of so many transactions, 12 KB each."""
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
            found.append(open_files(folder))
    for it in open_ones:
        it.close()
    assert open_files(folder) == 0
    return found


def grown(found: list[int]) -> float:
    """By what the fewest files of the last quarter are more than the fewest of the second.

    The fewest, for merging waits where a neighbour has the processor, and is made up for.
    """
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
    found = counted(tmp_path, 3_000)
    assert max(found) > DATABASES * MOST_FILES
    assert grown(found) > 1.5
