"""Makes DuckDB views of files with readings, labels or words.

They may be CSV, JSON lines (both also gzipped) or Parquet. Other files than Parquet, and Parquet
with times as text, are converted to Parquet first, in a folder that is deleted after the run: so
they are parsed once, and read by columns afterwards. Rows are numbered in the order of the files;
the number serves as the row's offset. Of CSV and JSON every value is read as text first: types that
DuckDB takes from the first rows would lose what stands in later ones.
"""

from __future__ import annotations

import glob
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streams.backtest.csv_files import TIMES, convert, kinds, plain_header
from streams.backtest.expressions import (
    NAIVE,
    TIMESTAMPS,
    WHOLE,
    end,
    milliseconds,
    quoted,
    whole,
    without_offset,
)
from streams.backtest.objects import fetched, in_storage
from streams.backtest.progress import Progress, silent
from streams.backtest.unreadable import all_empty, why
from streams.extras import to_install
from streams.operate.errors import UsageError

if TYPE_CHECKING:
    import duckdb

MEMORY = "700MB"
"""How much memory DuckDB may use; beyond that it spills to the run's folder."""
INSTALL = f"a backtest needs packages that are not installed: {to_install('backtest')}"
_ENDINGS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".ndjson": "json"}
FORMS = "a file that ends in .parquet, .csv, .jsonl or .ndjson (.gz too but for Parquet), or *"
READING_COLUMNS = {"observed_at": True, "platform": True, "account_id": True, "followers": True}
READING_MORE = {"category": False, "cause": False}
LABEL_COLUMNS = {"observed_at": True, "platform": True, "account_id": True, "category": True}
LABEL_MORE = {"source": False, "valid_until": False}


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keeps a Ctrl-C until the block's end: DuckDB aborts the process if one ends its loading."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Opens a database in memory that spills to `folder`.

    Raises UsageError if the packages of the extra `backtest` are not installed.
    """
    try:
        with _uninterrupted():
            import duckdb
            import pyarrow  # noqa: F401 - rows come out as Arrow's columns
    except ImportError:
        raise UsageError(INSTALL) from None
    connection = duckdb.connect(":memory:")
    for name, value in (
        ("memory_limit", MEMORY),
        ("temp_directory", str(folder / "spill")),
        ("TimeZone", "UTC"),
        ("enable_progress_bar", True),
        ("enable_progress_bar_print", False),
        ("autoinstall_known_extensions", False),
        ("autoload_known_extensions", False),
    ):
        connection.execute(f"SET {name} = ?", [value])
    return connection


def files_of(option: str, path: str) -> tuple[str, list[str]]:
    """Returns the form (parquet, csv or json) and the files that a path or pattern names, sorted.

    `option`: the option of the command, for messages. Raises UsageError.
    """
    place = Path(path)
    inside = f"{path}/*" if place.is_dir() else None
    found = sorted(glob.glob(inside or path)) if inside or "*" in path else [path]
    found = [it for it in found if not Path(it).name.startswith(("_", "."))]
    if not found or not all(Path(it).exists() for it in found):
        raise UsageError(f"{option} {path}: there is no such file; name {FORMS}")
    forms = {_form(it) for it in found}
    if len(forms) > 1 or None in forms:
        raise UsageError(f"{option} {path}: name {FORMS}, all of one form")
    return str(forms.pop()), found


def _form(name: str) -> str | None:
    lower = name.lower()
    for ending, form in _ENDINGS.items():
        if lower.endswith(ending) or (form != "parquet" and lower.endswith(f"{ending}.gz")):
            return form
    return None


class Columns:
    """Makes views of files. `folder`: where converted files are put. `tell`: the progress."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Path, tell: Progress = silent
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._tell = tell
        self.without_offset = 0
        """How many times of all views state no offset. They are taken as UTC."""

    def view(self, name: str, option: str, path: str, wanted: Mapping[str, bool]) -> frozenset[str]:
        """Makes a view `name` with `row`, `entered`, `seen_at` (ms; NULL: no time) and the columns.

        `entered` is `entered_at` if there is such a column, else `observed_at`, as `seen_at`.
        `entered_raw`, `seen_raw`: the same in one type, if possible as the file has it, by which
        DuckDB selects rows without converting them.
        `wanted`: column → whether it must exist. Returns those that exist. Raises UsageError.
        """
        import duckdb

        named = [*wanted, "entered_at"]
        if in_storage(path):
            form, files = "parquet", fetched(option, path, named, self._folder / f"{name}-fetched")
        else:
            form, files = files_of(option, path)
        try:
            relation, columns, fixed = self._read(form, files, named, name)
            missing = [column for column, must in wanted.items() if must and column not in columns]
            if missing:
                if form != "parquet" and all_empty(files):
                    raise UsageError(f"{option} {path}: empty: it has no {missing[0]} and no row")
                there = ", ".join(sorted(columns))
                raise UsageError(f"{option} {path}: no column {missing[0]}; there are {there}")
            here = frozenset(columns) & frozenset(wanted)
            picked = [
                _typed(it, columns[it]) if it in here else f"NULL::VARCHAR AS {it}" for it in wanted
            ]
            select = f"SELECT row, {_times(columns)}, {', '.join(picked)} FROM {relation}"
            self._count_offsets(relation, columns, named)
            if fixed and columns["observed_at"] != "VARCHAR":
                self._connection.execute(f"CREATE VIEW {name} AS {select}")
            else:
                target = self._folder / f"{name}.parquet"
                self._connection.execute(f"COPY ({select}) TO {quoted(str(target))}")
                scan = f"SELECT * FROM read_parquet({quoted(str(target))})"
                self._connection.execute(f"CREATE VIEW {name} AS {scan}")
        except (duckdb.Error, OSError) as error:
            told = why(error, form, files)
            raise UsageError(f"{option} {path}: cannot be read: {told}") from error
        return here

    def _count_offsets(
        self, relation: str, columns: Mapping[str, str], named: Sequence[str]
    ) -> None:
        texts = [it for it in TIMES if it in named and columns.get(it) == "VARCHAR"]
        naive = [it for it in TIMES if it in named and columns.get(it) in NAIVE]
        counts = [f"count_if({without_offset(it)})" for it in texts]
        counts += [f"count({it})" for it in naive]
        if counts:
            query = f"SELECT {' + '.join(counts)} FROM {relation}"
            ((count,),) = self._connection.execute(query).fetchall()
            self.without_offset += count

    def _read(
        self, form: str, files: Sequence[str], wanted: Sequence[str], name: str
    ) -> tuple[str, dict[str, str], bool]:
        """Returns relation and columns of the files, and whether it can be scanned repeatedly."""
        if form == "parquet":
            return *self._parquet(files), True
        there = plain_header(files) if form == "csv" else None
        if there is not None:
            import pyarrow

            named = [it for it in wanted if it in there]
            target = self._folder / f"{name}-plain.parquet"
            try:
                without = convert(self._connection, files, named, target, self._tell)
                self.without_offset += without
            except pyarrow.ArrowInvalid:
                target.unlink(missing_ok=True)
            else:
                relation, _ = self._parquet([str(target)])
                return relation, dict.fromkeys(there, "VARCHAR") | kinds(named), True
        return *self._texts(form, files, wanted, self._folder / f"{name}-texts.parquet"), False

    def _parquet(self, files: Sequence[str]) -> tuple[str, dict[str, str]]:
        names = f"[{', '.join(map(quoted, files))}]"
        columns = self._described(f"SELECT * FROM read_parquet({names}, union_by_name = true)")
        if len(files) == 1:
            scan = f"read_parquet({names}, file_row_number = true)"
            return f"(SELECT *, file_row_number AS row FROM {scan})", columns
        sizes = self._connection.execute(
            f"SELECT file_name, num_rows FROM parquet_file_metadata({names})"
        ).fetchall()
        counts, base = dict(sizes), 0
        bases: list[tuple[str, int]] = []
        for file in files:
            bases.append((file, base))
            base += counts[file]
        number = " ".join(f"WHEN {quoted(file)} THEN {first}" for file, first in bases)
        options = "union_by_name = true, file_row_number = true, filename = 'from_file'"
        scan = f"read_parquet({names}, {options})"
        return (
            f"(SELECT *, file_row_number + CASE from_file {number} END AS row FROM {scan})",
            columns,
        )

    def _texts(
        self, form: str, files: Sequence[str], wanted: Sequence[str], target: Path
    ) -> tuple[str, dict[str, str]]:
        """Writes the wanted columns of CSV or JSON lines, all as text, to one Parquet file.

        Returns its relation and the columns of the files.
        """
        names = f"[{', '.join(map(quoted, files))}]"
        if form == "csv":
            scan = f"read_csv({names}, header = true, all_varchar = true, union_by_name = true)"
            there = self._described(f"SELECT * FROM {scan}")
        else:
            form = f"{names}, format = 'newline_delimited'"
            # Only the first rows are looked at here, for the names in a message.
            there = self._described(f"SELECT * FROM read_json({form}, union_by_name = true)")
            kept = ", ".join(f"{it}: 'VARCHAR'" for it in wanted)
            scan = f"read_json({form}, columns = {{{kept}}})"
        named = list(wanted) if form != "csv" else [it for it in wanted if it in there]
        picked = ", ".join(["row_number() OVER () - 1 AS row", *named])
        copied = quoted(str(target))
        self._connection.execute(f"COPY (SELECT {picked} FROM {scan}) TO {copied}")
        relation = f"read_parquet({copied})"
        counts = ", ".join(["count(*)", *(f"count({it})" for it in named)])
        (filled,) = self._connection.execute(f"SELECT {counts} FROM {relation}").fetchall()
        found = [it for it, count in zip(named, filled[1:], strict=True) if count]
        return relation, dict.fromkeys([*there, *found], "VARCHAR")

    def _described(self, select: str) -> dict[str, str]:
        rows = self._connection.execute(f"DESCRIBE {select}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}


def _times(columns: Mapping[str, str]) -> str:
    """Returns the SQL expressions of `entered`, `seen_at`, `entered_raw` and `seen_raw`."""
    entered = at = milliseconds("observed_at", columns["observed_at"])
    raw = seen_raw = "observed_at" if columns["observed_at"] in TIMESTAMPS else at
    if "entered_at" in columns:
        entered = f"coalesce({milliseconds('entered_at', columns['entered_at'])}, {at})"
        alike = columns["entered_at"] == columns["observed_at"] in TIMESTAMPS
        raw = "coalesce(entered_at, observed_at)" if alike else entered
        seen_raw = seen_raw if alike else at
    return f"{entered} AS entered, {at} AS seen_at, {raw} AS entered_raw, {seen_raw} AS seen_raw"


def _typed(column: str, kind: str) -> str:
    if column == "followers" and kind not in WHOLE:
        return f"{whole(column)} AS {column}"
    if column == "followers":
        return f"try_cast({column} AS BIGINT) AS {column}"
    if column == "valid_until":
        return f"{end(column, kind)} AS {column}"
    if column == "observed_at":
        return f"{milliseconds(column, kind)} AS {column}"
    return f"{column}::VARCHAR AS {column}"
