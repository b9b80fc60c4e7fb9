"""What every page function receives: the console's parts, and the request with its person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine
from starlette.requests import Request

from streams.console.aside import Aside
from streams.console.attempts import Attempts
from streams.console.counting import Counting
from streams.console.news import PageNews
from streams.console.oidc import OidcProvider
from streams.console.peers import Peers
from streams.console.view import PageView
from streams.letters.desk import LetterDesk
from streams.operate.send import Sent
from streams.serve.roles import Role, Roles, Who
from streams.settings import Settings

Send = Callable[[str, list[dict[str, Any]], int], Sent]
"""Sends values to an input (topic without prefix, values, present time in ms), as send_values().

It raises OperateError.
"""

TopicEnds = Callable[[str], Mapping[int, int]]
"""Asks Kafka for the end of each partition of an input (without prefix). Raises OperateError."""


@dataclass(frozen=True, slots=True)
class Console:
    """The console's parts.

    `roles`: returns who may ask, as the file says now. `clock`: returns the present time in ms.
    `key`: signs cookies. `peers`: the proxies whose word on who asks is taken. `letters`: fetches
    and settles refused records. `aside`: works out what takes long. `oidc`: the OpenID provider
    that signs people in; None: none does.
    """

    engine: Engine
    settings: Settings
    roles: Callable[[], Roles]
    clock: Callable[[], int]
    key: bytes
    send: Send
    ends: TopicEnds
    letters: LetterDesk
    aside: Aside
    peers: Peers = field(default_factory=Peers)
    attempts: Attempts = field(default_factory=Attempts)
    counting: Counting = field(default_factory=Counting)
    news: PageNews = field(default_factory=PageNews)
    oidc: OidcProvider | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request: what is asked, when (ms), by whom (None: nobody is signed in).

    `session`: the id of the session in force; empty: none. `visit`: the id that guards the forms of
    who is not signed in. `holder`: the key of `who` in Roles. `form`: the fields of a POST, each
    with all its values.
    """

    console: Console
    request: Request
    now: int
    session: str
    visit: str
    who: Who | None
    holder: str | None
    view: PageView
    form: Mapping[str, list[str]]

    @property
    def actor(self) -> str:
        """The signed-in person's id; empty: nobody."""
        return "" if self.who is None else self.who.actor

    def path(self, name: str) -> str:
        """Returns a part of the path."""
        return _plain(str(self.request.path_params[name]))

    def query(self, name: str) -> str:
        """Returns a parameter of the query, without blanks around it; empty: not given."""
        return _plain(self.request.query_params.get(name, ""))

    def said(self, name: str) -> str:
        """Returns a field of the form, without blanks around it; empty: not given."""
        return _plain(self.form.get(name, [""])[0])

    def has(self, role: Role) -> bool:
        """Returns whether the person has a role."""
        return self.who is not None and role in self.who.roles


def _plain(text: str) -> str:
    """Returns a text without blanks around it and without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "").strip()


class PageRefusal(Exception):
    """The request is not carried out: a page says what happened and what to do.

    `status`: of HTTP. `key`: of the sentence in words.py. `says`: the values of its fields.
    """

    def __init__(self, status: int, key: str, **says: object) -> None:
        super().__init__(key)
        self.status, self.key, self.says = status, key, says
