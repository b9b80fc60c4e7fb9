"""Settling dead letters from a page, by the functions of `byline dead-letters`.

A dry run counts what would become of each; what was counted is what is settled, each letter once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select

from schemas.enums import ControlReason
from streams.console.orders import Wish
from streams.console.progress import Progress
from streams.console.proposals import Proposal
from streams.console.site import Console, PageRefusal
from streams.index import tables
from streams.index.chunks import chunks
from streams.index.refused import Wanted, letters_of
from streams.letters.desk import WORK
from streams.letters.producer import TakenOverError
from streams.letters.reading import Filter, NoLetterError, Origin, origin_of, origins_of
from streams.letters.settle import Done, SettlementOrder, lines_of
from streams.operate.errors import UsageError

LETTERS = "dead-letters"
MOST_LETTERS = 1_000
_CHUNK = 100
"""How many letters a query asks for: each is a condition of its own."""


def settlement(word: str, places: Iterable[str], reason: str, rekey: bool) -> Wish:
    """Makes the wish to settle the letters of refused records. Raises PageRefusal."""
    try:
        named, why = sorted(set(map(origin_of, places))), ControlReason(reason).value
    except UsageError as error:
        raise PageRefusal(400, "error.order", why=str(error)) from None
    except ValueError:
        raise PageRefusal(400, "error.choice") from None
    if word not in WORK:
        raise PageRefusal(400, "error.choice")
    if not named:
        raise PageRefusal(400, "error.no_letter")
    if len(named) > MOST_LETTERS:
        raise PageRefusal(400, "error.letters", most=MOST_LETTERS)
    return Wish(LETTERS, word, why, places=tuple(map(str, named)), rekey=rekey)


def place_of(row: Mapping[str, Any]) -> str:
    """Returns the place of the record that a row of a letter speaks of."""
    return str(Origin(row["topic"], row["origin_partition"], row["origin_offset"]))


def speaks_of(table: Table, origin: Origin) -> ColumnElement[bool]:
    """Returns the condition that a row of letters or settlements is about a record."""
    return and_(
        table.c.topic == origin.topic,
        # A person may have typed more than the database's numbers hold: no row has these.
        table.c.origin_partition == min(origin.partition, 2**31 - 1),
        table.c.origin_offset == min(origin.offset, 2**63 - 1),
    )


def open_places(connection: Connection, wanted: Wanted) -> list[str]:
    """Returns the places of the open letters of a filter, at most one more than can be settled."""
    return [place_of(it) for it in letters_of(connection, wanted, MOST_LETTERS + 1)]


def dry_run(console: Console, wish: Wish, actor: str, now: int) -> dict[str, Any]:
    """Counts what would become of the letters. Raises PageRefusal if there is no such letter,
    OperateError where Kafka cannot be asked.
    """
    try:
        done = console.letters.settle(wish.word, _order(wish, actor, now), dry=True)
    except NoLetterError as error:
        raise PageRefusal(404, "error.order", why=str(error)) from None
    return {"letters": len(wish.places), **_told(done)}


def carry_out(console: Console, found: Proposal, issued_at: int) -> dict[str, Any]:
    """Settles the letters of a decided proposal, as the person who prepared it.

    Raises PageRefusal if another order was begun meanwhile; pressed again, it goes on.
    """
    order = _order(found.wish, found.actor, issued_at)
    try:
        done = console.letters.settle(found.wish.word, order, dry=False)
    except NoLetterError as error:
        return {**found.outcome, "fault": str(error)}
    except TakenOverError:
        raise PageRefusal(409, "error.letters_at_once") from None
    return {**found.outcome, **_told(done), "count": done.settled}


def _order(wish: Wish, actor: str, now: int) -> SettlementOrder:
    wanted = Filter(origins=origins_of(wish.places))
    return SettlementOrder(actor, wish.reason, wanted, now, rekey=wish.rekey, again=True)


def _told(done: Done) -> dict[str, Any]:
    return {"settled": done.settled, "before": done.before, "left": dict(lines_of(done.left))}


def shown_settled(connection: Connection, found: Proposal) -> Progress:
    """Returns how many of the letters the index shows as settled, of those that were."""
    table, done = tables.settlements, 0
    places = [origin_of(it) for it in found.wish.places]
    for some in chunks(places, _CHUNK):
        mine = or_(*(speaks_of(table, it) for it in some))
        each = select(table.c.topic, table.c.origin_partition, table.c.origin_offset)
        distinct = each.where(mine).distinct().subquery()
        done += connection.scalar(select(func.count()).select_from(distinct)) or 0
    wanted = found.outcome.get("settled", 0) + found.outcome.get("before", 0)
    return Progress(min(done, wanted), wanted)
