"""Loads words from a file: answers, receipts, controls and account changes as JSON lines.

Each line is the value of a record, as `byline send` takes it. Its topic follows from the field that
only records of that topic have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.inputs import InputName
from streams.backtest.columns import files_of
from streams.backtest.expressions import quoted
from streams.backtest.unreadable import why
from streams.core.partition import ORDER
from streams.operate.errors import UsageError

if TYPE_CHECKING:
    import duckdb

KINDS: dict[str, InputName] = {
    "answer": "consent-answers",
    "outcome": "notice-receipts",
    "command": "controls",
    "change": "account-changes",
}
"""By a field that only the records of one topic have: that topic."""


def load_words(connection: duckdb.DuckDBPyConnection, option: str, path: str) -> None:
    """Creates the table `words`. The time that a word states is also its entry into Kafka.

    `option`, `path`: the option of the command and its value. Raises UsageError if a line is no
    such word, or has no time or account.
    """
    import duckdb

    form, files = files_of(option, path)
    if form != "json":
        raise UsageError(f"{option} {path}: words are JSON lines (.jsonl, also gzipped)")
    names = f"[{', '.join(map(quoted, files))}]"
    topics = " ".join(
        f"WHEN json->>{quoted(name)} IS NOT NULL THEN {quoted(topic)}"
        for name, topic in KINDS.items()
    )
    numbers = " ".join(f"WHEN {quoted(name)} THEN {at}" for at, name in enumerate(ORDER))
    time = "coalesce(json->>'occurred_at', json->>'issued_at', json->>'observed_at')"
    try:
        connection.execute(
            "CREATE TEMP TABLE words AS SELECT row, topic, CASE topic"
            f" {numbers} END AS topic_number, entered, json->>'platform' AS platform,"
            " json->>'account_id' AS account_id, json::VARCHAR AS value FROM (SELECT json,"
            f" row_number() OVER () - 1 AS row, CASE {topics} END AS topic,"
            f" epoch_ms(try_cast({time} AS TIMESTAMPTZ)) AS entered"
            f" FROM read_ndjson_objects({names}))"
        )
        bad = connection.execute(
            "SELECT row + 1 FROM words WHERE topic IS NULL OR entered IS NULL OR platform IS NULL"
            " OR account_id IS NULL ORDER BY row LIMIT 1"
        ).fetchone()
    except (duckdb.Error, OSError) as error:
        raise UsageError(f"{option} {path}: cannot be read: {why(error, form, files)}") from error
    if bad is not None:
        raise UsageError(
            f"{option} {path}: line {bad[0]} is no answer, receipt, control or account change with"
            " platform, account_id and a time; write it as `byline send` takes it"
        )
