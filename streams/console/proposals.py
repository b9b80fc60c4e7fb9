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
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from streams.console.orders import Wish, wish_of
from streams.core.model.instants import DAY
from streams.index import tables
from streams.index.database import writing

PREPARED_FOR_MS = 30 * 60_000
PROPOSED_FOR_MS = DAY


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
    `fault`.
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
    table = tables.proposals
    mine = update(table).where(table.c.id == name, table.c.state == before.value)
    if before in (State.PREPARED, State.PROPOSED):
        mine = mine.where(table.c.expires_at > now)
    with writing(engine) as connection:
        done = connection.execute(mine.values(state=after.value, **columns))
        return done.rowcount == 1


def note(engine: Engine, name: str, after: State, outcome: dict[str, Any]) -> None:
    """Notes what came of sending a proposal."""
    table = tables.proposals
    mine = update(table).where(table.c.id == name, table.c.state == State.SENDING.value)
    with writing(engine) as connection:
        connection.execute(mine.values(state=after.value, outcome=json.dumps(outcome)))
