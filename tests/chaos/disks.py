"""Every RocksDB that a run left behind must be a fold of the changelog, up to where it says."""

from pathlib import Path

import msgspec
from rocksdict import AccessType, Options, Rdict, ReadOptions

from schemas.topics import STORES
from streams.engine.stores import META, DiskMeta
from tests.chaos.book import Book
from tests.chaos.grounds import MAX_WORKERS, ChaosSite


def check_disks(book: Book, site: ChaosSite, counts: dict[str, int]) -> list[str]:
    """Breaches of all partitions on all disks; the workers must have ended."""
    breaches: list[str] = []
    seen = current = 0
    for number in range(MAX_WORKERS):
        for path in sorted(site.disk(number).glob("*/*/state/partition-*")):
            found = _contents(path)
            if found is None:
                continue
            meta, tables = found
            seen += 1
            partition = int(path.name.rpartition("-")[2])
            breaches += _compare(book, f"worker {number}", partition, meta, tables)
            ends = (book.high[f"byline-{store}-changelog", partition] for store in STORES)
            known = (meta.changelog_next.get(store, 0) for store in STORES)
            # Behind the last record of a changelog there is its commit marker.
            current += all(at >= end - 1 for at, end in zip(known, ends, strict=True))
    counts["disks compared"] = seen
    counts["disks at the end of the changelog"] = current
    return breaches


def _contents(path: Path) -> tuple[DiskMeta, dict[str, dict[bytes, bytes]]] | None:
    if not (path / "CURRENT").exists():
        # The disk was full, or the worker killed, before this became a database.
        return None
    db = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
    try:
        raw = db.get(META)
        if raw is None:
            return None
        tables: dict[str, dict[bytes, bytes]] = {store: {} for store in STORES}
        iterator = db.iter(ReadOptions())
        iterator.seek_to_first()
        while iterator.valid():
            key: bytes = iterator.key()
            if key != META:
                tables[STORES[key[0]]][key[1:]] = iterator.value()
            iterator.next()
        return msgspec.json.decode(raw, type=DiskMeta), tables
    finally:
        db.close()


def _compare(
    book: Book, where: str, partition: int, meta: DiskMeta, tables: dict[str, dict[bytes, bytes]]
) -> list[str]:
    breaches = []
    for store in STORES:
        fold = book.fold(store, partition, meta.changelog_next.get(store, 0))
        position = fold.pop(b"#next", None)
        if store == STORES[0] and position != meta.position:
            breaches.append(f"{where}, partition {partition}: another position than its changelog")
        if fold != tables[store]:
            wrong = [
                key
                for key in fold.keys() | tables[store].keys()
                if fold.get(key) != tables[store].get(key)
            ]
            breaches.append(
                f"{where}, partition {partition}, {store}: {len(wrong)} keys are not as in the"
                f" changelog, as {wrong[0]!r}"
            )
    return breaches
