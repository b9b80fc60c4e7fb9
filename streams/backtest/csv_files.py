"""Converts plain CSV files to Parquet with pyarrow, at about the cost of reading them.

Plain: comma-separated, with quotes if any as RFC 4180 has them. Other dialects are DuckDB's to
find out (columns.py). pyarrow also reads times and numbers where it certainly reads what DuckDB
would; a batch with anything else in a column goes through DuckDB, which is lenient and knows NULL.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.backtest.expressions import end, instant, whole, without_offset
from streams.backtest.progress import Progress, silent

if TYPE_CHECKING:
    import duckdb

_HEAD = 65_536
"""How many bytes at the beginning of a file tell whether it is plain."""
_TYPICAL = 20
"""The length of 2024-01-01T00:00:00Z. Of shorter times pyarrow reads some that DuckDB does not."""
_GROUP = 120_000
"""How many rows make a row group of Parquet."""
_REPEATING = ("platform", "category", "cause", "source")
TIMES = ("observed_at", "entered_at", "valid_until")


def plain_header(files: Sequence[str]) -> list[str] | None:
    """Returns the columns of all files, in order; None if one of the files is not plain."""
    found: dict[str, None] = {}
    for file in files:
        opened: Any = gzip.open if file.lower().endswith(".gz") else open
        try:
            with opened(file, "rb") as source:
                head: bytes = source.read(_HEAD)
            names = head.removeprefix(b"\xef\xbb\xbf").splitlines()[0].decode().split(",")
        except (OSError, EOFError, ValueError, IndexError):
            return None
        # Single quotes and comments are dialects that DuckDB looks out for.
        strange = any(it in head for it in (b",'", b"\n'", b"\n#", b"\0"))
        if strange or len(set(names)) < len(names) or not all(map(str.isidentifier, names)):
            return None
        found.update(dict.fromkeys(names))
    return list(found)


def convert(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[str],
    wanted: Sequence[str],
    target: Path,
    tell: Progress = silent,
) -> int:
    """Writes the wanted columns of all files, in the order of their rows, to one Parquet file.

    A time becomes milliseconds since 1970, a count a number; NULL where it is none. A column that a
    file lacks is NULL. Returns how many times state no offset.

    Raises:
        pyarrow.ArrowInvalid: a file is not plain after all; `target` is not whole then.
        OSError: a file cannot be read to its end.
    """
    import pyarrow
    from pyarrow import parquet

    whole, text = pyarrow.int64(), pyarrow.string()
    number = {*TIMES, "followers"}
    schema = pyarrow.schema([(it, whole if it in number else text) for it in wanted])
    repeating = [it for it in wanted if it in _REPEATING]
    conversion = _Conversion(connection, schema)
    with parquet.ParquetWriter(
        target, schema, compression="lz4", use_dictionary=repeating, write_statistics=True
    ) as writer:
        pending, rows, done = [], 0, 0
        for file in files:
            for batch in _batches(file, wanted):
                pending.append(conversion.converted(batch))
                rows += batch.num_rows
                if rows >= _GROUP:
                    writer.write_table(pyarrow.Table.from_batches(pending, schema), rows)
                    done += rows
                    tell("reads the files", done, 0)
                    pending, rows = [], 0
        writer.write_table(pyarrow.Table.from_batches(pending, schema), max(rows, 1))
    return conversion.without_offset


def _batches(file: str, wanted: Sequence[str]) -> Any:
    """Opens a CSV file whose columns are all text; an empty field is NULL, quoted or not."""
    import pyarrow
    from pyarrow import csv

    text = pyarrow.string()
    return csv.open_csv(
        file,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, text),
            include_columns=list(wanted),
            include_missing_columns=True,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


class _Conversion:
    """Converts batches of texts to the types of `schema`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: Any) -> None:
        self._connection, self._schema = connection, schema
        self.without_offset = 0
        """How many times had no offset so far."""

    def converted(self, batch: Any) -> Any:
        """Returns a batch with the types of the schema."""
        import pyarrow

        columns = []
        for name in self._schema.names:
            column = batch.column(name)
            if name in TIMES:
                reading = end if name == "valid_until" else instant
                column = self._instants(column, reading("it"))
            elif name == "followers":
                column = self._cast(column, pyarrow.int64(), whole("it"))
            columns.append(column)
        return pyarrow.record_batch(columns, schema=self._schema)

    def _instants(self, column: Any, lenient: str) -> Any:
        import pyarrow
        from pyarrow import compute

        shortest = compute.min(compute.binary_length(column)).as_py()
        if shortest is None or shortest >= _TYPICAL:
            try:
                return column.cast(pyarrow.timestamp("ms", "UTC")).cast(pyarrow.int64())
            except pyarrow.ArrowInvalid:
                pass
        without = self._by_duckdb(column, f"coalesce({without_offset('it')}, false)::BIGINT")
        self.without_offset += compute.sum(without).as_py()
        return self._by_duckdb(column, lenient)

    def _cast(self, column: Any, kind: Any, lenient: str) -> Any:
        import pyarrow

        try:
            return column.cast(kind)
        except pyarrow.ArrowInvalid:
            return self._by_duckdb(column, lenient)

    def _by_duckdb(self, column: Any, expression: str) -> Any:
        """Returns the whole numbers that are the values of an SQL expression of the text `it`."""
        import pyarrow

        texts = pyarrow.table({"it": column})
        found = self._connection.from_arrow(texts).project(f"{expression} AS it").to_arrow_table()
        return found.column("it").combine_chunks().cast(pyarrow.int64())


def kinds(columns: Sequence[str]) -> dict[str, str]:
    """Returns DuckDB's types of the columns as `convert` writes them."""
    return {it: "BIGINT" if it in (*TIMES, "followers") else "VARCHAR" for it in columns}
