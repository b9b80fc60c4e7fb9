"""A folder that a fault met before RocksDB had made its first files is empty, and no breach."""

from pathlib import Path

from schemas.topics import STORES
from streams.engine.processor import StoreSpec
from streams.engine.stores import DiskMemory, PartitionStores
from tests.chaos.disks import _contents

SPECS = tuple(StoreSpec(name, in_memory=False) for name in STORES)


def _opened(folder: Path) -> PartitionStores:
    return PartitionStores(folder, SPECS, "0", DiskMemory.of(1 << 20, 1 << 20))


def test_given_a_disk_that_was_full_at_the_opening_then_it_is_empty_and_can_be_opened(
    tmp_path: Path,
) -> None:
    """A file system of 4 KiB left the manifest and no CURRENT, which is written last."""
    folder = tmp_path / "partition-3"
    _opened(folder).close()
    (folder / "CURRENT").unlink()
    assert _contents(folder) is None
    stores = _opened(folder)
    assert not stores.load_meta(3600)
    stores.apply([(STORES[0], [(b"weibo:a1", b"state")])], b"position", {STORES[0]: 1})
    stores.close()
    found = _contents(folder)
    assert found is not None
    assert found[1][STORES[0]] == {b"weibo:a1": b"state"}
