"""Writes the files of a backtest: each whole or not at all, readable by its owner only."""

import csv
import glob
import io
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streams.backtest.against import Change
from streams.backtest.tally import Tally
from streams.operate.cells import csv_row
from streams.operate.errors import UsageError

ACCOUNT_COLUMNS = (
    "policy",
    "platform",
    "account_id",
    "phase",
    "field",
    "cycles",
    "invited_at",
    "last_event",
    "last_reason",
    "last_at",
    "surface",
    "level",
    "mode",
    "restricted_since",
    "restricted_until",
)
CHANGE_COLUMNS = (
    "what",
    "under",
    "platform",
    "account_id",
    "at",
    "reason",
    "instead",
    "mode",
    "differs",
)


def write(path: Path, content: str | bytes) -> None:
    """Writes a file atomically, readable by its owner only, because it names accounts.

    A pipe or a device is written to. Raises UsageError if it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            return
        path = path.resolve()
        number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} cannot be written: {what}") from error


def writable(paths: Iterable[Path | None], inputs: Iterable[str | Path | None] = ()) -> None:
    """Checks before the work begins that these files can be written, and are none of the inputs.

    `inputs`: files, folders or patterns that are read; None is no file. Raises UsageError.
    """
    named: list[Path] = []
    read = [file for it in inputs if it is not None for file in _named(str(it))]
    for path in (it for it in paths if it is not None):
        if not path.parent.is_dir() or path.is_dir():
            raise UsageError(f"{path} cannot be written: name a file in a folder that is there")
        special = path.exists() and not path.is_file()
        if not os.access(path if special else path.resolve().parent, os.W_OK):
            raise UsageError(f"{path} cannot be written: this user has no right to write there")
        if special:
            continue
        if path.exists() and any(path.samefile(it) for it in read):
            raise UsageError(f"{path} is read by this backtest: write to another file")
        if path.resolve() in named:
            raise UsageError(f"{path} is named twice: each file has a name of its own")
        named.append(path.resolve())


def _named(text: str) -> list[Path]:
    """Returns the files that a path, a folder or a pattern names."""
    place = Path(text)
    found = glob.glob(f"{text}/*") if place.is_dir() else glob.glob(text)
    return [place] if place.is_file() else list(map(Path, found))


def json_text(value: Any) -> str:
    """Returns a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def accounts_csv(tallies: Iterable[Tally]) -> str:
    """Returns CSV of every account that was invited, a line for each surface restricted at the end.

    An account without a restriction has one line.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ACCOUNT_COLUMNS)
    for tally in tallies:
        for it in sorted(tally.accounts.values(), key=lambda one: one.account_id):
            invited = it.first.get("invitation.issued")
            base = (tally.name, it.platform, it.account_id, it.phase, it.field, it.cycles)
            last = (invited.at if invited else "", it.last_event, it.last_reason, it.last_at)
            for surface in sorted(it.restricted) or [""]:
                more = ("", "", "", "")
                if surface:
                    one = it.restricted[surface]
                    more = (one.level, one.mode, one.since, one.until)
                writer.writerow(csv_row((*base, *last, surface, *more)))
    return text.getvalue()


def changes_csv(found: Iterable[Change]) -> str:
    """Returns CSV of the changes between two policies, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CHANGE_COLUMNS)
    for it in found:
        cells = asdict(it) | {"differs": ", ".join(it.differs)}
        writer.writerow(csv_row(cells[name] for name in CHANGE_COLUMNS))
    return text.getvalue()
