"""SQL expressions by which DuckDB reads the values of rows, and conditions on them."""

from collections.abc import Mapping, Sequence

from schemas.enums import EARLIEST_TIME_MS, MAX_FOLLOWERS
from streams.core.model.instants import DAY, rfc3339

TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
"""DuckDB's types of instants."""
_SHORT = 4
"""How many texts a list in SQL may have: DuckDB compares so few with each row."""
UNREADABLE = -1
"""An end of a label that is there but no time. As none (NULL) the label would never end."""
_OFFSET = r"[T ]\d\d(:\d\d){0,2}([.,]\d+)?\s*([+-]\d\d(:?\d\d)?|[A-Za-z][A-Za-z_/+-]*)$"
"""A regular expression of texts that end with a time of the day and its offset or zone."""


def quoted(text: str) -> str:
    """Quotes a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def instant(text: str) -> str:
    """Returns the SQL expression of a text as ms since 1970; without an offset it is UTC."""
    return f"epoch_ms(try_cast({text} AS TIMESTAMPTZ))"


def without_offset(text: str) -> str:
    """Returns the SQL condition that a text is a time that states no offset."""
    return f"({instant(text)} IS NOT NULL AND NOT regexp_matches({text}, '{_OFFSET}'))"


def end(text: str) -> str:
    """Returns the SQL expression of a label's end (ms); NULL: none, UNREADABLE: no time."""
    return f"CASE WHEN {text} <> '' THEN coalesce({instant(text)}, {UNREADABLE}) END"


def whole(text: str) -> str:
    """Returns the SQL expression of a text as a whole number; NULL: it is none, as `12.5`."""
    number = f"try_cast({text} AS BIGINT)"
    # Of numbers like 0x1F, which pyarrow reads as well, DuckDB makes no DOUBLE.
    exact = f"coalesce(try_cast({text} AS DOUBLE), {number})"
    return f"CASE WHEN {number} = {exact} THEN {number} END"


def milliseconds(column: str, kind: str) -> str:
    """Returns the SQL expression of a column as ms since 1970; a number is in ms already."""
    if kind in ("BIGINT", "INTEGER", "UBIGINT", "HUGEINT"):
        return f"{column}::BIGINT"
    if kind in TIMESTAMPS:
        return f"epoch_ms({column})"
    return instant(column)


def constant(kind: str, at: int) -> str:
    """Returns the SQL constant of an instant (ms) in the type of a view's `entered_raw`."""
    if kind not in TIMESTAMPS:
        return str(at)
    return f"{quoted(rfc3339(at))}::{kind}"


def day(kind: str) -> str:
    """Returns the SQL expression of the UTC day (since 1970) of `entered_raw`, by its type."""
    if kind in TIMESTAMPS:
        return f"(epoch_us(entered_raw) // {DAY * 1000})::INTEGER"
    return f"entered_raw // {DAY}"


def by_platform(numbers: Mapping[str, int]) -> str:
    """Returns the SQL expression of a number that depends on the platform."""
    if len(numbers) == 1:
        return str(*numbers.values())
    cases = " ".join(f"WHEN {quoted(name)} THEN {number}" for name, number in numbers.items())
    return f"CASE platform {cases} END"


def within(column: str, kind: str, span: tuple[int | None, int | None]) -> str:
    """Returns the SQL condition of the rows in the span; `kind`: the column's type."""
    start, end = span
    bounds = [] if start is None else [f"{column} >= {constant(kind, start)}"]
    bounds += [] if end is None else [f"{column} < {constant(kind, end)}"]
    return " AND ".join(bounds) or "true"


def among(column: str, texts: Sequence[str]) -> str:
    """Returns the SQL condition that a column has one of these texts.

    Lists are kept short: a list of seven DuckDB makes a table and joins it with every row.
    """
    short = [texts[at : at + _SHORT] for at in range(0, len(texts), _SHORT)]
    return "(" + " OR ".join(f"{column} IN ({', '.join(map(quoted, it))})" for it in short) + ")"


def usable(kind: str, latest: int) -> str:
    """Returns the SQL condition of usable readings of any platform; `kind`: the raw times' type.

    `latest`: nothing can have entered after it (ms). With `among` the known platforms it is true
    where `fault` finds nothing; DuckDB passes over more by plain comparisons. Ids are checked
    later, for fewer rows.
    """
    return (
        f"(followers BETWEEN 0 AND {MAX_FOLLOWERS} AND entered_raw <= {constant(kind, latest)}"
        f" AND seen_raw >= {constant(kind, EARLIEST_TIME_MS)} AND account_id IS NOT NULL)"
    )


def fault(platforms: Sequence[str], latest: int, *, label: bool = False) -> str:
    """Returns the SQL expression of what is wrong with a row; NULL: nothing.

    `platforms`: those that are known. `latest`: as `usable` takes it. `label`: it is a row of a
    file of labels, which has no count and may have an end.
    """
    names = ", ".join(map(quoted, platforms))
    within_range = f"coalesce(followers BETWEEN 0 AND {MAX_FOLLOWERS}, false)"
    count = f" WHEN NOT {within_range} THEN 'out_of_range'"
    ended = f" OR valid_until::BIGINT < {EARLIEST_TIME_MS}" if label else ""
    return (
        f"CASE WHEN platform IS NULL OR platform NOT IN ({names}) THEN 'unknown_platform'"
        f"{'' if label else count}"
        f" WHEN entered IS NULL OR seen_at IS NULL OR seen_at < {EARLIEST_TIME_MS}{ended}"
        f" THEN 'bad_time' WHEN entered > {latest} THEN 'time_ahead'"
        " WHEN account_id IS NULL THEN 'bad_id' END"
    )
