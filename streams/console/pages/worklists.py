"""The work-lists: accounts that need a person, sorted, filtered, and chosen to act on."""

from collections import Counter
from typing import Any, NamedTuple

from starlette.responses import Response

from schemas.enums import ControlReason
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.instants import HOUR
from streams.index.database import reading
from streams.index.fresh import Fresh, freshness
from streams.index.states import feed_beside, feed_list, partition_count
from streams.index.unobeyed import unobeyed
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


SORTED = ("account", "due_at")
"""The columns by which the database itself sorts."""


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
    by_sum = which == "pending" and by in ("", *SORTED)
    found, fresh = (_pending if by_sum else _listed)(asked, which, hours, chosen)
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


def _pending(asked: PageRequest, _: str, hours: int, chosen: Chosen) -> tuple[ListPage, Fresh]:
    """Returns the rows of the list that may be long, without looking at those not shown."""
    lists, now = WorkLists(), asked.now
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        lists.states.partition_count = partition_count(connection)
        feed_beside(connection, lists.feed)
        pending = Pending(connection, lists, now, now + hours * HOUR)
        platforms = pending.platforms
        platform = chosen.platform if chosen.platform in platforms else ""
        rows = pending.page(platform, chosen.by, chosen.down, chosen.first, MOST_ROWS)
    count = platforms[platform] if platform else platforms.total()
    return ListPage([_timed(it.as_dict()) for it in rows], count, platforms), fresh


def _listed(asked: PageRequest, which: str, hours: int, chosen: Chosen) -> tuple[ListPage, Fresh]:
    rows, fresh = _rows(asked, which, hours)
    platforms = Counter(str(it["account"]).partition(":")[0] for it in rows)
    if chosen.platform in platforms:
        rows = [it for it in rows if str(it["account"]).startswith(f"{chosen.platform}:")]
    by = chosen.by
    if by:
        rows.sort(key=lambda it: (it[by] in (None, ()), str(it[by])), reverse=chosen.down)
    return ListPage(rows[chosen.first : chosen.first + MOST_ROWS], len(rows), platforms), fresh


def _rows(asked: PageRequest, which: str, hours: int) -> tuple[list[dict[str, Any]], Fresh]:
    """Returns the rows of a list, times in ms, and how fresh they are."""
    settings, lists = asked.console.settings, WorkLists()
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        if which == UNACKNOWLEDGED:
            before = asked.now - parse_duration(settings.acknowledged_within)
            return [_timed(it.as_dict()) for it in unobeyed(connection, before)], fresh
        named: WorkList = next(it for it in WORK_LISTS if it == which)
        lists.states.partition_count = partition_count(connection)
        feed_list(connection, named, lists.feed)
    span = parse_duration(settings.unconfirmed_after) if which == "unconfirmed" else hours * HOUR
    found: list[Row] = lists.rows(named, asked.now, span)
    return [_timed(it.as_dict()) for it in found], fresh


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    times = {it: millis(row[it]) for it in ("since", "due_at") if row.get(it)}
    return {**row, **times}
