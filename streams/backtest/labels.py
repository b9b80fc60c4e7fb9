"""Reads a file of labels into the table `stated`, and counts the labels that stand in the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.backtest.carried import Carried
from streams.backtest.expressions import label_fault, short_label, within

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

    Counts in `found` the rows that entered before the span's end, or at no readable time.
    `platforms`: those with a policy. `span`, `latest`: as Scan takes them. What an account was
    before the span begins is known: its newest label from before enters as the span does.
    """
    start, end = span
    wrong = label_fault(platforms, latest)
    before = within("entered", "BIGINT", (None, end))
    counts = connection.execute(
        f"SELECT {wrong}, count(*) FROM labels WHERE entered IS NULL OR {before} GROUP BY ALL"
    )
    for name, count in counts.fetchall():
        found.label_rows += count
        if name is not None:
            found.refused_labels[name] = count
    # Accounts that are kept have good ids, which are costly to look at.
    wrong = label_fault(platforms, latest, ids=False)
    begins = -(1 << 62) if start is None else start
    connection.execute(
        f"CREATE TEMP TABLE stated AS SELECT * REPLACE (greatest(entered, {begins}) AS entered)"
        " FROM (SELECT * FROM labels SEMI JOIN kept USING (platform, account_id)"
        f" WHERE {wrong} IS NULL AND {before}"
        f" QUALIFY entered >= {begins} OR row_number() OVER (PARTITION BY platform, account_id,"
        f" entered < {begins} ORDER BY entered DESC, row DESC) = 1)"
    )


def last_stated(
    connection: duckdb.DuckDBPyConnection, words: str | None, *, in_file: bool
) -> int | None:
    """Returns when (ms) the last of the words and of the labels in `stated` entered; None: none.

    `words`: the SQL condition of the words to take; None: there are none. `in_file`: there is a
    table `stated`.
    """
    sources = [] if words is None else [f"SELECT entered FROM words WHERE {words}"]
    sources += ["SELECT entered FROM stated"] * in_file
    if not sources:
        return None
    query = f"SELECT max(entered) FROM ({' UNION ALL '.join(sources)})"
    ((last,),) = connection.execute(query).fetchall()
    return None if last is None else int(last)


def count_labels(
    connection: duckdb.DuckDBPyConnection, found: Carried, *, in_readings: bool, in_file: bool
) -> None:
    """Counts in `found` the labels of the accounts that matter, from the rows and from a file."""
    of_rows = f"SELECT platform, account_id, category FROM rows WHERE {short_label()}"
    sources = [of_rows] * in_readings
    if in_readings:
        long = connection.execute(f"SELECT count(*) FROM rows WHERE NOT {short_label()}")
        ((found.long_labels,),) = long.fetchall()
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
