"""`python -m tests.engine.disk_table`: what a fault of the disk does to a worker, in one table.

Each fault is made on real files; where a test cannot make it (a failing disk), by RocksDB's own
text. `--write` puts the table into disk_faults.md beside this file.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("disk_faults.md")
ANEW = "made anew from Kafka"
KEPT = "taken up as it is"
REST = "taken up, the rest is read from Kafka"
STAYS = "the same, until somebody acts"

Break = Callable[[Path], None]


def gone(file: Path) -> None:
    """The file is not there."""
    file.unlink()


def empty(file: Path) -> None:
    """The file has no byte."""
    file.write_bytes(b"")


def short(file: Path) -> None:
    """The second half of the file is missing."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def noise(file: Path) -> None:
    """Every byte of the file is another."""
    file.write_bytes(bytes(byte ^ 0xA5 for byte in file.read_bytes()))


def folder(file: Path) -> None:
    """A folder has the file's name."""
    file.unlink()
    file.mkdir()


@dataclass(frozen=True, slots=True)
class FileFault:
    """Files of a worker that was killed, as its next start finds them."""

    files: str
    how: Break
    start: str

    @property
    def name(self) -> str:
        """For a test's id and the table."""
        return f"{self.files} {self.how.__name__}"


FILE_FAULTS = (
    *(FileFault("CURRENT", how, ANEW) for how in (gone, empty, short, noise, folder)),
    *(FileFault("MANIFEST-*", how, ANEW) for how in (gone, empty, noise, folder)),
    *(FileFault("*.sst", how, ANEW) for how in (gone, empty, short, noise, folder)),
    *(FileFault("*.log", how, REST) for how in (gone, empty, short, noise)),
    *(FileFault("OPTIONS-*", how, KEPT) for how in (gone, empty, short, noise)),
    *(FileFault("IDENTITY", how, KEPT) for how in (gone, empty, short, noise)),
    FileFault("IDENTITY", folder, ANEW),
    *(FileFault("LOCK", how, KEPT) for how in (gone, noise)),
    FileFault("LOCK", folder, ANEW),
    *(FileFault("rocksdict-config.json", how, KEPT) for how in (gone, empty, noise)),
    FileFault("rocksdict-config.json", folder, ANEW),
)


@dataclass(frozen=True, slots=True)
class TextFault:
    """What RocksDB says while the worker runs, the exit code, and what the next start does."""

    name: str
    text: str
    code: int
    start: str


_AT = "/x/partition-0/000012.log"
TEXT_FAULTS = (
    TextFault(
        "no space left (ENOSPC)",
        f"IO error: No space left on device: While appending to file: {_AT}: No space left",
        2,
        STAYS,
    ),
    TextFault(
        "quota used up (EDQUOT)", f"IO error: While appending: {_AT}: Disk quota exceeded", 2, STAYS
    ),
    TextFault(
        "too many open files (EMFILE)",
        f"IO error: While open a file: {_AT}: Too many open files",
        2,
        STAYS,
    ),
    TextFault(
        "file too large (EFBIG)", f"IO error: While appending: {_AT}: File too large", 2, STAYS
    ),
    TextFault(
        "read-only (EROFS)", f"IO error: While open a file: {_AT}: Read-only file system", 2, STAYS
    ),
    TextFault(
        "no permission (EACCES)", f"IO error: While open a file: {_AT}: Permission denied", 2, STAYS
    ),
    TextFault(
        "the disk fails (EIO)", f"IO error: While pread: {_AT}: Input/output error", 2, STAYS
    ),
    TextFault(
        "the disk fails inside of a check",
        f"Corruption: IO error: While pread: {_AT}: Input/output error  The file may be corrupted",
        2,
        STAYS,
    ),
    TextFault(
        "an error that nobody foresaw",
        f"IO error: While appending: {_AT}: Unknown error 999",
        2,
        STAYS,
    ),
    TextFault("a damaged block", "Corruption: block checksum mismatch", 70, ANEW),
    TextFault(
        "a file deleted under the worker",
        f"IO error: No such file or directory: While open a file: {_AT}: No such file or directory",
        70,
        ANEW,
    ),
)

HEAD = """\
# Faults of a worker's disk

Written by `python -m tests.engine.disk_table --write`; each row is a test (`test_disk_faults.py`).
A worker ends with 2 where a person has to act, and deletes nothing then; 70 is a restart. What is
on disk is a copy of the changelogs: what is made anew is read from Kafka. A folder that was in use
when the machine stopped is made anew too, since its files may lack what was written before
something that they have. While the machine runs only a hand can do that: the end of a MANIFEST
that is cut off, or one of several logs that is deleted, is not noticed.

| files of a stopped worker | exit code | what the start does |
|---|---|---|
"""
MIDDLE = """
| while a worker runs | exit code | what the next start does |
|---|---|---|
"""


def table() -> str:
    """Both lists in Markdown."""
    ways: dict[tuple[str, str], list[str]] = {}
    for one in FILE_FAULTS:
        ways.setdefault((one.files, one.start), []).append(one.how.__name__)
    files = [
        f"| `{name}` {', '.join(how)} | – | {start} |\n" for (name, start), how in ways.items()
    ]
    texts = [f"| {it.name} | {it.code} | {it.start} |\n" for it in TEXT_FAULTS]
    return "".join([HEAD, *files, MIDDLE, *texts])


def main() -> int:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.disk_table", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}")
    if parser.parse_args().write:
        TABLE.write_text(table())
    else:
        print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
