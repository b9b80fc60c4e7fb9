"""Stores on a disk of the test, and batches as the consumer hands them out."""

from pathlib import Path

from streams.engine.processor import FetchedBatch, StoreSpec
from streams.engine.stores import DiskMemory, PartitionStores
from tests.core.given import GivenRecord

SPECS = (StoreSpec("a", in_memory=True), StoreSpec("b", in_memory=False))


def opened(path: Path, identity: str = "id") -> PartitionStores:
    """Stores `a`, kept in memory too, and `b`; made if they do not exist."""
    return PartitionStores(path, SPECS, identity, DiskMemory.of(1 << 20, 1 << 22))


def fetched(start: int, end: int, high_water: int = 0) -> FetchedBatch:
    """The records of topic `t`, partition 0, from offset `start` to before `end`."""
    records = [GivenRecord(offset, 0, b"k", b"v") for offset in range(start, end)]
    return FetchedBatch("t", 0, start, end, records, high_water)
