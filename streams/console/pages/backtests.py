"""Kept reports of backtests: the list, one, two beside each other, and the accounts that change."""

import json
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from streams.backtest.figures import compared, pairs
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.index import kept
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.kept import KeptReport, ReportKind

MOST_ROWS = 200
FILTERS = ("what", "under")


def show(asked: PageRequest) -> Response:
    """Shows the reports that are kept, the newest first."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        rows = kept.listed(connection, ReportKind.BACKTEST)
    values = {"rows": rows, "fresh": fresh, "late": fresh.late(asked.now)}
    return page(asked, "backtests.html", values)


def _read(connection: Connection, name: str) -> tuple[KeptReport, dict[str, Any]]:
    """Returns a report and its content. Raises PageRefusal if there is none."""
    found = kept.find(connection, ReportKind.BACKTEST, name)
    if found is None or found.content is None:
        raise PageRefusal(404, "error.report")
    return found, json.loads(found.content)


def one(asked: PageRequest) -> Response:
    """Shows one report, or two beside each other: what differs, or all of it."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        rows = kept.listed(connection, ReportKind.BACKTEST)
        first, content = _read(connection, asked.path("report"))
        second, other = first, content
        if asked.query("against"):
            second, other = _read(connection, asked.query("against"))
    everything = asked.query("all") == "1" or second.id == first.id
    parts = []
    for a, b in pairs(content, other):
        lines = [] if a is None or b is None else compared(a, b)
        shown = [it for it in lines if everything or it.differs]
        parts.append({"a": a, "b": b, "lines": shown, "same": len(lines) - len(shown)})
    values = {
        "first": first,
        "second": None if second.id == first.id else second,
        "report": content,
        "changes": content.get("against"),
        "other": other,
        "parts": parts,
        "everything": everything,
        "others": [it for it in rows if it.id != first.id],
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "backtest.html", values)


def accounts(asked: PageRequest) -> Response:
    """Shows the accounts for which the two policies of one report differ."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        found, content = _read(connection, asked.path("report"))
    against = content.get("against") or {"changes": [], "counts": [], "a": "", "b": ""}
    chosen = {name: asked.query(name) for name in FILTERS}
    changes = [
        it
        for it in against["changes"]
        if all(not wanted or it[name] == wanted for name, wanted in chosen.items())
    ]
    number = asked.query("page")
    first = MOST_ROWS * (int(number) if number.isdecimal() and len(number) < 6 else 0)
    values = {
        "found": found,
        "against": against,
        "chosen": chosen,
        "rows": changes[first : first + MOST_ROWS],
        "count": len(changes),
        "page": first // MOST_ROWS,
        "more": len(changes) > first + MOST_ROWS,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "backtest_accounts.html", values)
