"""A page of a work-list, by the columns of `states`: of the shown accounts alone the state is read.

`pending` has its own columns and its own class (work.py).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from streams.core.lifecycle import Invitation
from streams.index import tables
from streams.index.states import feed_beside, feed_notices, partition_count
from streams.index.sums import platform_of
from streams.index.work import rows_at
from streams.operate.worklists import Row, WorkLists

WaitingList = Literal["undeliverable", "unconfirmed", "unclear", "appeals"]
WAITING_LISTS: tuple[WaitingList, ...] = ("undeliverable", "unconfirmed", "unclear", "appeals")
SORTED = ("account", "since")
"""The columns by which a list can be sorted without looking at the states of all its accounts."""


class WaitingPages:
    """A list of accounts that wait for a person, read from the index.

    `now`: ms. `within` (ms): `unconfirmed` has notices that are at least that old.
    """

    def __init__(self, connection: Connection, which: WaitingList, now: int, within: int) -> None:
        self._connection, self._which = connection, which
        self._now, self._within = now, within
        self._lists = WorkLists()
        self._lists.states.partition_count = partition_count(connection)
        feed_beside(connection, self._lists.feed)
        it = tables.states.c
        self._since = {"unclear": it.unclear_since, "appeals": it.appeal_since}.get(
            which, it.waits_since
        )
        self._mine: ColumnElement[bool] = {
            "undeliverable": and_(it.live == int(Invitation.UNDELIVERED), self._since.is_not(None)),
            "unconfirmed": and_(it.live == int(Invitation.INVITED), self._since <= now - within),
            "unclear": it.unclear_since.is_not(None),
            "appeals": it.appeals > 0,
        }[which]
        self.platforms = self._counted()

    def _counted(self) -> Counter[str]:
        """Returns how many rows each platform has."""
        platform = platform_of(self._connection, tables.states.c.key)
        rows = func.count() if self._which != "appeals" else func.sum(tables.states.c.appeals)
        asked = select(platform, rows).where(self._mine).group_by(platform)
        return Counter({name: int(count) for name, count in self._connection.execute(asked)})

    def page(self, platform: str, by: str, down: bool, first: int, most: int) -> list[Row]:
        """Returns rows from `first` on.

        `platform`: empty: all. `by`: one of SORTED; empty: as `WorkLists.rows` sorts.
        """
        mine = self._mine
        if platform:
            mine = and_(mine, tables.states.c.key.startswith(f"{platform}:", autoescape=True))
        if self._which == "undeliverable":
            return self._undeliverable(mine, by, down, first, most)
        several = self._which == "appeals"
        if several and by == "since" and down:
            # An account's newest appeal is in no column, so that all of them are looked at.
            listed = self._listed(mine, by, down, 0, None)
        elif several:
            # Each account has a row at least: the first rows are of so many first accounts.
            listed = self._listed(mine, by, down, 0, first + most)
        else:
            listed = self._listed(mine, by, down, first, most)
        rows = self._rows(listed, by, down)
        return rows[first : first + most] if several else rows

    def _listed(
        self, mine: ColumnElement[bool], by: str, down: bool, first: int, most: int | None
    ) -> Sequence[Any]:
        it = tables.states.c
        order: list[Any] = [self._since, it.key]
        if self._which == "unclear":
            order = [case((it.live == int(Invitation.GRANTED), 0), else_=1), *order]
        if by:
            column = it.key if by == "account" else self._since
            order = [column.desc() if down else column, *order]
        asked = select(it.partition, it.key).where(mine).order_by(*order)
        return self._connection.execute(asked.offset(first).limit(most)).all()

    def _rows(self, listed: Sequence[Any], by: str, down: bool) -> list[Row]:
        rows = rows_at(self._connection, self._lists, self._which, listed, self._now, self._within)
        if by:
            rows.sort(key=lambda it: getattr(it, by), reverse=down)
        return rows

    def _undeliverable(
        self, mine: ColumnElement[bool], by: str, down: bool, first: int, most: int
    ) -> list[Row]:
        """Returns rows of the list of which only events say what comes last."""
        it = tables.states.c
        feed_notices(self._connection, self._lists)
        asked = select(it.partition, it.key, self._since.label("since")).where(mine)
        listed = list(self._connection.execute(asked).all())
        listed.sort(key=lambda it: (self._lists.delivered(it.key), it.since, it.key))
        if by:
            listed.sort(key=lambda it: it.key if by == "account" else it.since, reverse=down)
        return self._rows([it[:2] for it in listed[first : first + most]], by, down)
