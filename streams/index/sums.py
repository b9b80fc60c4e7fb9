"""Keeps sums of what happened, by hour, so that a page over a period need not read its rows.

They change in the transaction that writes the rows, by what the rows were before it. `recount`
makes them anew from the rows: after a migration, a rebuild, a purge.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from schemas.enums import Command, Mode
from schemas.topics import OUTPUTS
from streams.core.model.instants import DAY, HOUR, SECOND, SHANGHAI_OFFSET
from streams.index import tables
from streams.index.chunks import chunks
from streams.index.rows import Rows

STEP, ELIGIBLE, EVENT, NOW = "step", "eligible", "event", "now"
"""The kinds of sums: steps of the funnel, accounts that became eligible, events, what holds now."""
TOOK, APPEAL, REFUSED, OPEN = "took", "appeal", "refused", "open"
"""More kinds: how long steps took, by day; appeals; dead letters, and those nobody has settled."""
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
VERDICTS = (Command.APPEAL_OPENED, Command.APPEAL_UPHELD, Command.APPEAL_REJECTED)
LENGTHS = (0, *(int(SECOND * 1.15**step) for step in range(135)))
"""Where the classes of durations begin (ms), each a seventh longer; the last one is of years."""
LONGEST = 2**62
_CYCLE = tuple(it.name for it in tables.cycles.columns)
_EVENT = {it.name: number for number, it in enumerate(tables.events.columns)}
_DECISION = {it.name: number for number, it in enumerate(tables.decisions.columns)}
_LETTER = {it.name: number for number, it in enumerate(tables.letters.columns)}
_WORD = {it.name: number for number, it in enumerate(tables.words.columns)}


class SumKey(NamedTuple):
    """What a sum counts. `hour`: since 1970; of TOOK that in which the day of Shanghai began.

    `name`: the step, the word, the duration and its class, or the parts of an event or letter as
    JSON. `platform`: empty for a letter without one.
    """

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


def first_hour(at: Any) -> Any:
    """Returns the hour in which the day of Shanghai began that `at` (ms) lies in."""
    return (at + SHANGHAI_OFFSET) // DAY * (DAY // HOUR) - SHANGHAI_OFFSET // HOUR


def took_name(mode: str, span: str) -> str:
    """Returns the beginning of the name of a sum of durations; the number of a class ends it."""
    return f"{mode}.{span}."


def class_of(length: int) -> int:
    """Returns the number in LENGTHS of a duration's class (ms)."""
    return bisect_right(LENGTHS, length) - 1


