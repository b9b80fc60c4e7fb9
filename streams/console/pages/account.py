"""The search for an account, and the page of one account: its explanation and its timers."""

import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, select
from starlette.responses import RedirectResponse, Response

from schemas.enums import ACCOUNT_ID_PATTERN, PLATFORM_PATTERN, Mode
from streams.console.charts import DialClock
from streams.console.clocks import PageDue, clocks, due
from streams.console.orders import CONTROLS, Wish
from streams.console.proposals import underway
from streams.console.render import page
from streams.console.site import PageRequest
from streams.console.terms import TermRow, compared
from streams.core.model.policy import Policy
from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.explain.material import Material
from streams.explain.sentences import Sentence
from streams.index import tables
from streams.index.database import reading
from streams.index.events import throttle_events
from streams.index.fresh import Fresh, freshness
from streams.index.states import partition_count
from streams.operate.statements import render, zone_of
from streams.operate.statements.restrictions import Restrictions

ACCOUNT = re.compile(f"{PLATFORM_PATTERN[1:-1]}:{ACCOUNT_ID_PATTERN[1:-1]}")
BEGINNING = re.compile(r"[a-z][a-z0-9-]{0,31}(:[A-Za-z0-9._~-]{0,64})?")
BARE = re.compile(r"[A-Za-z0-9._~-]{1,64}")
MOST_FOUND = 50
KINDS = {
    "inputs": ("said", "said_by"),
    "refused": ("refused", "refused_field"),
    "decisions": ("taken", "put_off", "ignored"),
    "events": ("event", "event_surface"),
    "acks": ("ack",),
}
"""Filter of the timeline → the keys of its sentences."""
MOST_SHOWN = 200
"""How many lines of a timeline are shown at once; the newest first."""


def search(asked: PageRequest) -> Response:
    """Finds accounts by their key or its beginning; the only one is shown at once."""
    wanted, found = asked.query("q"), _matches(asked)
    if found == [wanted]:
        return RedirectResponse(f"/accounts/{wanted}", 303)
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
    fault = not found and wanted and not (BEGINNING.fullmatch(wanted) or BARE.fullmatch(wanted))
    values = {"wanted": wanted, "found": found[:MOST_FOUND], "fault": fault}
    full = len(found) > MOST_FOUND
    return page(asked, "accounts.html", {**values, "full": full, **_aged(asked, fresh)})


def searched(asked: PageRequest) -> list[str]:
    """Returns the accounts that a search lists, or that it was for, for the log of accesses."""
    wanted = asked.query("q")
    return _matches(asked)[:MOST_FOUND] or ([wanted] if ACCOUNT.fullmatch(wanted) else [])


def _matches(asked: PageRequest) -> list[str]:
    wanted = asked.query("q")
    if ACCOUNT.fullmatch(wanted) and _known(asked, wanted):
        return [wanted]
    found = list[str]()
    with reading(asked.console.engine) as connection:
        if BEGINNING.fullmatch(wanted):
            found = _beginning(connection, wanted)
        if not found and BARE.fullmatch(wanted):
            platforms = connection.scalars(select(tables.policies.c.platform).distinct()).all()
            found = [it for name in platforms for it in _beginning(connection, f"{name}:{wanted}")]
    return sorted(found)


def _aged(asked: PageRequest, fresh: Fresh) -> dict[str, Any]:
    return {"fresh": fresh, "late": fresh.late(asked.now)}


def _known(asked: PageRequest, account: str) -> bool:
    with reading(asked.console.engine) as connection:
        return account in _beginning(connection, account)


def _beginning(connection: Connection, text: str) -> list[str]:
    """Returns accounts whose key begins so, of the workers' state and of all invitations."""
    found: set[str] = set()
    for column in (tables.states.c.key, tables.cycles.c.account):
        for limits in _limits(connection, column):
            mine = column.startswith(text, autoescape=True)
            if connection.dialect.name == "sqlite":
                # A comparison with LIKE would not use the database's index.
                mine = (column >= text) & (column < text + "\x7f")
            asked = select(column).where(mine, *limits).distinct().order_by(column)
            asked = asked.limit(MOST_FOUND + 1)
            found.update(it for it in connection.scalars(asked) if ACCOUNT.fullmatch(it))
    return sorted(found)


def _limits(connection: Connection, column: Column[str]) -> list[tuple[ColumnElement[bool], ...]]:
    """Returns the conditions of each part: the key of `states` begins with the partition."""
    if column.table is not tables.states:
        return [()]
    partition = tables.states.c.partition
    return [(partition == it,) for it in range(partition_count(connection))]


@dataclass(slots=True)
class _Shown:
    """The data that the page shows besides the explanation; empty without a stored state."""

    clocks: list[DialClock] = field(default_factory=list)
    due: list[PageDue] = field(default_factory=list)
    terms: list[tuple[str, list[TermRow]]] = field(default_factory=list)
    policy: Policy | None = None


def show(asked: PageRequest) -> Response:
    """Shows one account."""
    account = asked.path("account")
    material = from_index(asked.console.engine, account)
    explained = explain(material, asked.now)
    shown = _beside(material, asked.now)
    kind = asked.query("kind") if asked.query("kind") in KINDS else ""
    timeline = [it for it in reversed(explained.sections["timeline"]) if _fits(it, kind)]
    number = asked.query("page")
    first = MOST_SHOWN * (int(number) if number.isdecimal() and len(number) < 6 else 0)
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        orders = underway(connection, Wish(CONTROLS, "", "", (account,)), asked.now)
        restrictions = Restrictions()
        for record in throttle_events(connection, account):
            restrictions.feed(record)
    statements = [
        (it.surface.value, {name: render(it, name, zone) for name in ("zh", "en")})
        for it in restrictions.told(asked.now)
        for zone in (zone_of(shown.policy, it.statement.ground.phase),)
    ]
    values = {
        "account": account,
        "sections": explained.sections,
        "shown": shown,
        "kinds": tuple(KINDS),
        "kind": kind,
        "timeline": timeline[first : first + MOST_SHOWN],
        "page": first // MOST_SHOWN,
        "more": len(timeline) > first + MOST_SHOWN,
        "statements": statements,
        "unreadable": restrictions.unreadable,
        "underway": orders,
        "places": lambda it: ", ".join(map(str, it.places)),
    }
    return page(asked, "account.html", {**values, **_aged(asked, fresh)})


def _fits(said: Sentence, kind: str) -> bool:
    return not kind or said.key in KINDS[kind]


def _beside(material: Material, now: int) -> _Shown:
    known = material.known(now)
    if known is None:
        return _Shown()
    policy = known.context.policy
    cycles = [(str(it), known.account.life(it).cycle) for it in (Mode.ENFORCE, Mode.SHADOW)]
    terms = [(mode, compared(it, policy)) for mode, it in cycles if it is not None]
    return _Shown(list(clocks(known)), due(known), terms, policy)
