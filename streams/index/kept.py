"""Keeps reports in the index's database, so that every console on it shows the same.

A report of a backtest is put here with `byline backtest keep`. The others take long, so the console
asks for them and shows the newest. Such a row is WORKING while somebody works it out, who says so
every few seconds; without a sign of life for LOST_MS it is lost, and can be asked for again.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from streams.core.model.instants import DAY, SECOND
from streams.index import tables
from streams.index.database import writing

LOST_MS = 60 * SECOND
MOST_BYTES = 32 * 1024 * 1024
"""The size of a report from which on it is not kept."""
MOST_NAME = 128
NEWEST = 5
"""So many of a kind and state are kept, of those that the console asks for."""
EVIDENCE_FOR_MS = 7 * DAY
"""Evidence names accounts, in its samples."""
_SAYS = 4_000
_COLUMNS = [it for it in tables.kept_reports.c if it.name != "content"]


@unique
class ReportKind(StrEnum):
    """What a kept report is."""

    BACKTEST = "backtest"
    SHADOW = "shadow"
    ROLLOUT = "rollout"
    EVIDENCE = "evidence"


@unique
class KeptState(StrEnum):
    """Whether a report is there."""

    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A kept report; its columns are those of the table, times in ms."""

    id: str
    kind: ReportKind
    name: str
    actor: str | None
    made_at: int
    seen_at: int
    state: KeptState
    says: str
    content: str | None = None

    def alive(self, now: int) -> bool:
        """Whether somebody works it out at `now` (ms)."""
        return self.state is KeptState.WORKING and self.seen_at > now - LOST_MS


def begin(engine: Engine, kind: ReportKind, name: str, actor: str, now: int) -> str | None:
    """Notes that a report is being worked out; returns its id, None if one of its kind is already.

    `now`: ms. Evidence that is too old is deleted.
    """
    table = tables.kept_reports
    row = _row(kind, name, actor, now, KeptState.WORKING)
    with writing(engine) as connection:
        forget(connection, now)
        if any(it.alive(now) for it in listed(connection, kind)):
            return None
        connection.execute(insert(table), row)
    return str(row["id"])


def alive(engine: Engine, name: str, now: int) -> None:
    """Notes that the report with this id is still being worked out."""
    _change(engine, name, seen_at=now)


def finish(
    engine: Engine, it: str, state: KeptState, says: str, content: str | None, now: int
) -> None:
    """Notes the end of working a report out; deletes the oldest ones of its kind that ended so."""
    table = tables.kept_reports
    _change(engine, it, state=state.value, says=says[-_SAYS:], content=content, seen_at=now)
    with writing(engine) as connection:
        kind = connection.scalar(select(table.c.kind).where(table.c.id == it))
        mine = select(table.c.id).where(table.c.kind == kind, table.c.state == state.value)
        old = connection.scalars(mine.order_by(table.c.made_at.desc()).offset(NEWEST)).all()
        connection.execute(delete(table).where(table.c.id.in_(old)))


def _change(engine: Engine, name: str, **columns: object) -> None:
    table = tables.kept_reports
    mine = update(table).where(table.c.id == name, table.c.state == KeptState.WORKING.value)
    with writing(engine) as connection:
        connection.execute(mine.values(**columns))


def keep(engine: Engine, kind: ReportKind, name: str, says: str, content: str, now: int) -> str:
    """Keeps a report under a name, in place of one that has it already; returns its id."""
    table = tables.kept_reports
    row = _row(kind, name, None, now, KeptState.DONE)
    with writing(engine) as connection:
        same = (table.c.kind == kind.value) & (table.c.name == name)
        connection.execute(delete(table).where(same))
        connection.execute(insert(table), {**row, "says": says[:_SAYS], "content": content})
    return str(row["id"])


def drop(engine: Engine, kind: ReportKind, name: str) -> bool:
    """Deletes the report with a name; returns whether there was one."""
    table = tables.kept_reports
    with writing(engine) as connection:
        same = (table.c.kind == kind.value) & (table.c.name == name)
        return connection.execute(delete(table).where(same)).rowcount > 0


def forget(connection: Connection, now: int) -> None:
    """Deletes the evidence that is too old at `now` (ms)."""
    table = tables.kept_reports
    old = (table.c.kind == ReportKind.EVIDENCE.value) & (table.c.made_at < now - EVIDENCE_FOR_MS)
    connection.execute(delete(table).where(old))


def listed(connection: Connection, kind: ReportKind, most: int = 200) -> list[KeptReport]:
    """Returns the newest reports of a kind, without their content."""
    table = tables.kept_reports
    mine = select(*_COLUMNS).where(table.c.kind == kind.value)
    rows = connection.execute(mine.order_by(table.c.made_at.desc(), table.c.id).limit(most))
    return [_kept(it._asdict()) for it in rows]


def find(connection: Connection, kind: ReportKind, name: str) -> KeptReport | None:
    """Returns the report of a kind with this id, with its content; None: there is none."""
    table = tables.kept_reports
    mine = select(table).where(table.c.kind == kind.value, table.c.id == name)
    row = connection.execute(mine).first()
    return None if row is None else _kept(row._asdict())


def _kept(row: dict[str, Any]) -> KeptReport:
    return KeptReport(**{**row, "kind": ReportKind(row["kind"]), "state": KeptState(row["state"])})


def _row(
    kind: ReportKind, name: str, actor: str | None, now: int, state: KeptState
) -> dict[str, Any]:
    return {
        "id": secrets.token_hex(16),
        "kind": kind.value,
        "name": name[:MOST_NAME],
        "actor": actor,
        "made_at": now,
        "seen_at": now,
        "state": state.value,
        "says": "",
    }
