"""The dead letters: what was refused, by topic and reason, and whether a person has seen to it."""

from starlette.responses import Response

from streams.console.render import page
from streams.console.site import PageRequest
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.refused import Wanted, counted, letters_of

MOST_ROWS = 200


def show(asked: PageRequest) -> Response:
    """Shows counts by platform, topic and reason, and the newest letters of the chosen ones."""
    said = {name: asked.query(name) or None for name in ("platform", "topic", "reason")}
    settled = {"open": False, "settled": True}.get(asked.query("show") or "open")
    wanted = Wanted(said["platform"], said["topic"], said["reason"], settled=settled)
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        counts = counted(connection, Wanted(settled=settled))
        rows = letters_of(connection, wanted, MOST_ROWS + 1)
    values = {
        "counts": counts,
        "rows": rows[:MOST_ROWS],
        "more": len(rows) > MOST_ROWS,
        "chosen": said,
        "show": asked.query("show") or "open",
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "letters.html", values)
