"""Tells disk faults apart, and reacts to them.

The tables on disk are a cache of the changelogs, so damaged ones are deleted and built again. If
file descriptors, space or permissions are missing, or the disk itself fails, a restart does not
help and nothing is deleted: a person must act. RocksDB reports all of these only as text, and some
as "Corruption" or "Invalid argument" around another text. tests/engine/disk_faults.md has each
fault with its exit code and what the next start does.
"""

import errno
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
    "Operation not permitted",
    "Read-only file system",
    "Disk quota exceeded",
    "File too large",
    "Cannot allocate memory",
    "No locks available",
    "lock hold by",
    "Resource temporarily unavailable",
)
# Texts if the disk or its file system fails.
FAILURES = ("Input/output error", "Structure needs cleaning", "Stale file handle")
# Texts if a file of the database is gone, or something else has its name.
MISSING = ("No such file or directory", "Is a directory")
# Numbers of errors of the operating system if a disk has no room or a limit is reached.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE})
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FILES_OF_A_WORKER = 300
FILES_OF_A_PARTITION = 9
"""Open files per partition. Measured: 200 partitions take 1,625 descriptors."""
MOST_FILES = 1_048_576


def is_damage(error: BaseException) -> bool:
    """Whether the folder is damaged or incomplete, and no shortage of the machine is the cause."""
    text = str(error)
    damaged = text.startswith(("Corruption", "Invalid argument"))
    return (damaged or any(word in text for word in MISSING)) and not _is_of_the_machine(text)


def needs_person(error: BaseException) -> bool:
    """Whether the machine lacks something or its disk fails, so that a restart does not help."""
    text = str(error)
    return _is_of_the_machine(text) or ("IO error" in text and not is_damage(error))


def boot_id() -> str:
    """Returns an id that changes when the machine starts; empty where the system has none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def full_in(error: BaseException | None) -> OSError | None:
    """Returns the error, or what caused it, that reports no room or too many open files, if any."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        seen.add(id(error))
        error = error.__cause__
    return None


def _is_of_the_machine(text: str) -> bool:
    return any(word in text for word in SHORTAGES + FAILURES)


def refusal(path: Path, error: BaseException) -> StopWorker:
    """Makes the error for state that cannot be used until a person has changed something."""
    text = str(error)
    if any(word in text for word in SHORTAGES):
        advice = "Free room or raise the limit that is named"
    else:
        advice = "Mend the disk, or give the worker a folder on another one"
    return StopWorker(
        f"the state in {path} cannot be used: {error}. It is left as it is. {advice}, and start "
        "again. Kafka has all of it: the folder may be deleted while the worker is stopped",
        ExitCode.PERSON,
    )


def delete(path: Path) -> None:
    """Deletes a folder, or the file in its place, then its mark, if they exist. Raises OSError."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    _mark_of(path).unlink(missing_ok=True)


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.broken")


def judge(path: Path, error: Exception) -> None:
    """Judges an error that RocksDB reports while it is open.

    It marks a damaged folder, and the next start deletes it. Other errors are left to the caller.

    Raises:
        StopWorker: a person must act; also if a damaged folder cannot be marked.
    """
    if needs_person(error):
        raise refusal(path, error) from error
    mark_broken(path, error)


def mark_broken(path: Path, error: BaseException) -> None:
    """Marks the folder as damaged, if the error says so; the next start deletes it.

    Raises:
        StopWorker: the mark cannot be written.
    """
    if not is_damage(error):
        return
    logger.error(
        "%s is damaged and is made anew at the next start: %s",
        path,
        error,
        extra=event("state_damaged"),
    )
    try:
        _mark_of(path).write_text(str(error))
    except FileNotFoundError:
        pass  # The folder around it is gone too, so there is nothing to delete.
    except OSError as unmarked:
        raise refusal(path, unmarked) from error


def remove_if_marked(path: Path) -> None:
    """Deletes a folder that is marked as damaged. Raises OSError."""
    mark = _mark_of(path)
    if mark.exists():
        logger.warning(
            "%s was found damaged and is made anew: %s",
            path,
            mark.read_text(errors="replace"),
            extra=event("state_damaged_made_anew"),
        )
        delete(path)


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
