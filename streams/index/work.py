"""What people may have to do, as columns of `states`, so that a page need not read every account.

Whether a restriction follows at a deadline depends on the policies in force, too, which no account
knows. So accounts are counted by `promise`, and one of each is held to the policies.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, and_, func, select, tuple_

from streams.core.lifecycle import Invitation
from streams.core.model.account import Account, Cycle
from streams.core.model.instants import HOUR
from streams.core.rules.throttle import grounds
from streams.core.rules.unclear import is_unclear, unclear_since
from streams.index import tables
from streams.index.chunks import chunks
from streams.operate.worklists import Row, WorkList, WorkLists

_encode = msgspec.json.Encoder().encode


class Work(NamedTuple):
    """The columns of an account, in the order of the table."""

    due_at: int | None = None
    promise: str | None = None
    unclear: bool = False
    appeals: int = 0
    waits_since: int | None = None
    unclear_since: int | None = None
    appeal_since: int | None = None


NO_WORK = Work()


def work_of(account: Account, key: str) -> Work:
    """Returns the columns of an account, from its state."""
    heard, life = account.heard, account.live
    due_at = promise = None
    cycle = life.cycle
    if (
        life.state in (Invitation.DELIVERED, Invitation.DECLINED)
        and cycle is not None
        and cycle.delivered_at is not None
        and cycle.deadline_at is not None
    ):
        due_at, promise = cycle.deadline_at, _promise(cycle, key.partition(":")[0])
    appeals = {} if heard is None else heard.appeals
    return Work(
        due_at,
        promise,
        is_unclear(account),
        min(len(appeals), 32_767),
        _waits_since(life.state, cycle),
        min(unclear_since(account), default=None),
        min((it.since for it in appeals.values()), default=None),
    )


def _waits_since(state: Invitation, cycle: Cycle | None) -> int | None:
    if cycle is None or state not in (Invitation.INVITED, Invitation.UNDELIVERED):
        return None
    failed_at = cycle.failed_at if state is Invitation.UNDELIVERED else None
    return cycle.issued_at if failed_at is None else failed_at


def _promise(cycle: Cycle, platform: str) -> str:
    """Returns a digest of all that `restrictable` looks at besides the policy."""
    said = (
        *(platform, cycle.restriction_waived, sorted(grounds(cycle)), sorted(cycle.terms.on)),
        sorted(cycle.terms.surfaces.items()),
    )
    return hashlib.sha256(_encode(said)).hexdigest()[:16]


def open_work(connection: Connection) -> dict[str, int]:
    """Counts the rows of the work-lists `unclear` and `appeals`."""
    states = tables.states
    unclear = select(func.count()).where(states.c.unclear_since.is_not(None))
    appeals = select(func.sum(states.c.appeals)).where(states.c.appeals > 0)
    return {
        "unclear": connection.scalar(unclear) or 0,
        "appeals": int(connection.scalar(appeals) or 0),
    }


def rows_at(
    connection: Connection,
    lists: WorkLists,
    which: WorkList,
    listed: Iterable[Any],
    now: int,
    within: int,
) -> list[Row]:
    """Returns the rows of a list of these accounts, each a partition and a key, as `rows` does."""
    keys: dict[int, list[str]] = defaultdict(list)
    for partition, key in listed:
        keys[partition].append(key)
    states, known = tables.states, []
    for partition, mine in keys.items():
        for some in chunks(mine):
            its = (states.c.partition == partition, states.c.key.in_(some))
            for key, value in connection.execute(select(states.c.key, states.c.value).where(*its)):
                known.append(lists.states.of(key.encode(), partition, bytes(value), now))
    return lists.rows_of(which, known, now, within)


class Pending:
    """The work-list `pending`, without decoding more accounts than are shown.

    `lists` was fed the policies and the partitions' own state. `now`, `until`: ms.
    """

    def __init__(self, connection: Connection, lists: WorkLists, now: int, until: int) -> None:
        self._connection, self._lists = connection, lists
        self._now, self._span = now, until - now
        self._due = tables.states.c.due_at <= until
        self._groups = list(self._found())

    def _found(self) -> Iterator[tuple[tuple[int, str], str, int]]:
        """Yields partition and promise, platform and number of accounts with work."""
        it = tables.states.c
        # By the bare column SQLite would read every state, in the order of the table's key.
        group = (it.partition + 0, it.promise)
        counts = select(*group, func.min(it.key), func.count()).where(self._due).group_by(*group)
        for partition, promise, key, count in self._asked(counts):
            if self._rows([(partition, key)]):
                yield (partition, promise), key.partition(":")[0], count

    def _asked(self, statement: Select[Any]) -> Sequence[Any]:
        return self._connection.execute(statement).all()

    def _rows(self, listed: Sequence[Any]) -> list[Row]:
        now, span = self._now, self._span
        return rows_at(self._connection, self._lists, "pending", listed, now, span)

    @property
    def platforms(self) -> Counter[str]:
        """How many accounts each platform has."""
        found: Counter[str] = Counter()
        for _, platform, count in self._groups:
            found[platform] += count
        return found

    def hours(self) -> list[tuple[int, int]]:
        """Returns start (ms) and number of those due in each hour that has any."""
        it = tables.states.c
        if not self._groups:
            return []
        hour = it.due_at // HOUR
        mine = and_(self._due, tuple_(it.partition, it.promise).in_(self._places("")))
        found: Counter[int] = Counter()
        for due, count in self._asked(select(hour, func.count()).where(mine).group_by(hour)):
            found[max(self._now // HOUR, due)] += count
        return [(due * HOUR, count) for due, count in sorted(found.items())]

    def page(self, platform: str, by: str, down: bool, first: int, most: int) -> list[Row]:
        """Returns rows from `first` on. `platform`: empty: all. `by`: `account`, else when due."""
        it = tables.states.c
        places = self._places(platform)
        if not places:
            return []
        order = [it.key] if by == "account" else [it.due_at, it.key]
        if down:
            order[0] = order[0].desc()  # type: ignore[call-overload]
        mine = and_(self._due, tuple_(it.partition, it.promise).in_(places))
        shown = select(it.partition, it.key).where(mine).order_by(*order).offset(first).limit(most)
        listed = self._asked(shown)
        rows = {row.account: row for row in self._rows(listed)}
        return [rows[key] for _, key in listed if key in rows]

    def _places(self, platform: str) -> list[tuple[int, str]]:
        return [place for place, its, _ in self._groups if platform in ("", its)]
