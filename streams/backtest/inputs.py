"""Yields the rows of the accounts that matter as inputs of the core, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from schemas.inputs import InputName
from streams.backtest.expressions import LATEST_TIME_MS, short_label
from streams.backtest.resting import RestingReading
from streams.core.partition import ORDER
from streams.lives.partition import SimulatedRecord

if TYPE_CHECKING:
    import duckdb

CHUNK = 5_000
"""How many rows are fetched from DuckDB at a time."""
ScannedInput = tuple[int, str, RestingReading | tuple[InputName, SimulatedRecord]]
"""Instant (ms), platform, and a reading, or the topic and record of a label or word."""


def inputs(
    connection: duckdb.DuckDBPyConnection, *, in_readings: bool, in_file: bool, words: str | None
) -> Iterator[list[ScannedInput]]:
    """Returns the inputs in the tables `rows`, `stated` and `words`, some thousands at a time.

    `in_readings`: the readings have labels. `in_file`: there is a table `stated`. `words`: the SQL
    condition of the words to take; None: there are none.
    They are in order of time; at one instant by topic in the contract's order, then by row.
    """
    parts = [_counts()]
    if in_readings:
        parts.append(_changed_labels())
    if in_file:
        parts.append(_stated_labels())
    if words is not None:
        parts.append(
            f"SELECT entered, topic_number AS topic, row, platform, account_id, encode(value)"
            f" AS value FROM words WHERE {words}"
        )
    query = f"{' UNION ALL BY NAME '.join(parts)} ORDER BY entered, topic, row"
    wanted = "entered, platform, topic, row, account_id, value, followers, seen_at, cause"
    reader = connection.sql(f"SELECT {wanted} FROM ({query})").to_arrow_reader(CHUNK)
    return map(_inputs_of, reader)


def _counts() -> str:
    """Returns SQL of the readings. An empty cause is none."""
    return (
        f"SELECT entered, {ORDER.index('follower-counts')} AS topic, row, platform, account_id,"
        " NULL::BLOB AS value, followers, seen_at, nullif(cause, '') AS cause FROM rows"
    )


def _stated_labels() -> str:
    """Returns SQL that makes JSON values of the labels in a separate file."""
    return (
        f"SELECT entered, {ORDER.index('category-changes')} AS topic, row, platform,"
        " account_id, CASE WHEN coalesce(category, '') = '' THEN NULL ELSE"
        ' encode(\'{"platform":"\''
        ' || platform || \'","account_id":"\' || account_id || \'","category":\' ||'
        f" to_json(category) || ',\"observed_at\":\"' || {_wire('seen_at')} || '\"' ||"
        " CASE WHEN coalesce(source, '') = '' THEN '' ELSE ',\"source\":' || to_json(source) END ||"
        " CASE WHEN valid_until IS NULL THEN '' ELSE ',\"valid_until\":\"' ||"
        f" {_wire('valid_until::BIGINT')} || '\"' END || '}}') END AS value FROM stated"
        " SEMI JOIN kept USING (platform, account_id)"
    )


def _inputs_of(batch: Any) -> list[ScannedInput]:
    """Returns the inputs of an Arrow batch with the columns that `Scan.inputs` selects."""
    entered, platforms, topics, rows, accounts, values, *more = (
        column.to_pylist() for column in batch.columns
    )
    readings = map(RestingReading, rows, accounts, *more)
    found: list[ScannedInput] = list(zip(entered, platforms, readings, strict=True))
    counts = ORDER.index("follower-counts")
    for place, topic in enumerate(topics):
        if topic != counts:
            at, platform, _ = found[place]
            key = f"{platform}:{accounts[place]}".encode()
            record = SimulatedRecord(rows[place], at, key, values[place])
            found[place] = at, platform, (ORDER[topic], record)
    return found


def _changed_labels() -> str:
    """Returns SQL that makes a label of each reading whose label differs from the one before.

    An empty label becomes a tombstone. One that is too long for a worker is passed over.
    """
    before = "lag(category) OVER (PARTITION BY platform, account_id ORDER BY entered, row)"
    return (
        f"SELECT entered, {ORDER.index('category-changes')} AS topic, row, platform,"
        " account_id, CASE WHEN now_there = '' THEN NULL ELSE encode('{\"platform\":\"'"
        " || platform ||"
        ' \'","account_id":"\' || account_id || \'","category":\' || to_json(now_there) ||'
        f" ',\"observed_at\":\"' || {_wire('seen_at')} || '\"}}') END AS value FROM (SELECT *,"
        f" coalesce(category, '') AS now_there, coalesce({before}, '') AS was_there FROM rows"
        f" WHERE {short_label()}) WHERE now_there <> was_there"
    )


def _wire(column: str) -> str:
    """Returns SQL that writes milliseconds as RFC 3339, which has no year after 9999."""
    at = f"make_timestamp(least({column}, {LATEST_TIME_MS}) * 1000)"
    return f"strftime({at}, '%Y-%m-%dT%H:%M:%S.%gZ')"
