"""Signing in with a token, signing out, and the choice of language, theme and zone."""

from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response

from streams.console import sessions
from streams.console.cookies import carry, remember
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.console.view import chosen
from streams.serve.roles import token_key


def safe_target(text: str) -> str:
    """Returns a path of this site to go on with; `/` for anything that could lead elsewhere."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\", "/sign-"))
    return text if plain and text.isprintable() and "\\" not in text else "/"


def _host(asked: PageRequest) -> str:
    return "" if asked.request.client is None else asked.request.client.host


def form(asked: PageRequest) -> Response:
    """Shows the form, or says why nobody can sign in from there."""
    return _form(asked, None)


def _form(asked: PageRequest, fault: str | None, status: int = 200) -> Response:
    host = _host(asked)
    stated = asked.holder if asked.console.peers.trusts(host) else None
    possible = asked.console.peers.takes_tokens(host)
    target = safe_target(asked.said("next") or asked.query("next"))
    behind = asked.console.peers.trusts(host)
    issuer = asked.console.settings.oidc_issuer if asked.console.oidc and not behind else None
    values = {
        "fault": fault,
        "possible": possible,
        "stated": stated,
        "target": target,
        "begin": f"/sign-in/provider?next={quote(target, safe='')}",
        "provider": urlsplit(issuer or "").hostname,
    }
    return page(asked, "sign_in.html", values, status=status)


def enter(asked: PageRequest) -> Response:
    """Begins a session of a token's holder, under a new id."""
    console, host = asked.console, _host(asked)
    if not console.peers.takes_tokens(host):
        raise PageRefusal(403, "error.not_local")
    if not console.attempts.allowed(host, asked.now):
        console.counting.refused_sign_in()
        raise PageRefusal(429, "error.too_often")
    holder = token_key(asked.said("token"))
    who = console.roles().get(holder)
    if who is None:
        console.attempts.failed(host, asked.now)
        console.counting.refused_sign_in()
        return _form(asked, "sign_in.nobody", 403)
    session = sessions.begin(console.engine, holder, who.actor, asked.now)
    answer = RedirectResponse(safe_target(asked.said("next")), 303)
    carry(asked, answer, session)
    return answer


def leave(asked: PageRequest) -> Response:
    """Ends the session."""
    sessions.end(asked.console.engine, asked.session, asked.now)
    return _left(asked)


def leave_everywhere(asked: PageRequest) -> Response:
    """Ends every session of the person."""
    if asked.holder is not None:
        sessions.end_all(asked.console.engine, asked.holder, asked.actor, asked.now)
    return _left(asked)


def _left(asked: PageRequest) -> Response:
    answer = RedirectResponse("/sign-in", 303)
    carry(asked, answer, sessions.new_id())
    return answer


def view(asked: PageRequest) -> Response:
    """Remembers language, theme and zone, and goes back to the page."""
    answer = RedirectResponse(safe_target(asked.said("next")), 303)
    said = asked.said
    remember(asked, answer, chosen(said("language"), said("theme"), said("zone")))
    return answer
