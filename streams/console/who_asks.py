"""Finds out who asks, and refuses a request that is not of the console's own pages."""

import hmac
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request

from streams.console import sessions
from streams.console.cookies import session_in, visit_in
from streams.console.reached import by_own_name, of_this_site, peer_of
from streams.console.site import Console, PageRefusal, PageRequest
from streams.console.view import view_of
from streams.index.errors import DatabaseAway, IndexFault
from streams.serve.roles import USER, Who, user_key

Form = Mapping[str, list[str]]


def stranger(console: Console, request: Request) -> PageRequest:
    """Returns the request of nobody, for whom no database is asked."""
    visit = visit_in(console, request) or sessions.new_id()
    return PageRequest(
        console, request, console.clock(), "", visit, None, None, view_of(request), {}
    )


def strayed(console: Console, request: Request) -> PageRequest:
    """Returns the request of a page that does not exist, with who asks if that can be found."""
    if not by_own_name(console, request):
        return stranger(console, request)
    try:
        return identified(console, request, {})
    except (DatabaseAway, IndexFault):
        return stranger(console, request)


def identified(console: Console, request: Request, form: Form) -> PageRequest:
    """Returns the request with who asks, as long as the roles file has him.

    Behind a proxy that is whom it states, and a session of that name is begun if there is none. A
    session by token does not count there, and one by proxy counts nowhere else.
    """
    plain = replace(stranger(console, request), form=form)
    session = session_in(console, request) or ""
    found = sessions.find(console.engine, session, plain.now)
    if console.peers.trusts(peer_of(request)):
        return _stated(plain, session, found)
    if found is None or found.holder.startswith(USER):
        return plain
    who = holder_of(console, session, found.holder, plain.now)
    return plain if who is None else replace(plain, session=session, who=who, holder=found.holder)


def holder_of(console: Console, session: str, holder: str, now: int) -> Who | None:
    """Returns who holds a session; None: its line is not in the roles file, and it has ended.

    Who takes a line out and puts it back wants no old session back. A file that cannot be used
    names nobody (RoleFile): it lets nobody in and ends nothing.
    """
    known = console.roles()
    who = known.get(holder)
    if who is None and known:
        sessions.end(console.engine, session, now)
    return who


def _stated(plain: PageRequest, session: str, found: sessions.Session | None) -> PageRequest:
    console, request = plain.console, plain.request
    stated = console.peers.stated(peer_of(request), request.headers)
    if stated is None:
        return plain
    holder = user_key(stated)
    who = console.roles().get(holder)
    if who is None:
        return replace(plain, holder=holder)
    if found is None or found.holder != holder:
        session = ""
        # A form of another site comes without the session that there is.
        if request.method in ("GET", "HEAD"):
            session = sessions.begin(console.engine, holder, who.actor, plain.now)
    return replace(plain, session=session, who=who, holder=holder)


def refuse_other_names(console: Console, request: Request) -> None:
    """Refuses a request that was sent to a name which is not the console's."""
    if not by_own_name(console, request):
        raise PageRefusal(421, "error.host")


def refuse_other_sites(asked: PageRequest, form: Form | None) -> None:
    """Refuses a POST that no form of this site sends."""
    if form is None:
        raise PageRefusal(400, "error.form")
    if not of_this_site(asked.console, asked.request):
        raise PageRefusal(403, "error.guard")


def refuse_unguarded(asked: PageRequest, *, visits: bool) -> None:
    """Refuses a POST without the token of its session. `visits`: that of a visit counts, too."""
    ids = [asked.session] if asked.session else []
    ids += [asked.visit] if visits else []
    said = asked.said("guard").encode()
    guards = [sessions.guard_of(asked.console.key, it).encode() for it in ids]
    if not any(hmac.compare_digest(said, it) for it in guards):
        raise PageRefusal(403, "error.guard")
