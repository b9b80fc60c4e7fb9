"""Keeps and lists restrictions and lifts that no enforcing system has acknowledged.

As long as no system has ever acknowledged an event, silence means nothing, and the list is empty.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from schemas.enums import AckOutcome, Event
from streams.core.model.instants import rfc3339
from streams.index import tables
from streams.index.rows import Row, Rows

THROTTLES = "throttles"
SAID = (Event.THROTTLE_APPLIED, Event.THROTTLE_LIFTED)


@dataclass(frozen=True, slots=True)
class Unobeyed:
    """The newest throttle event of a surface, if no system has acknowledged that it carried it out.

    `since`: when it was decided (RFC 3339). `failed`: a system said that it could not.
    """

    account: str
    event: str
    surface: str
    since: str
    event_id: str
    failed: bool

    def as_dict(self) -> dict[str, Any]:
        """Returns the event as JSON of `byline worklist unacknowledged --json`."""
        # Each value is one that nobody changes: `asdict` would copy them all.
        return {it.name: getattr(self, it.name) for it in fields(self)}


def unobeyed(connection: Connection, before: int, platform: str | None = None) -> list[Unobeyed]:
    """Returns the events decided before `before` (ms) that no system carried out.

    Lifts come first, then the oldest.
    """
    found = Unacknowledged(connection, before)
    return found.page(platform or "") if platform is None or found.platforms[platform] else []


class Unacknowledged:
    """The events decided before `before` (ms) that no system carried out, by pages.

    `platforms`: how many each platform has.
    """

    def __init__(self, connection: Connection, before: int) -> None:
        obliged = tables.obliged.c
        self._connection = connection
        self._mine = and_(~obliged.done, obliged.decided_at < before)
        self.platforms: Counter[str] = Counter()
        if connection.scalar(select(tables.acks.c.offset).limit(1)) is not None:
            counts = select(obliged.platform, func.count()).where(self._mine)
            for name, count in connection.execute(counts.group_by(obliged.platform)):
                self.platforms[name] = count

    def page(
        self,
        platform: str,
        by: str = "",
        down: bool = False,
        first: int = 0,
        most: int | None = None,
    ) -> list[Unobeyed]:
        """Returns events from `first` on; `most` None: to the end.

        `platform`: empty: all. `by`: a field of Unobeyed; empty: lifts come first, then the oldest.
        """
        if not self.platforms:
            return []
        it = tables.obliged.c
        lifts = case((it.event == str(Event.THROTTLE_LIFTED), 0), else_=1)
        order: list[Any] = [lifts, it.decided_at, it.account, it.surface]
        if by:
            column = it.decided_at if by == "since" else it[by]
            order = [column.desc() if down else column, *order]
        mine = self._mine if not platform else and_(self._mine, it.platform == platform)
        asked = select(tables.obliged).where(mine).order_by(*order).offset(first).limit(most)
        return [
            Unobeyed(
                row.account,
                row.event,
                row.surface,
                rfc3339(row.decided_at),
                row.event_id,
                bool(row.failed),
            )
            for row in self._connection.execute(asked)
        ]


_EVENT = {it.name: number for number, it in enumerate(tables.events.columns)}
_COPIED = tuple(it.name for it in tables.obliged.columns if it.name not in ("done", "failed"))


def keep(connection: Connection, rows: Rows) -> None:
    """Brings `obliged` up to date with rows that were just written."""
    table = tables.obliged
    newest: dict[tuple[str, str], Row] = {}
    for it in rows.events:
        if it[_EVENT["topic"]] == THROTTLES and it[_EVENT["event"]] in SAID:
            place = (it[_EVENT["account"]], it[_EVENT["surface"]])
            before = newest.get(place)
            if before is None or before[_EVENT["sequence"]] < it[_EVENT["sequence"]]:
                newest[place] = it
    if newest:
        new = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
        taken = {it.name: new.excluded[it.name] for it in table.columns if not it.primary_key}
        upsert = new.on_conflict_do_update(
            index_elements=[it.name for it in table.primary_key],
            set_=taken,
            where=new.excluded.sequence > table.c.sequence,
        )
        plain = {"done": False, "failed": False}
        found = [{name: it[_EVENT[name]] for name in _COPIED} | plain for it in newest.values()]
        connection.execute(upsert, found)
    _obeyed(connection, sorted({it[0] for it in newest} | {it[2] for it in rows.acks}))


def _obeyed(connection: Connection, accounts: Sequence[str]) -> None:
    table = tables.obliged
    if accounts:
        mine = table.c.account == bindparam("its_account")
        statement = update(table).where(mine).values(**_said())
        connection.execute(statement, [{"its_account": it} for it in accounts])


def _said() -> dict[str, Any]:
    acks, table = tables.acks, tables.obliged
    mine = and_(acks.c.account == table.c.account, acks.c.event_id == table.c.event_id)
    return {
        "done": exists().where(and_(mine, acks.c.outcome != AckOutcome.FAILED)),
        "failed": exists().where(and_(mine, acks.c.outcome == AckOutcome.FAILED)),
    }


def recount(connection: Connection) -> None:
    """Makes `obliged` anew from the events and acknowledgements."""
    table, events = tables.obliged, tables.events
    connection.execute(delete(table))
    rank = func.row_number().over(
        partition_by=(events.c.account, events.c.surface), order_by=events.c.sequence.desc()
    )
    mine = and_(events.c.topic == THROTTLES, events.c.event.in_(SAID))
    ranked = select(*(events.c[name] for name in _COPIED), rank.label("rank")).where(mine)
    newest = ranked.subquery()
    source = select(*(newest.c[name] for name in _COPIED), literal(False), literal(False))
    names = [*_COPIED, "done", "failed"]
    connection.execute(insert(table).from_select(names, source.where(newest.c.rank == 1)))
    connection.execute(update(table).values(**_said()))


def purge(connection: Connection, before: int) -> None:
    """Forgets those whose event was deleted as older than `before` (ms)."""
    table, events = tables.obliged, tables.events
    mine = and_(events.c.account == table.c.account, events.c.event_id == table.c.event_id)
    gone = and_(table.c.decided_at < before, ~exists().where(mine))
    connection.execute(delete(table).where(gone))
