"""Stores each action that a person prepared, and its state. No step happens twice.

    PREPARED → SENDING → SENT
        ↓         ↑  ↓
    PROPOSED ─────┘  FAILED
        ↓
    DECLINED

PREPARED is the counted preview. PROPOSED waits for a second person. The step to SENDING fixes the
time that the records state, so what is sent again after a crash is the same, and counts once.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from streams.console.orders import Wish, wish_of
from streams.core.model.instants import DAY
from streams.index import tables
from streams.index.database import reading, writing

PREPARED_FOR_MS = 30 * 60_000
PROPOSED_FOR_MS = DAY
CLAIMED_FOR_MS = 15_000
"""How long nobody else sends what somebody is sending; his process may have been killed."""
CLAIM = "claimed_at"
"""Of an outcome: since when (ms) somebody is sending it."""


@unique
class State(StrEnum):
    """The state of a proposal; the module's docstring draws the transitions."""

    PREPARED = "prepared"
    PROPOSED = "proposed"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal; times are ms.

    `actor`: who prepared it. `decided_by`: who sent, approved or declined it. `outcome`: the
    preview's counts, and once it was sent `ends`, the offset after the last record by partition, or
    `fault`; CLAIM while somebody is sending it.
    """

    id: str
    made_at: int
    expires_at: int
    actor: str
    wish: Wish
    state: State
    decided_at: int | None
    decided_by: str | None
    outcome: dict[str, Any]

    def expired(self, now: int) -> bool:
        """Whether its time is over before it was decided."""
        return self.state in (State.PREPARED, State.PROPOSED) and self.expires_at <= now

    @property
    def seen(self) -> dict[int, int]:
        """By partition of the order's topic, the offset up to which its maker knew it."""
        return {int(it): end for it, end in self.outcome.get("seen", {}).items()}

    @property
    def approved_by(self) -> str | None:
        """The id of the person who approved it; None if no approval was needed."""
        return None if self.decided_by == self.actor else self.decided_by


def prepare(engine: Engine, actor: str, wish: Wish, counts: dict[str, Any], now: int) -> str:
    """Keeps a preview; returns its id. Deletes previews that nobody sent."""
    table, name = tables.proposals, secrets.token_hex(16)
    row = {
        "id": name,
        "made_at": now,
        "expires_at": now + PREPARED_FOR_MS,
        "actor": actor,
        "topic": wish.topic,
        "word": wish.word,
        "asked": wish.text(),
        "state": State.PREPARED.value,
        "outcome": json.dumps(counts),
    }
    with writing(engine) as connection:
        gone = delete(table).where(table.c.state == State.PREPARED.value)
        connection.execute(gone.where(table.c.expires_at <= now - DAY))
        connection.execute(insert(table), row)
    return name


def find(connection: Connection, name: str) -> Proposal | None:
    """Returns the proposal with this id; None: there is none."""
    table = tables.proposals
    it = connection.execute(select(table).where(table.c.id == name)).first()
    return None if it is None else _proposal(it)


def newest(connection: Connection, most: int) -> list[Proposal]:
    """Returns the newest proposals that were more than previews."""
    table = tables.proposals
    mine = select(table).where(table.c.state != State.PREPARED.value)
    found = connection.execute(mine.order_by(table.c.made_at.desc(), table.c.id).limit(most))
    return [_proposal(it) for it in found]


def _proposal(it: Any) -> Proposal:
    return Proposal(
        it.id,
        it.made_at,
        it.expires_at,
        it.actor,
        wish_of(it.asked),
        State(it.state),
        it.decided_at,
        it.decided_by,
        json.loads(it.outcome or "{}"),
    )


def move(
    engine: Engine, name: str, before: State, after: State, now: int, **columns: object
) -> bool:
    """Moves a proposal from one state to another, unless its time is over.

    Returns whether this call did it; then no other one did.
    """
    with writing(engine) as connection:
        return moved(connection, name, before, after, now, **columns)


def moved(
    connection: Connection, name: str, before: State, after: State, now: int, **columns: object
) -> bool:
    """Does the same within a transaction."""
    table = tables.proposals
    mine = update(table).where(table.c.id == name, table.c.state == before.value)
    if before in (State.PREPARED, State.PROPOSED):
        mine = mine.where(table.c.expires_at > now)
    return connection.execute(mine.values(state=after.value, **columns)).rowcount == 1


def alone(connection: Connection) -> None:
    """Waits until no other transaction changes proposals: until this one ends, none will.

    SQLite has one writer at a time in any case.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE proposals IN SHARE ROW EXCLUSIVE MODE")


def underway(connection: Connection, wish: Wish, now: int, but: str = "") -> list[Proposal]:
    """Returns the orders about the same of which nobody knows whether Kafka has them, oldest first.

    `but`: the id of one that is left out. One that was pressed over a day ago may be left out, too.
    """
    return _others(connection, wish, but, State.SENDING, now - DAY)


def sent_since(connection: Connection, wish: Wish, since: int, but: str) -> list[Proposal]:
    """Returns the orders about the same that were sent at or after `since` (ms), oldest first."""
    found = _others(connection, wish, but, State.SENT, since)
    return [it for it in found if (it.decided_at or 0) >= since and "ends" in it.outcome]


def _others(
    connection: Connection, wish: Wish, but: str, state: State, since: int
) -> list[Proposal]:
    """Returns the orders about the same in a state: at least all pressed at or after `since`."""
    table = tables.proposals
    made_at = table.c.made_at >= since - PREPARED_FOR_MS - PROPOSED_FOR_MS
    limits = (made_at, table.c.state == state.value, table.c.topic == wish.topic, table.c.id != but)
    found = connection.execute(select(table).where(*limits).order_by(table.c.decided_at))
    return [other for it in found if wish.about_same((other := _proposal(it)).wish)]


def claimed(outcome: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Returns an outcome that says who sends: whoever noted `claimed_at`, for CLAIMED_FOR_MS."""
    return {**outcome, CLAIM: now}


def claim(engine: Engine, name: str, now: int) -> bool:
    """Notes that this call sends a proposal; False: another one does, or has done so."""
    table = tables.proposals
    with writing(engine) as connection:
        alone(connection)
        found = find(connection, name)
        if found is None or found.state is not State.SENDING:
            return False
        since = found.outcome.get(CLAIM)
        if since is not None and abs(now - since) < CLAIMED_FOR_MS:
            return False
        outcome = json.dumps(claimed(found.outcome, now))
        connection.execute(update(table).where(table.c.id == name).values(outcome=outcome))
        return True


def release(engine: Engine, name: str) -> None:
    """Takes the claim back: it was not sent, so it may be tried again at once."""
    with reading(engine) as connection:
        found = find(connection, name)
    if found is not None:
        note(engine, name, State.SENDING, found.outcome)


def note(engine: Engine, name: str, after: State, outcome: Mapping[str, Any]) -> None:
    """Notes what came of sending a proposal, and ends the claim."""
    table = tables.proposals
    mine = update(table).where(table.c.id == name, table.c.state == State.SENDING.value)
    kept = json.dumps({key: it for key, it in outcome.items() if key != CLAIM})
    with writing(engine) as connection:
        connection.execute(mine.values(state=after.value, outcome=kept))
