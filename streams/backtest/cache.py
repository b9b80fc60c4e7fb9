"""The cache of readings and labels from Kafka: Parquet files that backtests read again.

recording.py fills it. The cache of a topic is a folder with a manifest. That names the topic and
its cluster, the files with their digests and rows, and the next offset of each partition. A file is
valid once the manifest names it; both are written atomically. So whatever stops a recording, the
next one goes on after the last file. Only known columns are kept, of committed records that a
worker accepts.

One command at a time uses the cache: it holds a lock of the operating system, which ends with its
process in any case.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path

import msgspec

from streams.operate.errors import UsageError

MOST_DAYS = 30
"""How many days a topic's cache is kept after its last recording."""
MANIFEST = "manifest.json"
LOCK = "lock"
FORM = "byline-backtest-cache/2"
PATIENCE_SECONDS = 5.0
"""How long another command that uses the cache is waited for."""
CLEAR = "byline backtest cache clear"
_LOOK_SECONDS = 0.1


@dataclass
class CachedFile:
    """A Parquet file of a topic's cache."""

    name: str
    rows: int
    sha256: str


@dataclass
class Manifest:
    """The manifest of a topic's cache.

    `cluster`, `topic_id`: Kafka's own ids. `begins`: what entered before it (ms) is not recorded;
    None: all is. `next`: the next offset to record, by partition number. `left_out`: records that
    were refused, by reason. `missing`: offsets that hold no record, perhaps by compaction.
    `deleted`: offsets that Kafka deleted before they were recorded. `compacted`: the topic's
    `cleanup.policy` has, or had, `compact`.
    """

    topic: str
    cluster: str
    topic_id: str
    form: str = FORM
    begins: int | None = None
    next: dict[str, int] = field(default_factory=dict)
    files: list[CachedFile] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    deleted: int = 0
    compacted: bool = False

    @property
    def rows(self) -> int:
        """How many records all files have."""
        return sum(it.rows for it in self.files)

    def notes(self) -> list[str]:
        """Returns sentences that say which records of the topic are not there any more."""
        found = []
        if self.compacted and self.missing:
            found.append(
                f"{self.topic} is compacted (cleanup.policy): up to {self.missing:,} records are"
                " gone, older ones of keys with newer ones; dwell, crossings and labels come from"
                " what is left"
            )
        elif self.missing:
            found.append(
                f"{self.topic} holds no record at {self.missing:,} offsets: a producer gave up"
                " their transaction, or compaction removed them, and then dwell, crossings and"
                " labels come from what is left"
            )
        if self.deleted:
            found.append(
                f"{self.topic}: Kafka deleted up to {self.deleted:,} records after one run and"
                " before the next could record them"
            )
        return found


class Cache:
    """A folder with the caches of topics, which only its owner may enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, topic: str, cluster: str) -> Path:
        """Returns the folder of the cache of a topic of a cluster."""
        mark = hashlib.sha256(cluster.encode()).hexdigest()[:12]
        return self._folder / f"{topic}-{mark}"

    @contextmanager
    def held(self, command: str, *, wait: bool = True) -> Iterator[None]:
        """Keeps all other commands from the cache until the block ends.

        `command`: what to tell them. Raises UsageError if another one has it for longer than
        PATIENCE_SECONDS, or at all unless it is to `wait`.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder.chmod(0o700)
            lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be used ({error.strerror})") from error
        try:
            until = time.monotonic() + (PATIENCE_SECONDS if wait else 0)
            while not _locked(lock):
                if time.monotonic() >= until:
                    raise UsageError(
                        f"{_said(lock)} uses the cache of backtests: run this again when that has"
                        " ended"
                    )
                time.sleep(_LOOK_SECONDS)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"`{command}` (process {os.getpid()})".encode(), 0)
            yield
        finally:
            os.close(lock)

    def entries(self) -> list[tuple[Path, Manifest | UsageError]]:
        """Returns folder and manifest of each topic's cache, by folder.

        An error stands in the place of a manifest that cannot be read.
        """
        found: list[tuple[Path, Manifest | UsageError]] = []
        for place in self._places():
            try:
                found.append((place, read_manifest(place / MANIFEST)))
            except UsageError as error:
                found.append((place, error))
        return found

    def expire(self, now_seconds: float) -> int:
        """Deletes caches that were not recorded into for MOST_DAYS; returns how many.

        It deletes nothing while a command uses the cache, and passes over what it cannot delete.
        """

        def old() -> list[Path]:
            return [it for it in self._places() if now_seconds - _recorded(it) > MOST_DAYS * 86_400]

        count = 0
        with suppress(OSError, UsageError):
            if old():
                with self.held("byline backtest", wait=False):
                    for place in old():
                        shutil.rmtree(place, ignore_errors=True)
                        count += not place.exists()
        return count

    def clear(self) -> int:
        """Deletes all caches, readable or not; returns how many there were.

        Raises UsageError if a command uses the cache, or if one cannot be deleted.
        """
        if not self._folder.is_dir():
            return 0
        with self.held(CLEAR):
            places = self._places()
            try:
                for place in places:
                    shutil.rmtree(place)
            except OSError as error:
                what = f"{error.filename} cannot be deleted ({error.strerror})"
                raise UsageError(what) from error
        return len(places)

    def _places(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(it for it in self._folder.iterdir() if it.is_dir())


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UsageError(
            f"the cache of backtests cannot be locked ({error.strerror}): BYLINE_DATA_DIR has to"
            " name a folder on a file system with locks"
        ) from error
    return True


def _said(lock: int) -> str:
    """Returns what the command that has the lock wrote into its file."""
    return os.pread(lock, 10_000, 0).decode(errors="replace") or "another command"


def _recorded(place: Path) -> float:
    """Returns when a topic was last recorded (seconds), even if that was stopped early."""
    try:
        return (place / MANIFEST).stat().st_mtime
    except OSError:
        return place.stat().st_mtime


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest. Raises UsageError if it is none of this version."""
    try:
        plain = json.loads(path.read_text())
        if plain["form"] != FORM:
            raise ValueError("another form")
        unknown = plain.keys() - {it.name for it in fields(Manifest)}
        if unknown:
            raise ValueError(f"{min(unknown)} is unknown")
        return msgspec.convert(plain, Manifest)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise UsageError(
            f"{path}: not a manifest of this version ({error}): `{CLEAR}` removes the cache, and it"
            " is recorded anew"
        ) from None


def verify(place: Path, manifest: Manifest) -> None:
    """Checks the digest of every file. Raises UsageError if one differs."""
    for it in manifest.files:
        path = place / it.name
        if not path.exists() or digest_of(path) != it.sha256:
            raise UsageError(
                f"{path} is not what was recorded: `{CLEAR}` removes the cache, and it is recorded"
                " anew"
            )


def digest_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
