"""The pages of dead letters: the list by topic and reason, one masked record, and settling."""

from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import Response

from schemas.enums import ControlReason, Refused
from schemas.inputs import INPUT_MODELS
from streams.console.orders import Wish
from streams.console.render import page
from streams.console.settling import open_places, place_of, settlement, speaks_of
from streams.console.site import PageRefusal, PageRequest
from streams.index import tables
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.refused import Wanted, counted, letters_of
from streams.letters.desk import WORK
from streams.letters.reading import origin_of
from streams.operate.errors import OperateError, UsageError

MOST_ROWS = 200
KIND = ("platform", "topic", "reason")
"""The filters of the list."""
_REASONS = tuple(it.value for it in ControlReason)


def show(asked: PageRequest) -> Response:
    """Shows counts by platform, topic and reason, and the newest letters of the chosen ones."""
    said = {name: asked.query(name) or None for name in KIND}
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
        "place": place_of,
        "works": tuple(WORK),
        "reasons": _REASONS,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "letters.html", values)


def _row(connection: Connection, place: str) -> Any:
    """Returns the index's row of a letter. Raises PageRefusal if there is none."""
    letters = tables.letters
    try:
        origin = origin_of(place)
    except UsageError:
        raise PageRefusal(404, "error.no_such_letter") from None
    mine = select(letters).where(speaks_of(letters, origin))
    found = connection.execute(mine.order_by(letters.c.offset.desc()).limit(1)).first()
    if found is None:
        raise PageRefusal(404, "error.no_such_letter")
    return found


def whose(asked: PageRequest) -> list[str]:
    """Returns the account of the letter that is asked for, for the log of accesses."""
    with reading(asked.console.engine) as connection:
        account: str | None = _row(connection, asked.path("place")).account
    return [] if account is None else [account]


def told(asked: PageRequest) -> str:
    """Returns which of the closed words were chosen of the list, for the log of accesses."""
    lists = {"topic": INPUT_MODELS, "reason": tuple(Refused), "show": ("settled", "all")}
    chosen = [asked.query(name) for name, words in lists.items() if asked.query(name) in words]
    return " ".join(("/dead-letters", *chosen))


def one(asked: PageRequest) -> Response:
    """Shows one letter with its record, which is fetched from its topic and masked."""
    place, settlements = asked.path("place"), tables.settlements
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        row = _row(connection, place)
        mine = select(settlements).where(speaks_of(settlements, origin_of(place)))
        settled = connection.execute(mine.order_by(settlements.c.offset.desc())).first()
    found: dict[str, Any] = {}
    fault = None
    try:
        found = asked.console.letters.shown(place)
    except OperateError as error:
        fault = str(error)
    values = {
        "place": place,
        "row": row,
        "settled": settled,
        "found": found,
        "fault": fault,
        "works": tuple(WORK),
        "reasons": _REASONS,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "letter.html", values)


def wish_of(asked: PageRequest) -> Wish:
    """Reads the form of settling: the chosen letters, or every open one of a kind."""
    places = asked.form.get("place", [])
    if asked.said("which") == "every":
        platform, topic, reason = (asked.said(f"of_{name}") or None for name in KIND)
        with reading(asked.console.engine) as connection:
            places = open_places(connection, Wanted(platform, topic, reason, settled=False))
    rekey = asked.said("rekey") == "1"
    return settlement(asked.said("work"), places, asked.said("reason"), rekey)
