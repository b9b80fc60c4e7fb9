"""Whose accounts an order is about, for the log of accesses: a preview says how each one stands."""

import re

from sqlalchemy import or_, select

from streams.console import proposals
from streams.console.orders import CONTROLS
from streams.console.pages.account import ACCOUNT
from streams.console.proposals import State
from streams.console.settling import speaks_of
from streams.console.site import PageRequest
from streams.index import tables
from streams.index.database import reading
from streams.letters.reading import Origin, origin_of
from streams.operate.bulk import MAX_ACCOUNTS
from streams.operate.errors import UsageError

_CHUNK = 100


def ordered(asked: PageRequest) -> list[str]:
    """Returns the accounts that a form of an order names; too many are refused without an answer.

    Of dead letters those whose letters were chosen one by one.
    """
    if asked.path("what") != CONTROLS:
        return _of_letters(asked)
    words = [word for text in asked.form.get("account", []) for word in re.split(r"[\s,]+", text)]
    # A person may have typed anything, even a name: only what is an account is written down.
    named = list(dict.fromkeys(it for it in words if ACCOUNT.fullmatch(it)))
    return named if len(named) <= MAX_ACCOUNTS else []


def _of_letters(asked: PageRequest) -> list[str]:
    table, found = tables.letters, set[str]()
    chosen = sorted({it for text in asked.form.get("place", []) for it in _origin(text)})
    with reading(asked.console.engine) as connection:
        for start in range(0, min(len(chosen), MAX_ACCOUNTS), _CHUNK):
            mine = or_(*(speaks_of(table, it) for it in chosen[start : start + _CHUNK]))
            found.update(connection.scalars(select(table.c.account).where(mine, _NAMED)))
    return sorted(found)


_NAMED = tables.letters.c.account.is_not(None)


def _origin(text: str) -> list[Origin]:
    try:
        return [origin_of(text)]
    except UsageError:
        return []


def of_order(asked: PageRequest) -> tuple[str, ...]:
    """Returns the accounts of an order whose page this person may see."""
    with reading(asked.console.engine) as connection:
        found = proposals.find(connection, asked.path("id"))
    if found is None or (found.state is State.PREPARED and found.actor != asked.actor):
        return ()
    return found.wish.accounts


def order(asked: PageRequest) -> str:
    """Returns the path of an order, if its id has the form of one."""
    name = asked.path("id")
    return f"/proposals/{name if re.fullmatch('[0-9a-f]{32}', name) else '{id}'}"
