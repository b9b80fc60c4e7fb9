"""The work-lists: accounts that need a person, sorted, filtered, and chosen to act on."""

from collections import Counter
from typing import Any

from starlette.responses import Response

from schemas.enums import ControlReason
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.instants import HOUR
from streams.index.database import reading
from streams.index.fresh import Fresh, freshness
from streams.index.states import feed_list, partition_count
from streams.index.unobeyed import unobeyed
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


def show(asked: PageRequest) -> Response:
    """Shows a list, a page of at most MOST_ROWS rows."""
    which = asked.path("list")
    if which not in LISTS:
        raise PageRefusal(404, "error.missing")
    hours = int(asked.query("within")) if asked.query("within") in map(str, WITHIN) else WITHIN[0]
    rows, fresh = _rows(asked, which, hours)
    platforms = Counter(str(it["account"]).partition(":")[0] for it in rows)
    chosen = asked.query("platform")
    if chosen in platforms:
        rows = [it for it in rows if str(it["account"]).startswith(f"{chosen}:")]
    columns = COLUMNS[which]
    by = asked.query("by") if asked.query("by") in columns else ""
    if by:
        down = asked.query("down") == "1"
        rows.sort(key=lambda it: (it[by] in (None, ()), str(it[by])), reverse=down)
    number = asked.query("page")
    first = MOST_ROWS * (int(number) if number.isdecimal() and len(number) < 6 else 0)
    values = {
        "which": which,
        "lists": LISTS,
        "columns": columns,
        "rows": rows[first : first + MOST_ROWS],
        "count": len(rows),
        "page": first // MOST_ROWS,
        "more": len(rows) > first + MOST_ROWS,
        "platforms": platforms,
        "platform": chosen if chosen in platforms else "",
        "by": by,
        "down": asked.query("down") == "1",
        "within": hours,
        "spans": WITHIN,
        "commands": COMMANDS[which],
        "reasons": tuple(it.value for it in ControlReason),
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "worklist.html", values)


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
