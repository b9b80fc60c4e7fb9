"""Reads work-lists from the index; prints the list of unacknowledged events, which only it has."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Engine

from streams.cli.output import echo, echo_error, echo_json, echo_table
from streams.cli.source import index_needed
from streams.index.database import reading
from streams.index.fresh import Fresh, freshness
from streams.index.states import feed_list
from streams.index.unobeyed import unobeyed
from streams.operate.worklists import WorkList, WorkLists
from streams.policies.scalars import parse_duration
from streams.settings import Settings


def lists_of(engine: Engine, which: WorkList, now: int, *, quiet: bool) -> WorkLists:
    """Reads a work-list from the index, and prints how fresh the index is.

    `quiet`: a program reads the output; only a late index is reported, on standard error.
    """
    lists = WorkLists()
    with reading(engine) as connection:
        fresh = freshness(connection)
        feed_list(connection, which, lists)
    _tell(fresh, now, quiet=quiet)
    return lists


def _tell(fresh: Fresh, now: int, *, quiet: bool) -> None:
    if not quiet:
        echo(fresh.text(now))
    elif fresh.late(now):
        echo_error(fresh.text(now))


def show_unobeyed(chosen: Settings, now: int, platform: str | None, as_json: bool) -> None:
    """Prints throttle events that no system has acknowledged for longer than ACKNOWLEDGED_WITHIN.

    `now`: ms. `platform`: only this one; None: all.
    """
    before = now - parse_duration(chosen.acknowledged_within)
    with index_needed(chosen) as connection:
        fresh, rows = freshness(connection), unobeyed(connection, before, platform)
    _tell(fresh, now, quiet=as_json)
    if as_json:
        echo_json([row.as_dict() for row in rows])
        return
    columns = ("account", "event", "surface", "since", "event_id", "failed")
    if rows:
        echo_table(columns, ([getattr(row, name) for name in columns] for row in rows))
    echo(f"{len(rows)} unacknowledged{by_platform(row.account for row in rows)}")


def by_platform(accounts: Iterable[str]) -> str:
    """Returns the number of accounts by platform in words; empty if there is only one platform."""
    counts = Counter(account.partition(":")[0] for account in accounts)
    if len(counts) < 2:
        return ""
    return ": " + ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
