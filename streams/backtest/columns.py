"""Makes DuckDB views of files with readings, labels or words.

They may be CSV, JSON lines (both also gzipped) or Parquet. Other files than Parquet, and Parquet
with times as text, are converted to Parquet first, in a folder that is deleted after the run: so
they are parsed once, and read by columns afterwards. Rows are numbered in the order of the files;
the number serves as the row's offset.
"""

from __future__ import annotations

import glob
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.enums import EARLIEST_TIME_MS, MAX_FOLLOWERS
from streams.backtest.csv_files import convert, kinds, plain_header
from streams.backtest.objects import fetched, in_storage
from streams.core.model.instants import DAY, rfc3339
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
_TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_SHORT = 4
"""How many texts a list in SQL may have: DuckDB compares so few with each row."""


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
        ("enable_progress_bar", False),
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
    """Makes views of files. `folder`: where converted files are put."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def view(self, name: str, option: str, path: str, wanted: Mapping[str, bool]) -> frozenset[str]:
        """Makes a view `name` with `row`, `entered`, `seen_at` (ms; NULL: no time) and the columns.

        `entered` is `entered_at` if there is such a column, else `observed_at`, as `seen_at`.
        `entered_raw`, `seen_raw`: the same in one type, if possible as the file has it, by which
        DuckDB selects rows without converting them.
        `wanted`: column → whether it must exist. Returns those that exist. Raises UsageError.
        """
        import duckdb

        if in_storage(path):
            named = [*wanted, "entered_at"]
            form, files = "parquet", fetched(option, path, named, self._folder / f"{name}-fetched")
        else:
            form, files = files_of(option, path)
        try:
            relation, columns, fixed = self._read(form, files, [*wanted, "entered_at"], name)
            missing = [column for column, must in wanted.items() if must and column not in columns]
            if missing:
                there = ", ".join(sorted(columns))
                raise UsageError(f"{option} {path}: no column {missing[0]}; there are {there}")
            here = frozenset(columns) & frozenset(wanted)
            picked = [
                _typed(it, columns[it]) if it in here else f"NULL::VARCHAR AS {it}" for it in wanted
            ]
            select = f"SELECT row, {_times(columns)}, {', '.join(picked)} FROM {relation}"
            if fixed and columns["observed_at"] != "VARCHAR":
                self._connection.execute(f"CREATE VIEW {name} AS {select}")
            else:
                target = self._folder / f"{name}.parquet"
                self._connection.execute(f"COPY ({select}) TO {quoted(str(target))}")
                scan = f"SELECT * FROM read_parquet({quoted(str(target))})"
                self._connection.execute(f"CREATE VIEW {name} AS {scan}")
        except duckdb.Error as error:
            first = str(error).strip().splitlines()[0]
            raise UsageError(f"{option} {path}: cannot be read: {first}") from error
        return here

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
                convert(self._connection, files, named, target)
            except pyarrow.ArrowInvalid:
                target.unlink(missing_ok=True)
            else:
                relation, _ = self._parquet([str(target)])
                return relation, dict.fromkeys(there, "VARCHAR") | kinds(named), True
        return *self._other(form, files), False

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

    def _other(self, form: str, files: Sequence[str]) -> tuple[str, dict[str, str]]:
        names = f"[{', '.join(map(quoted, files))}]"
        if form == "csv":
            scan = f"read_csv({names}, header = true, all_varchar = true, union_by_name = true)"
        else:
            scan = f"read_json({names}, format = 'newline_delimited', union_by_name = true)"
        columns = self._described(f"SELECT * FROM {scan}")
        return f"(SELECT *, row_number() OVER () - 1 AS row FROM {scan})", columns

    def _described(self, select: str) -> dict[str, str]:
        rows = self._connection.execute(f"DESCRIBE {select}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}


def quoted(text: str) -> str:
    """Quotes a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def milliseconds(column: str, kind: str) -> str:
    """Returns the SQL expression of a column as ms since 1970; a number is in ms already."""
    if kind in ("BIGINT", "INTEGER", "UBIGINT", "HUGEINT"):
        return f"{column}::BIGINT"
    if kind in _TIMESTAMPS:
        return f"epoch_ms({column})"
    return f"epoch_ms(try_cast({column} AS TIMESTAMPTZ))"


def _times(columns: Mapping[str, str]) -> str:
    """Returns the SQL expressions of `entered`, `seen_at`, `entered_raw` and `seen_raw`."""
    entered = at = milliseconds("observed_at", columns["observed_at"])
    raw = seen_raw = "observed_at" if columns["observed_at"] in _TIMESTAMPS else at
    if "entered_at" in columns:
        entered = f"coalesce({milliseconds('entered_at', columns['entered_at'])}, {at})"
        alike = columns["entered_at"] == columns["observed_at"] in _TIMESTAMPS
        raw = "coalesce(entered_at, observed_at)" if alike else entered
        seen_raw = seen_raw if alike else at
    return f"{entered} AS entered, {at} AS seen_at, {raw} AS entered_raw, {seen_raw} AS seen_raw"


def constant(kind: str, at: int) -> str:
    """Returns the SQL constant of an instant (ms) in the type of a view's `entered_raw`."""
    if kind not in _TIMESTAMPS:
        return str(at)
    return f"{quoted(rfc3339(at))}::{kind}"


def day(kind: str) -> str:
    """Returns the SQL expression of the UTC day (since 1970) of `entered_raw`, by its type."""
    if kind in _TIMESTAMPS:
        return f"(epoch_us(entered_raw) // {DAY * 1000})::INTEGER"
    return f"entered_raw // {DAY}"


def _typed(column: str, kind: str) -> str:
    if column == "followers":
        return f"try_cast({column} AS BIGINT) AS {column}"
    if column in ("observed_at", "valid_until"):
        return f"{milliseconds(column, kind)} AS {column}"
    return f"{column}::VARCHAR AS {column}"


def among(column: str, texts: Sequence[str]) -> str:
    """Returns the SQL condition that a column has one of these texts.

    Lists are kept short: a list of seven DuckDB makes a table and joins it with every row.
    """
    short = [texts[at : at + _SHORT] for at in range(0, len(texts), _SHORT)]
    return "(" + " OR ".join(f"{column} IN ({', '.join(map(quoted, it))})" for it in short) + ")"


def usable(kind: str) -> str:
    """Returns the SQL condition of usable readings of any platform; `kind`: the raw times' type.

    With `among` the known platforms it is true where `fault` finds nothing; DuckDB passes over more
    by plain comparisons. Ids are checked later, for fewer rows.
    """
    return (
        f"(followers BETWEEN 0 AND {MAX_FOLLOWERS} AND entered_raw IS NOT NULL"
        f" AND seen_raw >= {constant(kind, EARLIEST_TIME_MS)} AND account_id IS NOT NULL)"
    )


def fault(names: str) -> str:
    """Returns the SQL expression of what is wrong with a row; NULL: nothing.

    `names`: the known platforms as SQL literals.
    """
    return (
        f"CASE WHEN platform IS NULL OR platform NOT IN ({names}) THEN 'unknown_platform'"
        f" WHEN followers IS NULL OR followers NOT BETWEEN 0 AND {MAX_FOLLOWERS}"
        " THEN 'out_of_range'"
        f" WHEN entered IS NULL OR seen_at IS NULL OR seen_at < {EARLIEST_TIME_MS} THEN 'bad_time'"
        " WHEN account_id IS NULL THEN 'bad_id' END"
    )
