"""A period's numbers for a transparency report, and the log of who looked at which account."""

import json

from sqlalchemy import Connection, select
from starlette.responses import Response

from streams.console import zones
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.instants import DAY, day_of, day_start
from streams.index import tables
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.report import Report, report
from streams.index.report_forms import WRITE, Form, tables_of

KINDS = {
    Form.JSON: "application/json",
    Form.CSV: "text/csv; charset=utf-8",
    Form.MARKDOWN: "text/markdown; charset=utf-8",
    Form.HTML: "text/html; charset=utf-8",
}
NUMBERS = (
    *("count", "opened", "upheld", "rejected", "overturned_ppm", "eligible"),
    *(f"{name}_seconds" for name in tables.SPANS),
)
"""The columns of figures."""
MOST_ROWS = 500


def period(asked: PageRequest, start_day: str, end_day: str) -> tuple[int, int]:
    """Returns these days (ms, without the end) in the person's zone; empty: the last seven.

    Raises PageRefusal.
    """
    today = day_start(day_of(asked.now))
    try:
        start, end = (
            zones.instant(f"{day}T00:00:00", asked.view.zone) if day else other
            for day, other in ((start_day, today - 6 * DAY), (end_day, today + DAY))
        )
    except ValueError:
        raise PageRefusal(400, "error.day") from None
    if end <= start:
        raise PageRefusal(400, "error.period")
    return start, end


def _period(asked: PageRequest) -> tuple[int, int]:
    return period(asked, asked.query("from"), asked.query("to"))


def _made(asked: PageRequest, connection: Connection) -> Report:
    start, end = _period(asked)
    return report(connection, start, end, asked.query("platform") or None)


def show(asked: PageRequest) -> Response:
    """Shows the tables of a report."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        made = _made(asked, connection)
    start, end = _period(asked)
    values = {
        "start": zones.moment(start, asked.view.zone)[:10],
        "end": zones.moment(end, asked.view.zone)[:10],
        "platform": asked.query("platform"),
        "tables": tables_of(made),
        "numbers": NUMBERS,
        "forms": tuple(Form),
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "reports.html", values)


def download(asked: PageRequest) -> Response:
    """Returns a report as a file; of an index that is being filled none: it would be part."""
    try:
        form = Form(asked.query("as") or Form.JSON)
    except ValueError:
        raise PageRefusal(400, "error.file_kind") from None
    with reading(asked.console.engine) as connection:
        if freshness(connection).as_of is None:
            raise PageRefusal(503, "error.part")
        made = _made(asked, connection)
    plain = made.as_dict()
    text = json.dumps(plain, ensure_ascii=False, indent=2)
    body = text if form is Form.JSON else WRITE[form](made)
    days = (zones.moment(it, asked.view.zone)[:10] for it in _period(asked))
    name = f"byline-{'-'.join(days)}.{'md' if form is Form.MARKDOWN else form}"
    saved = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, headers={"Content-Type": KINDS[form], **saved})


def accesses(asked: PageRequest) -> Response:
    """Shows who looked at which account, the newest first."""
    table = tables.accesses
    statement = select(table).order_by(table.c.id.desc()).limit(MOST_ROWS)
    for name in ("actor", "account"):
        if asked.query(name):
            statement = statement.where(table.c[name] == asked.query(name))
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        rows = [dict(it) for it in connection.execute(statement).mappings()]
    chosen = {name: asked.query(name) for name in ("actor", "account")}
    values = {"rows": rows, "chosen": chosen, "fresh": fresh, "late": fresh.late(asked.now)}
    return page(asked, "accesses.html", values)
