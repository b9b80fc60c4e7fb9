"""Counts from the readings alone how many accounts are near a line, and how often they cross it.

A line is the follower count from which on a phase applies: here the lowest of a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from streams.backtest.expressions import by_platform
from streams.backtest.scan import FROM_PERCENT
from streams.core.model.policy import Policy

if TYPE_CHECKING:
    import duckdb

TO_PERCENT = 120


class AroundLines(NamedTuple):
    """What the readings say of the line of each policy, by the policy's name.

    `near`: (per cent of the line, accounts with such a highest reading) in steps of 5 per cent,
    from 80; the last step is 120 and more. `crossings`: how often each account crossed the line
    upward, of those that did.
    """

    near: dict[str, list[tuple[int, int]]]
    crossings: dict[str, list[int]]


def around_lines(
    connection: duckdb.DuckDBPyConnection, policies: Iterable[tuple[str, Policy]]
) -> AroundLines:
    """Looks at the line of each policy in the tables `highest` and `rows`."""
    wanted = {name: (policy.platform, policy.lines[0]) for name, policy in policies}
    near: dict[tuple[str, int], list[tuple[int, int]]] = {}
    ups: dict[tuple[str, int], list[int]] = {}
    for lines in together(wanted.values()):
        for platform, found in near_lines(connection, lines).items():
            near[platform, lines.get(platform, 0)] = found
        for platform, times in crossings(connection, lines).items():
            ups[platform, lines.get(platform, 0)] = times
    return AroundLines(
        {name: near[it] for name, it in wanted.items() if it in near},
        {name: ups[it] for name, it in wanted.items() if it in ups},
    )


def together(lines: Iterable[tuple[str, int]]) -> list[dict[str, int]]:
    """Sorts platforms' lines into few groups, each with one line of a platform at most."""
    groups: list[dict[str, int]] = []
    for platform, line in dict.fromkeys(lines):
        for group in groups:
            if platform not in group:
                group[platform] = line
                break
        else:
            groups.append({platform: line})
    return groups


def near_lines(
    connection: duckdb.DuckDBPyConnection, lines: Mapping[str, int]
) -> dict[str, list[tuple[int, int]]]:
    """Counts accounts by platform and by their highest reading in per cent of its line.

    Returns (per cent, accounts) in steps of 5 per cent, from 80; the last step is 120 and more.
    """
    line = by_platform(lines)
    rows = connection.execute(
        f"SELECT platform, least((highest * 20 // {line}) * 5, {TO_PERCENT}) AS step, count(*)"
        f" FROM highest WHERE highest * 100 >= {line} * {FROM_PERCENT}"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found: dict[str, list[tuple[int, int]]] = {}
    for platform, step, count in rows:
        found.setdefault(platform, []).append((int(step), count))
    return found


def crossings(
    connection: duckdb.DuckDBPyConnection, lines: Mapping[str, int]
) -> dict[str, list[int]]:
    """Returns, by platform, how often each account crossed its line upward, of those that did."""
    over = f"followers >= {by_platform(lines)}"
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
