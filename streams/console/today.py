"""What changed today, and how the workers are: as far as the index knows it."""

import json
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from streams.console.proposals import State
from streams.index import tables
from streams.index.states import POSITION, reserved

MOST_ROWS = 20


class TodayRow(NamedTuple):
    """One change: when (ms), which sentence of `today.…` in words.py, and its values."""

    at: int
    key: str
    says: dict[str, object]


class Workers(NamedTuple):
    """When a partition was last written to (ms): the newest, and the one that has been longest."""

    partitions: int
    newest: int
    oldest: int


def today(connection: Connection, start: int) -> list[TodayRow]:
    """Returns what persons and policies changed since `start` (ms), the newest first."""
    words, policies, proposals = tables.words, tables.policies, tables.proposals
    found = []
    mine = select(words).where(words.c.topic == "switches", words.c.entered_at >= start)
    for it in connection.execute(mine.order_by(words.c.entered_at.desc()).limit(MOST_ROWS)):
        said = json.loads(it.value)
        key = "switch_on" if said.get("on") else "switch_off"
        says = {"word": it.word, "actor": said.get("actor", ""), "scope": said.get("scope", "")}
        found.append(TodayRow(it.entered_at, key, says))
    new = select(policies).where(policies.c.published_at >= start)
    for it in connection.execute(new.order_by(policies.c.published_at.desc()).limit(MOST_ROWS)):
        says = {"platform": it.platform, "version": it.version}
        found.append(TodayRow(it.published_at, "policy", says))
    sent = select(proposals).where(
        proposals.c.state == State.SENT.value,
        proposals.c.decided_at >= start,
        proposals.c.topic != "switches",
    )
    for it in connection.execute(sent.order_by(proposals.c.decided_at.desc()).limit(MOST_ROWS)):
        count = json.loads(it.outcome or "{}").get("count", 0)
        says = {"actor": it.actor, "word": it.word, "count": count}
        found.append(TodayRow(it.decided_at, "order", says))
    return sorted(found, key=lambda it: it.at, reverse=True)[:MOST_ROWS]


def workers(connection: Connection) -> Workers | None:
    """Returns when the partitions were last written to; None: none ever was."""
    states = tables.states
    at = states.c.written_at
    mine = reserved(connection, [POSITION])
    asked = select(func.count(), func.max(at), func.min(at)).where(mine)
    count, newest, oldest = connection.execute(asked).one()
    return None if not count else Workers(count, newest, oldest)
