"""The overview: the funnel, what is in force, what is due, and how old the data is."""

from typing import Any

from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from schemas.enums import Mode
from streams.console.charts import ChartSpan, bars
from streams.console.render import page
from streams.console.site import PageRequest
from streams.console.today import today, workers
from streams.core.model.instants import DAY, HOUR, SHANGHAI_OFFSET, day_of, day_start, rfc3339
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.funnel import Asked as Period
from streams.index.funnel import By, Line, funnel
from streams.index.overview import overview
from streams.index.refused import Wanted, counted
from streams.index.standing import restricted
from streams.index.states import feed_beside, partition_count
from streams.index.sums import STEPS
from streams.index.work import Pending, open_work
from streams.operate.audit.records import millis
from streams.operate.worklists import WorkLists
from streams.serve.roles import Role

DAYS = (7, 14, 30)
DRAWN = ("invited", "granted", "declined", "restricted", "released")
"""The steps of the funnel that the page also draws as a small chart over time."""
BOX = (280, 36)
"""Width and height of a small chart, in units of its SVG."""


def show(asked: PageRequest) -> Response:
    """Shows the overview of the last days, live or in shadow; without numbers, the accounts."""
    if not asked.has(Role.NUMBERS):
        return RedirectResponse("/accounts", 303)
    days = int(asked.query("days")) if asked.query("days") in map(str, DAYS) else DAYS[1]
    mode = Mode.SHADOW if asked.query("mode") == "shadow" else Mode.ENFORCE
    lists, now = WorkLists(), asked.now
    start = day_start(day_of(now) - days + 1)
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        lists.states.partition_count = partition_count(connection)
        feed_beside(connection, lists.feed)
        pending, work = Pending(connection, lists, now, now + DAY), open_work(connection)
        hours = pending.hours()
        refused = counted(connection, Wanted(start=now - DAY, settled=False))
        stands = restricted(connection)
        changed = today(connection, day_start(day_of(now)))
        written = workers(connection)
        # Sums are of whole hours, and nothing was decided after now.
        end = (now // HOUR + 1) * HOUR
        lines = funnel(connection, Period(start, end, By.PLATFORM, None, mode), medians=False)
        drawn = [_drawn(connection, start, end, it.group, mode, days) for it in lines]
    values = {
        "fresh": fresh,
        "late": fresh.late(now),
        "days": days,
        "spans": DAYS,
        "mode": str(mode),
        "steps": tuple(STEPS),
        "lines": lines,
        "drawn": drawn,
        "box": BOX,
        "found": overview(lists.states, {}, now),
        "millis": millis,
        "restricted": sum(stands.values()),
        "refused": refused,
        "today": changed,
        "workers": written,
        "pending": pending.platforms.total(),
        "hours": hours,
        "work": work,
    }
    return page(asked, "overview.html", values)


def _drawn(
    connection: Connection, start: int, end: int, platform: str, mode: Mode, days: int
) -> dict[str, Any]:
    """Returns the small drawings of a platform: by step, a bar for each day."""
    period = Period(start, end, By.DAY, platform, mode)
    found = {it.group: it for it in funnel(connection, period, medians=False)}
    names = [rfc3339(start + number * DAY + SHANGHAI_OFFSET)[:10] for number in range(days)]
    steps = {step: _bars(found, names, step) for step in DRAWN}
    return {"platform": platform, "steps": steps, "names": names, "lines": found}


def _bars(found: dict[str, Line], names: list[str], step: str) -> list[ChartSpan]:
    counts = [(it, found[it].counts[step] if it in found else 0) for it in names]
    return bars(counts, *BOX)
