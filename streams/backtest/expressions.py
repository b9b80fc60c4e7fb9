"""SQL expressions by which DuckDB reads the values of rows, and conditions on them."""

from collections.abc import Mapping, Sequence

from schemas.enums import (
    ACCOUNT_ID_PATTERN,
    EARLIEST_TIME_MS,
    MAX_CATEGORY_LENGTH,
    MAX_FOLLOWERS,
    Cause,
    LabelSource,
)
from streams.core.inputs.entry import SKEW
from streams.core.model.instants import DAY, rfc3339

_NANOSECONDS = ("TIMESTAMP_NS", "TIMESTAMPTZ_NS")
NAIVE = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE")
"""DuckDB's types of times that state no offset."""
TIMESTAMPS = (*NAIVE[:-1], "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
"""DuckDB's types of instants."""
WHOLE = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER"}
"""DuckDB's types of whole numbers."""
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_EARLIEST_NS, _LATEST_NS = -9_214_560_000_000, 9_214_560_000_000
"""Instants (ms) between which DuckDB can write every one in nanoseconds: 1678 to 2261."""
LATEST_TIME_MS = 253_402_300_799_999
"""The last instant that RFC 3339 can write, of the year 9999."""
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


def end(column: str, kind: str = "VARCHAR") -> str:
    """Returns the SQL expression of a label's end (ms); NULL: none, UNREADABLE: no time.

    `kind`: the column's type. An empty text is none.
    """
    there = f"{column} <> ''" if kind == "VARCHAR" else f"{column} IS NOT NULL"
    return f"CASE WHEN {there} THEN coalesce({milliseconds(column, kind)}, {UNREADABLE}) END"


def whole(text: str) -> str:
    """Returns the SQL expression of a text as a whole number; NULL: it is none, as `12.5`."""
    number = f"try_cast({text} AS BIGINT)"
    # Of numbers like 0x1F, which pyarrow reads as well, DuckDB makes no DOUBLE.
    exact = f"coalesce(try_cast({text} AS DOUBLE), {number})"
    return f"CASE WHEN {number} = {exact} THEN {number} END"


def milliseconds(column: str, kind: str) -> str:
    """Returns the SQL expression of a column as ms since 1970; a number is in ms already.

    NULL: it is no time. pandas writes whole numbers with gaps as numbers with a fraction.
    """
    if kind in WHOLE:
        return f"try_cast({column} AS BIGINT)"
    if kind.startswith(_FRACTIONS):
        return f"try_cast(floor({column}) AS BIGINT)"
    if kind in _NANOSECONDS:
        return f"(epoch_ns({column}) // 1_000_000)"
    if kind in TIMESTAMPS:
        return f"epoch_ms({column})"
    return instant(column)


def constant(kind: str, at: int) -> str:
    """Returns the SQL constant of an instant (ms) in the type of a view's `entered_raw`."""
    if kind not in TIMESTAMPS:
        return str(at)
    if kind in _NANOSECONDS:
        at = min(max(at, _EARLIEST_NS), _LATEST_NS)
    return f"{quoted(rfc3339(at))}::{kind}"


def day(kind: str) -> str:
    """Returns the SQL expression of the UTC day (since 1970) of `entered_raw`, by its type."""
    if kind in _NANOSECONDS:
        return f"(epoch_ns(entered_raw) // {DAY * 1_000_000})::INTEGER"
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

    `latest`: nothing can have entered after it (ms). With `among` the known platforms, and
    `known_cause`, it is true where `fault` finds nothing; DuckDB passes over more by plain
    comparisons. Ids are checked later, for fewer rows.
    """
    return (
        f"(followers BETWEEN 0 AND {MAX_FOLLOWERS} AND entered_raw <= {constant(kind, latest)}"
        f" AND seen_raw >= {constant(kind, EARLIEST_TIME_MS)} AND account_id IS NOT NULL)"
    )


def good_id() -> str:
    """Returns the SQL condition that `account_id` is an id that a worker accepts."""
    return f"regexp_full_match(account_id, {quoted(ACCOUNT_ID_PATTERN[1:-1])})"


def known_cause() -> str:
    """Returns the SQL condition that `cause` is one that a worker accepts, or none."""
    return f"(cause IS NULL OR {among('cause', ['', *map(str, Cause)])})"


def short_label() -> str:
    """Returns the SQL condition that `category` is as short as a worker accepts, or none."""
    return f"coalesce(length(category) <= {MAX_CATEGORY_LENGTH}, true)"


def fault(platforms: Sequence[str], latest: int) -> str:
    """Returns the SQL expression of what is wrong with a reading; NULL: nothing.

    `platforms`: those that are known. `latest`: as `usable` takes it. The words are those of a
    worker (schemas/enums.py, Refused), but for `bad_time`.
    """
    within_range = f"coalesce(followers BETWEEN 0 AND {MAX_FOLLOWERS}, false)"
    return (
        f"CASE {_strange(platforms)} WHEN NOT {within_range} THEN 'out_of_range'"
        f" WHEN NOT {known_cause()} THEN 'wrong_type'"
        f" WHEN entered IS NULL OR seen_at IS NULL OR seen_at < {EARLIEST_TIME_MS}"
        f" THEN 'bad_time' WHEN entered > {latest} THEN 'time_ahead'"
        " WHEN account_id IS NULL THEN 'bad_id' END"
    )


def label_fault(platforms: Sequence[str], latest: int, *, ids: bool = True) -> str:
    """Returns the SQL expression of what is wrong with a row of labels, as `fault` for readings.

    A label that is removed has no source and no end. `ids`: look at the ids too.
    """
    odd_id = f" WHEN account_id IS NULL OR NOT {good_id()} THEN 'bad_id'" if ids else ""
    sources = ", ".join(quoted(str(it)) for it in LabelSource)
    there = "coalesce(category, '') <> ''"
    return (
        f"CASE {_strange(platforms)} WHEN NOT {short_label()} THEN 'out_of_range'"
        f" WHEN {there} AND source NOT IN ('', {sources}) THEN 'wrong_type'"
        f" WHEN entered IS NULL OR seen_at IS NULL OR seen_at < {EARLIEST_TIME_MS} OR {there}"
        f" AND valid_until::BIGINT NOT BETWEEN {EARLIEST_TIME_MS} AND {LATEST_TIME_MS}"
        f" THEN 'bad_time' WHEN entered > {latest} OR seen_at > entered + {SKEW}"
        f" THEN 'time_ahead'{odd_id} END"
    )


def _strange(platforms: Sequence[str]) -> str:
    names = ", ".join(map(quoted, platforms))
    return f"WHEN platform IS NULL OR platform NOT IN ({names}) THEN 'unknown_platform'"
