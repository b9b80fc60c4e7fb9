"""Keeps sums of what happened, by hour, so that a page over a period need not read its rows.

They change in the transaction that writes the rows, by what the rows were before it. `recount`
makes them anew from the rows: after a migration, a rebuild, a purge.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from schemas.enums import Mode
from schemas.topics import OUTPUTS
from streams.core.model.instants import HOUR
from streams.index import tables
from streams.index.rows import Rows

STEP, ELIGIBLE, EVENT, NOW = "step", "eligible", "event", "now"
"""The kinds of sums: steps of the funnel, accounts that became eligible, events, what holds now."""
LIVE = tuple(topic.name for topic in OUTPUTS if not topic.name.startswith("shadow."))
STEPS: dict[str, str] = {
    "invited": "issued_at",
    "delivered": "delivered_at",
    "undeliverable": "undeliverable_at",
    "declined": "declined_at",
    "granted": "granted_at",
    "expired": "expired_at",
    "restricted": "restricted_at",
    "released": "lifted_at",
    "cancelled": "cancelled_at",
    "withdrawn": "withdrawn_at",
}
"""Step of the funnel → the column of the table `cycles` with its time."""
SHADOWED = {"restricted": "shadow_restricted_at", "released": "shadow_lifted_at"}
"""The same of surfaces in shadow, which a live invitation may have as well."""
_CHUNK = 500
_CYCLE = tuple(it.name for it in tables.cycles.columns)
_EVENT = {it.name: number for number, it in enumerate(tables.events.columns)}
_DECISION = {it.name: number for number, it in enumerate(tables.decisions.columns)}


class SumKey(NamedTuple):
    """What a sum counts. `hour`: since 1970. `name`: the step, or an event's parts as JSON."""

    kind: str
    hour: int
    platform: str
    name: str


class _Level(msgspec.Struct):
    level: str | None = None


_levels = msgspec.json.Decoder(_Level)


def columns_of(mode: Mode) -> dict[str, str]:
    """Returns the column of each step, live or in shadow."""
    return STEPS if mode is Mode.ENFORCE else {**STEPS, **SHADOWED}


_PLACES = [
    (column, mode, f"{mode}.{step}")
    for mode in (Mode.ENFORCE, Mode.SHADOW)
    for step, column in columns_of(mode).items()
]


