"""Tells disk faults apart, and reacts to them.

The tables on disk are a cache of the changelogs, so corrupt ones are deleted and built again. If
they cannot be opened because file descriptors, space or permissions are missing, they are intact
and are never deleted. RocksDB reports both kinds only as text, and some of both as "Invalid
argument".
"""

import logging
import resource
import shutil
from pathlib import Path

from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

logger = logging.getLogger(__name__)

# Texts of RocksDB's messages if a resource or a permission is missing.
SHORTAGES = (
    "Too many open files",
    "No space left",
    "Permission denied",
    "Read-only file system",
    "Disk quota exceeded",
    "Cannot allocate memory",
    "No locks available",
    "lock hold by",
    "Resource temporarily unavailable",
)
FILES_OF_A_WORKER = 300
FILES_OF_A_PARTITION = 9
"""Open files per partition. Measured: 200 partitions take 1,625 descriptors."""
MOST_FILES = 1_048_576


def is_corrupt(error: BaseException) -> bool:
    """Whether RocksDB reports damaged data, and not a shortage of the machine."""
    text = str(error)
    return text.startswith(("Corruption", "Invalid argument")) and not is_shortage(error)


def is_shortage(error: BaseException) -> bool:
    """Whether file descriptors, space or permissions are missing, so that a person must act."""
    return any(word in str(error) for word in SHORTAGES)


def refusal(path: Path, error: BaseException) -> StopWorker:
    """Makes the error for a missing resource or permission."""
    return StopWorker(
        f"the state in {path} cannot be opened: {error}. It is left as it is. Free room or raise "
        "the limit that is named, and start again",
        ExitCode.PERSON,
    )


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.broken")


def mark_broken(path: Path, error: BaseException) -> None:
    """Marks the folder as damaged, if the error says so; the next start deletes it."""
    if is_corrupt(error):
        logger.error(
            "%s is damaged and is made anew at the next start: %s",
            path,
            error,
            extra=event("state_damaged"),
        )
        _mark_of(path).write_text(str(error))


def remove_if_marked(path: Path) -> None:
    """Deletes a folder that is marked as damaged."""
    mark = _mark_of(path)
    if mark.exists():
        logger.warning(
            "%s was found damaged and is made anew: %s",
            path,
            mark.read_text(),
            extra=event("state_damaged_made_anew"),
        )
        shutil.rmtree(path, ignore_errors=True)
        mark.unlink()


def _most_files() -> int:
    """How many files may be open once the soft limit is raised as far as allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if hard == resource.RLIM_INFINITY else hard


def file_shortage(partitions: int) -> str | None:
    """What is wrong with the limit of open files for so many partitions; None if it is enough."""
    most, needed = _most_files(), FILES_OF_A_WORKER + FILES_OF_A_PARTITION * partitions
    if most >= needed:
        return None
    return (
        f"at most {most} files may be open, {needed} are needed where one worker has all"
        f" {partitions} partitions"
    )


def raise_file_limit(partitions: int) -> None:
    """Raises the limit of open files to the hard limit, and warns if that is not enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _most_files()
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    shortage = file_shortage(partitions)
    if shortage is not None:
        logger.warning(
            "%s: raise the hard limit (ulimit -Hn, LimitNOFILE of systemd)",
            shortage,
            extra=event("file_limit_low"),
        )
