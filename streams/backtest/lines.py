"""Counts from the readings alone how many accounts are near a line, and how often they cross it.

A line is the follower count from which on a phase applies: here the lowest of a platform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.backtest.scan import FROM_PERCENT, Floors, by_platform

if TYPE_CHECKING:
    import duckdb

TO_PERCENT = 120


def near_lines(
    connection: duckdb.DuckDBPyConnection, floors: Floors
) -> dict[str, list[tuple[int, int]]]:
    """Counts accounts by platform and by their highest reading in per cent of the line.

    Returns (per cent, accounts) in steps of 5 per cent, from 80; the last step is 120 and more.
    """
    line = by_platform(floors.line)
    rows = connection.execute(
        f"SELECT platform, least((highest * 20 // {line}) * 5, {TO_PERCENT}) AS step, count(*)"
        f" FROM highest WHERE highest * 100 >= {line} * {FROM_PERCENT}"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found: dict[str, list[tuple[int, int]]] = {}
    for platform, step, count in rows:
        found.setdefault(platform, []).append((int(step), count))
    return found


def crossings(connection: duckdb.DuckDBPyConnection, floors: Floors) -> dict[str, list[int]]:
    """Returns, by platform, how often each account crossed the line upward; only those that did."""
    over = f"followers >= {by_platform(floors.line)}"
    # Most accounts are over it, or below it, all the time, and need not be put in order.
    both = f"GROUP BY ALL HAVING bool_or({over}) AND NOT bool_and({over})"
    rows = connection.execute(
        "SELECT platform, count_if(over AND NOT coalesce(before, over)) AS ups FROM (SELECT *,"
        " lag(over) OVER (PARTITION BY platform, account_id ORDER BY entered, row) AS before FROM"
        f" (SELECT *, {over} AS over FROM rows SEMI JOIN (SELECT platform, account_id FROM rows"
        f" {both}) USING (platform, account_id)))"
        " GROUP BY platform, account_id HAVING ups > 0 ORDER BY ALL"
    ).fetchall()
    found: dict[str, list[int]] = {}
    for platform, ups in rows:
        found.setdefault(platform, []).append(ups)
    return found