def _of_cycle(row: Mapping[str, Any]) -> Iterator[SumKey]:
    platform, mode = row["platform"], row["mode"]
    for column, its, name in _PLACES:
        at = row[column]
        if at is not None and (mode == its or column.startswith("shadow_")):
            yield SumKey(STEP, at // HOUR, platform, name)
    yield SumKey(NOW, 0, platform, "cycles")
    if row["restricted_at"] is not None and row["lifted_at"] is None:
        yield SumKey(NOW, 0, platform, "restricted")


def _field(row: Mapping[str, Any] | None) -> str | None:
    return None if row is None or row["mode"] != Mode.ENFORCE else row["field"]


def _event(field: str | None, row: Sequence[Any]) -> SumKey:
    said = [row[_EVENT[name]] for name in ("event", "surface", "reason")]
    level = _levels.decode(row[-1]).level if '"level"' in row[-1] else None
    name = json.dumps([field, said[0], said[1], level, said[2]])
    return SumKey(EVENT, row[_EVENT["decided_at"]] // HOUR, row[_EVENT["platform"]], name)


def changes(connection: Connection, rows: Rows, first: frozenset[str]) -> Counter[SumKey]:
    """Returns by how much the sums change; called before the rows are written.

    `first`: the columns of `cycles` that keep their first value.
    """
    found: Counter[SumKey] = Counter()
    for it in rows.decisions:
        if it[_DECISION["eligible"]]:
            hour = it[_DECISION["now"]] // HOUR
            found[SumKey(ELIGIBLE, hour, it[_DECISION["platform"]], "")] += 1
    if not rows.cycles:
        return found
    before = _cycles(connection, sorted({account for account, _ in rows.cycles}))
    fields: dict[tuple[str, int], str | None] = {}
    for key, about in rows.cycles.items():
        old = before.get(key)
        new = _merged(key, old, about, first)
        found.update(_of_cycle(new))
        if old is not None:
            found.subtract(_of_cycle(old))
            if _field(old) != _field(new):
                _moved(connection, key[0], old, new, found)
        if new["mode"] == Mode.ENFORCE:
            fields[key[0], new["cycle"]] = new["field"]
    for row in rows.events:
        if row[_EVENT["topic"]] in LIVE and row[_EVENT["mode"]] == Mode.ENFORCE:
            place = (row[_EVENT["account"]], row[_EVENT["cycle"]])
            found[_event(fields.get(place), row)] += 1
    return found


def _cycles(
    connection: Connection, accounts: Sequence[str]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for start in range(0, len(accounts), _CHUNK):
        mine = tables.cycles.c.account.in_(accounts[start : start + _CHUNK])
        for it in connection.execute(select(tables.cycles).where(mine)):
            found[it[0], it[1]] = dict(zip(_CYCLE, it, strict=True))
    return found


def _merged(
    key: tuple[str, str],
    old: Mapping[str, Any] | None,
    about: Mapping[str, Any],
    first: frozenset[str],
) -> dict[str, Any]:
    """Returns the row as it will be: `streams.index.bulk.Bulk.replace` writes it so."""
    new = dict.fromkeys(_CYCLE) if old is None else dict(old)
    new["account"], new["invitation_id"] = key
    for name, value in about.items():
        if value is not None and (name not in first or new[name] is None):
            new[name] = value
    return new


def _moved(
    connection: Connection,
    account: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    found: Counter[SumKey],
) -> None:
    """Takes an invitation's earlier events to the field that only now is known."""
    events = tables.events
    mine = and_(
        events.c.account == account,
        events.c.cycle == new["cycle"],
        events.c.mode == Mode.ENFORCE,
        tables.unsought(events.c.topic).in_(LIVE),
    )
    for row in connection.execute(select(events).where(mine)):
        found[_event(_field(old), row)] -= 1
        found[_event(_field(new), row)] += 1


def add(connection: Connection, found: Counter[SumKey]) -> None:
    """Writes changes of sums."""
    table = tables.sums
    changed = [{**it._asdict(), "count": count} for it, count in sorted(found.items()) if count]
    if not changed:
        return
    new = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    keys = [it.name for it in table.primary_key]
    total = {"count": table.c.count + new.excluded.count}
    connection.execute(new.on_conflict_do_update(index_elements=keys, set_=total), changed)
    # A sum of a time that was purged is not begun anew below nothing.
    less = [
        {f"its_{name}": value for name, value in it._asdict().items()}
        for it, count in found.items()
        if count < 0
    ]
    if less:
        mine = [table.c[name] == bindparam(f"its_{name}") for name in keys]
        connection.execute(delete(table).where(and_(*mine, table.c.count <= 0)), less)


def purge(connection: Connection, before: int) -> None:
    """Deletes the sums of hours that were over at `before` (ms), as their rows were deleted."""
    table = tables.sums
    old = and_(table.c.kind != NOW, table.c.hour < before // HOUR)
    connection.execute(delete(table).where(or_(old, table.c.kind == NOW)))
    _count(connection, _now())


def recount(connection: Connection) -> None:
    """Makes the sums anew from the rows."""
    connection.execute(delete(tables.sums))
    _count(connection, _now())
    _count(connection, _then(connection))


_Counts = Iterator[tuple[str, str, Select[Any]]]


def _count(connection: Connection, counts: _Counts) -> None:
    found: list[dict[str, Any]] = []
    for kind, name, statement in counts:
        for row in connection.execute(statement):
            hour, platform, *parts, count = list(row)
            its = json.dumps(parts) if kind == EVENT else name
            found.append(SumKey(kind, hour, platform, its)._asdict() | {"count": count})
    if found:
        connection.execute(insert(tables.sums), found)


def _now() -> _Counts:
    cycles = tables.cycles
    whole = select(func.min(0), cycles.c.platform, func.count()).group_by(cycles.c.platform)
    yield NOW, "cycles", whole
    restricted = and_(cycles.c.restricted_at.is_not(None), cycles.c.lifted_at.is_(None))
    yield NOW, "restricted", whole.where(restricted)


def _by_hour(at: Column[int], *wanted: Any, group: Sequence[Any] = ()) -> Select[Any]:
    key = (at // HOUR, at.table.c.platform)
    limits = and_(at.is_not(None), *wanted)
    return select(*key, *group, func.count()).where(limits).group_by(*key, *group)


def _then(connection: Connection) -> _Counts:
    cycles, decisions = tables.cycles, tables.decisions
    for column, mode, name in _PLACES:
        own = [] if column.startswith("shadow_") else [cycles.c.mode == mode]
        yield STEP, name, _by_hour(cycles.c[column], *own)
    yield ELIGIBLE, "", _by_hour(decisions.c.now, decisions.c.eligible)
    yield EVENT, "", _events(connection)


def level_of(connection: Connection) -> Any:
    """Returns the expression of a throttle event's level."""
    value = tables.events.c.value
    is_postgresql = connection.dialect.name == "postgresql"
    said = cast(value, JSON) if is_postgresql else type_coerce(value, JSON)
    return said["level"].as_string()


def _events(connection: Connection) -> Select[Any]:
    events, cycles = tables.events, tables.cycles
    mine = and_(
        cycles.c.account == events.c.account,
        cycles.c.cycle == events.c.cycle,
        cycles.c.mode == events.c.mode,
    )
    own = (events.c.topic.in_(LIVE), events.c.mode == Mode.ENFORCE)
    it = events.c
    group = (cycles.c.field, it.event, it.surface, level_of(connection), it.reason)
    statement = _by_hour(it.decided_at, *own, group=group)
    return statement.select_from(events.outerjoin(cycles, mine))