def letter_key(kind: str, refused_at: int, platform: str | None, topic: str, why: str) -> SumKey:
    """Returns what a letter counts to. `kind`: REFUSED or OPEN."""
    return SumKey(kind, refused_at // HOUR, platform or "", json.dumps([topic, why]))


def _of_cycle(row: Mapping[str, Any]) -> Iterator[SumKey]:
    platform, mode = row["platform"], row["mode"]
    for column, its, name in _PLACES:
        at = row[column]
        if at is not None and (mode == its or column.startswith("shadow_")):
            yield SumKey(STEP, at // HOUR, platform, name)
    for span, (start, end) in tables.SPANS.items():
        began, ended = row[start], row[end]
        if mode is not None and began is not None and ended is not None and ended >= began:
            length = f"{took_name(mode, span)}{class_of(ended - began)}"
            yield SumKey(TOOK, first_hour(ended), platform, length)
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
    for it in rows.letters:
        parts = (it[_LETTER[name]] for name in ("refused_at", "platform", "topic", "reason"))
        found[letter_key(REFUSED, *parts)] += 1
    for it in rows.words:
        account, word = it[_WORD["account"]], it[_WORD["word"]]
        if it[_WORD["topic"]] == "controls" and account is not None and word in VERDICTS:
            hour = it[_WORD["entered_at"]] // HOUR
            found[SumKey(APPEAL, hour, account.partition(":")[0], word)] += 1
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
    for some in chunks(accounts):
        mine = tables.cycles.c.account.in_(some)
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
    anew = table.c.kind.in_((NOW, TOOK, REFUSED, OPEN))
    connection.execute(delete(table).where(or_(anew, table.c.hour < before // HOUR)))
    _count(connection, _now())
    _count(connection, _took())
    _count(connection, _letters())


def recount(connection: Connection, kinds: frozenset[str] | None = None) -> None:
    """Makes the sums anew from the rows. `kinds`: of KINDS, these alone; None: all."""
    table = tables.sums
    for kind, counts in _EVERY.items():
        if kinds is None or kind in kinds:
            its = (REFUSED, OPEN) if kind == REFUSED else (kind,)
            connection.execute(delete(table).where(table.c.kind.in_(its)))
            _count(connection, counts(connection))


_Counts = Iterator[tuple[str, str, Select[Any]]]


def _count(connection: Connection, counts: _Counts) -> None:
    found: list[dict[str, Any]] = []
    for kind, name, statement in counts:
        for row in connection.execute(statement):
            hour, platform, *parts, count = list(row)
            its = json.dumps(parts) if kind in (EVENT, REFUSED, OPEN) else name
            if kind in (TOOK, APPEAL):
                its += str(parts[0])
            found.append(SumKey(kind, hour, platform or "", its)._asdict() | {"count": count})
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


def _steps() -> _Counts:
    cycles = tables.cycles
    for column, mode, name in _PLACES:
        own = [] if column.startswith("shadow_") else [cycles.c.mode == mode]
        yield STEP, name, _by_hour(cycles.c[column], *own)


def _eligible() -> _Counts:
    decisions = tables.decisions
    yield ELIGIBLE, "", _by_hour(decisions.c.now, decisions.c.eligible)


def _took() -> _Counts:
    it = tables.cycles.c
    for mode in (Mode.ENFORCE, Mode.SHADOW):
        for span, (start, end) in tables.SPANS.items():
            length = it[end] - it[start]
            bounds = [(length < bound, number) for number, bound in enumerate(LENGTHS[1:])]
            its = case(*bounds, else_=len(LENGTHS) - 1)
            key = (first_hour(it[end]), it.platform, its)
            mine = and_(it.mode == str(mode), it[start].is_not(None), it[end] >= it[start])
            counted = select(*key, func.count()).where(mine).group_by(*key)
            yield TOOK, took_name(mode, span), counted


def _letters() -> _Counts:
    it = tables.letters.c
    group = (it.topic, it.reason)
    yield REFUSED, "", _by_hour(it.refused_at, group=group)
    yield OPEN, "", _by_hour(it.refused_at, ~it.settled, group=group)


def _appeals(connection: Connection) -> _Counts:
    it = tables.words.c
    mine = and_(it.topic == "controls", it.word.in_(VERDICTS), it.account.is_not(None))
    key = (it.entered_at // HOUR, platform_of(connection, it.account), it.word)
    yield APPEAL, "", select(*key, func.count()).where(mine).group_by(*key)


def platform_of(connection: Connection, account: Column[str]) -> ColumnElement[str]:
    """Returns the expression of an account's platform."""
    if connection.dialect.name == "postgresql":
        return func.split_part(account, ":", 1)
    return func.substr(account, 1, func.instr(account, ":") - 1)


def level_of(connection: Connection) -> Any:
    """Returns the expression of a throttle event's level."""
    value = tables.events.c.value
    is_postgresql = connection.dialect.name == "postgresql"
    said = cast(value, JSON) if is_postgresql else type_coerce(value, JSON)
    return said["level"].as_string()


def _by_kind(connection: Connection) -> _Counts:
    yield EVENT, "", _events(connection)


_EVERY: dict[str, Callable[[Connection], _Counts]] = {
    NOW: lambda _: _now(),
    STEP: lambda _: _steps(),
    TOOK: lambda _: _took(),
    ELIGIBLE: lambda _: _eligible(),
    EVENT: lambda connection: _by_kind(connection),
    APPEAL: lambda connection: _appeals(connection),
    REFUSED: lambda _: _letters(),
}
"""Kind → its counts; the letters' two kinds are counted together."""
KINDS = tuple(_EVERY)
"""The kinds that can be counted anew."""


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
