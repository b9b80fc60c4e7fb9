"""Reads a file of labels into the table `stated`, and counts the labels that stand in the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.backtest.carried import Carried
from streams.backtest.expressions import fault, within

if TYPE_CHECKING:
    import duckdb


def state_labels(
    connection: duckdb.DuckDBPyConnection,
    platforms: Sequence[str],
    span: tuple[int | None, int | None],
    latest: int,
    found: Carried,
) -> None:
    """Makes the table `stated`: the usable labels of a file, of the accounts that matter.

    Counts all rows of the file in `found`. `platforms`: those with a policy. `span`, `latest`: as
    Scan takes them. What an account was before the span begins is known: its newest label from
    before enters as the span does.
    """
    start, end = span
    wrong = fault(platforms, latest, label=True)
    counts = connection.execute(f"SELECT {wrong}, count(*) FROM labels GROUP BY ALL")
    for name, count in counts.fetchall():
        found.label_rows += count
        if name is not None:
            found.refused_labels[name] = count
    begins = -(1 << 62) if start is None else start
    connection.execute(
        f"CREATE TEMP TABLE stated AS SELECT * REPLACE (greatest(entered, {begins}) AS entered)"
        " FROM (SELECT * FROM labels SEMI JOIN kept USING (platform, account_id)"
        f" WHERE {wrong} IS NULL AND {within('entered', 'BIGINT', (None, end))}"
        f" QUALIFY entered >= {begins} OR row_number() OVER (PARTITION BY platform, account_id,"
        f" entered < {begins} ORDER BY entered DESC, row DESC) = 1)"
    )


def count_labels(
    connection: duckdb.DuckDBPyConnection, found: Carried, *, in_readings: bool, in_file: bool
) -> None:
    """Counts in `found` the labels of the accounts that matter, from the rows and from a file."""
    sources = ["SELECT platform, account_id, category FROM rows"] * in_readings
    if in_file:
        stated = "FROM stated SEMI JOIN kept USING (platform, account_id)"
        sources.append(f"SELECT platform, account_id, category {stated}")
        counted = connection.execute(f"SELECT count(*) {stated}")
        ((found.kept_labels,),) = counted.fetchall()
    if not sources:
        return
    rows = connection.execute(
        "SELECT platform, category, count(DISTINCT account_id) FROM"
        f" ({' UNION ALL '.join(sources)}) WHERE category <> '' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for platform, category, count in rows:
        found.labels.setdefault(platform, Counter())[category] = count
