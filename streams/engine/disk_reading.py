"""Reads a partition's tables from the disk of a stopped worker, without changing them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rocksdict import AccessType, Options, Rdict, ReadOptions

from streams.engine.checkpoint import Checkpoint, decode_checkpoint
from streams.engine.stores import META, DiskMeta


@dataclass(frozen=True, slots=True)
class Disk:
    """The content of a disk as of its last transaction. `state`: by store, values by key."""

    path: Path
    checkpoint: Checkpoint
    state: dict[str, dict[bytes, bytes]]


def read_disk(path: Path, stores: list[str]) -> Disk | None:
    """Reads the tables in a folder.

    Returns None if they are unreadable, may have a gap or have no checkpoint.

    `stores`: the names of the stores, in the order of the processor's spec.
    """
    try:
        # rocksdict has no exception class that could be caught instead.
        db = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception:
        return None
    try:
        return _read(path, db, stores)
    except Exception:
        return None
    finally:
        db.close()


def _read(path: Path, db: Any, stores: list[str]) -> Disk | None:
    raw = db.get(META)
    meta = None if raw is None else msgspec.json.decode(raw, type=DiskMeta)
    if meta is None or meta.position is None or not meta.whole:
        return None
    state: dict[str, dict[bytes, bytes]] = {store: {} for store in stores}
    iterator, seen_meta = db.iter(ReadOptions()), False
    iterator.seek_to_first()
    while iterator.valid():
        key: bytes = iterator.key()
        if key == META:
            seen_meta = True
        else:
            state[stores[key[0]]][key[1:]] = iterator.value()
        iterator.next()
    # The meta record has the last key; a scan that ends before it means a failing disk.
    return Disk(path, decode_checkpoint(meta.position), state) if seen_meta else None
