"""The doctor's looks at this machine: libraries, policy files, data folder, open files."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from streams.doctor.looks import Finding, well, wrong
from streams.engine.disk_faults import file_shortage
from streams.engine.libraries import PINNED, wrong_libraries
from streams.policies import PolicyFaults, load_policies
from streams.policies.warnings import warnings
from streams.settings import Settings

LEAST_FREE_BYTES = 1 << 30
"""With less free space a worker has no room for the log and the state of a busy day."""
PRIVATE = 0o700
MEGABYTE = 1_000_000


def libraries() -> Iterator[Finding]:
    """Checks the versions of libraries whose private parts Byline uses: only one was tested."""
    faults = wrong_libraries()
    for words in faults:
        yield wrong(words, "install what requirements-runtime.lock says")
    if not faults:
        yield well(", ".join(f"{name} {version}" for name, version in PINNED.items()))


def policies(settings: Settings, now: int) -> Iterator[Finding]:
    """Loads the policy files as a worker would. `now`: ms since 1970."""
    try:
        found = load_policies(
            settings.policies, require_approvals=settings.require_approvals, now=now
        )
    except PolicyFaults as refused:
        for fault in refused.faults:
            yield wrong(f"{fault.file}:{fault.line}: {fault.message}", fault.fix)
        if refused.more:
            yield wrong(f"and {refused.more} more", "`byline policy check` names them")
        return
    slips = sum(len(list(warnings(policy))) for policy in found.values())
    more = f"; warnings of `byline policy check`: {slips}" if slips else ""
    yield well(f"{settings.policies}: {', '.join(found)}{more}")


def data_folder(folder: Path) -> Iterator[Finding]:
    """Checks that the data folder exists, is owned by us, private and writable, and has room."""
    try:
        state = folder.stat()
    except FileNotFoundError:
        yield from _to_be_made(folder)
        return
    except OSError as error:
        yield wrong(f"{folder}: {_words(error)}", _NAME_ANOTHER)
        return
    if not stat.S_ISDIR(state.st_mode):
        yield wrong(f"{folder} is no directory", _NAME_ANOTHER)
        return
    faults = [*_faults_of_mode(folder, state), *_faults_of_writing(folder)]
    faults += _faults_of_space(folder, _held_bytes(folder))
    yield from faults
    if not faults:
        free = shutil.disk_usage(folder).free // MEGABYTE
        yield well(f"{folder}: writable, mode 0700, {free:,} MB free")


_NAME_ANOTHER = "BYLINE_DATA_DIR has to name a directory that this user may write to"


def _to_be_made(folder: Path) -> Iterator[Finding]:
    parent = next(it for it in folder.parents if it.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        yield wrong(f"{folder} is not there and cannot be made in {parent}", _NAME_ANOTHER)
        return
    faults = list(_faults_of_space(parent, 0))
    yield from faults or [well(f"{folder} is not there yet; a worker makes it")]


def _faults_of_mode(folder: Path, state: os.stat_result) -> Iterator[Finding]:
    mode = stat.S_IMODE(state.st_mode)
    if mode & ~PRIVATE & 0o777:
        yield wrong(
            f"{folder} has mode {mode:04o}: others on this machine may read what is kept there",
            f"chmod 700 {folder}",
        )
    if state.st_uid != os.geteuid():
        yield wrong(
            f"{folder} belongs to user {state.st_uid}, this is user {os.geteuid()}",
            "run as its owner, or give it to this user with chown -R",
        )


def _faults_of_writing(folder: Path) -> Iterator[Finding]:
    """Writes a temporary file: modes and owner do not show a file system mounted read-only."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        yield wrong(f"{folder} cannot be written to: {_words(error)}", _NAME_ANOTHER)


def _faults_of_space(folder: Path, held_bytes: int) -> Iterator[Finding]:
    """Checks the free space. RocksDB writes merged files before it deletes the old ones.

    So as much as the folder holds must be free.
    """
    free, needed = shutil.disk_usage(folder).free, max(LEAST_FREE_BYTES, held_bytes)
    if free < needed:
        yield wrong(
            f"{free // MEGABYTE:,} MB are free for {folder}, {needed // MEGABYTE:,} MB are needed"
            " (1 GiB, or as much again as it holds)",
            "free the disk, or move BYLINE_DATA_DIR: what is kept there is made anew from Kafka",
        )


def _held_bytes(folder: Path) -> int:
    held = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # RocksDB may delete a file while the folder is read.
            try:
                held += Path(parent, name).lstat().st_size
            except OSError:
                continue
    return held


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def open_files(partitions: int) -> Iterator[Finding]:
    """Checks the hard limit of open files; a worker raises the soft limit by itself."""
    shortage = file_shortage(partitions)
    if shortage is not None:
        yield wrong(shortage, "raise the hard limit (ulimit -Hn, LimitNOFILE of systemd)")
    else:
        yield well(f"enough where one worker has all {partitions} partitions")
