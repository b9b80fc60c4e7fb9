"""The work-lists: accounts that need a person, sorted, filtered, and chosen to act on."""

import re
from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import Connection
from starlette.responses import Response

from schemas.enums import PLATFORM_PATTERN, ControlReason
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.instants import HOUR
from streams.index import waiting
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.states import feed_beside, feed_list, partition_count
from streams.index.unobeyed import Unacknowledged
from streams.index.waiting import WAITING_LISTS, WaitingList, WaitingPages
from streams.index.work import Pending
from streams.operate.audit.records import millis
from streams.operate.worklists import WORK_LISTS, Row, WorkList, WorkLists
from streams.policies.scalars import parse_duration

UNACKNOWLEDGED = "unacknowledged"
LISTS = (*WORK_LISTS, UNACKNOWLEDGED)
COLUMNS: dict[str, tuple[str, ...]] = {
    "undeliverable": ("account", "since", "reason", "surfaces", "after_delivery"),
    "unconfirmed": ("account", "since", "surfaces"),
    "unclear": ("account", "since", "reason", "consent"),
    "pending": ("account", "due_at", "reason", "surfaces", "waits_for"),
    "appeals": ("account", "since", "appeal_id", "surfaces"),
    UNACKNOWLEDGED: ("account", "since", "event", "surface", "failed"),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "undeliverable": ("reissue", "hold", "lift"),
    "unconfirmed": ("reissue", "hold", "lift"),
    "unclear": ("settle", "hold"),
    "pending": ("hold", "extend", "lift"),
    "appeals": ("appeal_upheld", "appeal_rejected"),
    UNACKNOWLEDGED: (),
}
"""List → what can be done with its rows at once."""
WITHIN = (24, 72, 168)
MOST_ROWS = 200
PLATFORM = re.compile(PLATFORM_PATTERN[1:-1])


SORTED = {
    "pending": ("account", "due_at"),
    UNACKNOWLEDGED: COLUMNS[UNACKNOWLEDGED],
    **dict.fromkeys(("undeliverable", "unconfirmed", "unclear", "appeals"), waiting.SORTED),
}
"""List → the columns by which the database itself sorts, so that only the shown rows are read."""


class Chosen(NamedTuple):
    """What a person chose: a platform (empty: all), a column, downwards, from which row on."""

    platform: str
    by: str
    down: bool
    first: int


class ListPage(NamedTuple):
    """The rows that are shown, how many there are of the platform, and how many of each."""

    rows: list[dict[str, Any]]
    total: int
    platforms: Counter[str]


def show(asked: PageRequest) -> Response:
    """Shows a list, a page of at most MOST_ROWS rows."""
    which = asked.path("list")
    if which not in LISTS:
        raise PageRefusal(404, "error.missing")
    hours = int(asked.query("within")) if asked.query("within") in map(str, WITHIN) else WITHIN[0]
    columns = COLUMNS[which]
    by = asked.query("by") if asked.query("by") in columns else ""
    number = asked.query("page")
    first = MOST_ROWS * (int(number) if number.isdecimal() and len(number) < 6 else 0)
    chosen = Chosen(asked.query("platform"), by, asked.query("down") == "1", first)
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        if by in ("", *SORTED[which]):
            found = _paged(connection, asked, which, hours, chosen)
        else:
            found = _sorted(_rows(connection, asked, which, hours), chosen)
    values = {
        "which": which,
        "lists": LISTS,
        "columns": columns,
        "rows": found.rows,
        "count": found.total,
        "page": first // MOST_ROWS,
        "more": found.total > first + MOST_ROWS,
        "platforms": found.platforms,
        "platform": chosen.platform if chosen.platform in found.platforms else "",
        "by": by,
        "down": chosen.down,
        "within": hours,
        "spans": WITHIN,
        "commands": COMMANDS[which],
        "reasons": tuple(it.value for it in ControlReason),
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "worklist.html", values)


def told(asked: PageRequest) -> str:
    """Returns which list and what of it was chosen, for the log of accesses."""
    which = asked.path("list")
    if which not in LISTS:
        return "/worklists/{list}"
    # The person may have typed anything, even a name: only what can be chosen is written.
    named = [asked.query("platform")] if PLATFORM.fullmatch(asked.query("platform")) else []
    if which == "pending" and asked.query("within") in map(str, WITHIN):
        named.append(f"{asked.query('within')}h")
    if asked.query("page").isdecimal() and len(asked.query("page")) < 6:
        named.append(f"page {int(asked.query('page')) + 1}")
    return " ".join((f"/worklists/{which}", *named))


def _paged(
    connection: Connection, asked: PageRequest, which: str, hours: int, chosen: Chosen
) -> ListPage:
    """Returns the rows of a list without looking at those that are not shown."""
    found = _list(connection, asked, which, hours)
    platforms = found.platforms
    platform = chosen.platform if chosen.platform in platforms else ""
    rows = found.page(platform, chosen.by, chosen.down, chosen.first, MOST_ROWS)
    count = platforms[platform] if platform else platforms.total()
    return ListPage([_timed(it.as_dict()) for it in rows], count, platforms)


def _list(
    connection: Connection, asked: PageRequest, which: str, hours: int
) -> Pending | WaitingPages | Unacknowledged:
    now = asked.now
    if which == UNACKNOWLEDGED:
        within = parse_duration(asked.console.settings.acknowledged_within)
        return Unacknowledged(connection, now - within)
    if which == "pending":
        lists = WorkLists()
        lists.states.partition_count = partition_count(connection)
        feed_beside(connection, lists.feed)
        return Pending(connection, lists, now, now + hours * HOUR)
    named: WaitingList = next(it for it in WAITING_LISTS if it == which)
    return WaitingPages(connection, named, now, _span(asked, which, hours))


def _span(asked: PageRequest, which: str, hours: int) -> int:
    unconfirmed = parse_duration(asked.console.settings.unconfirmed_after)
    return unconfirmed if which == "unconfirmed" else hours * HOUR


def _sorted(rows: list[dict[str, Any]], chosen: Chosen) -> ListPage:
    """Returns the page of a list that is sorted by what only its rows say."""
    platforms = Counter(str(it["account"]).partition(":")[0] for it in rows)
    if chosen.platform in platforms:
        rows = [it for it in rows if str(it["account"]).startswith(f"{chosen.platform}:")]
    by = chosen.by
    rows.sort(key=lambda it: (it[by] in (None, ()), str(it[by])), reverse=chosen.down)
    return ListPage(rows[chosen.first : chosen.first + MOST_ROWS], len(rows), platforms)


def _rows(
    connection: Connection, asked: PageRequest, which: str, hours: int
) -> list[dict[str, Any]]:
    """Returns all rows of a list that is made from states, times in ms."""
    lists = WorkLists()
    named: WorkList = next(it for it in WORK_LISTS if it == which)
    lists.states.partition_count = partition_count(connection)
    feed_list(connection, named, lists)
    found: list[Row] = lists.rows(named, asked.now, _span(asked, which, hours))
    return [_timed(it.as_dict()) for it in found]


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    times = {it: millis(row[it]) for it in ("since", "due_at") if row.get(it)}
    return {**row, **times}
