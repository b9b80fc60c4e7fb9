"""The cache of readings and labels from Kafka: Parquet files that backtests read again.

recording.py fills it. The cache of a topic is a folder with a manifest. That names the topic and
its cluster, the files with their digests and rows, and the next offset of each partition. A file is
valid once the manifest names it; both are written atomically. So whatever stops a recording, the
next one goes on after the last file. Only known columns are kept, of committed records that can be
decoded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.operate.errors import UsageError

MOST_DAYS = 30
"""How many days a topic's cache is kept after its last recording."""
MANIFEST = "manifest.json"
FORM = "byline-backtest-cache/1"


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
