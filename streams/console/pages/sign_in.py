"""Signing in with a token, signing out, and the choice of language, theme and zone."""

from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response

from streams.console import sessions
from streams.console.cookies import carry, carry_visit, drop, remember
from streams.console.reached import directly, peer_of
from streams.console.render import page
from streams.console.sessions import fingerprint
from streams.console.site import PageRefusal, PageRequest
from streams.console.view import chosen
from streams.serve.roles import token_key


def safe_target(text: str) -> str:
    """Returns a path of this site to go on with; `/` for anything that could lead elsewhere."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\", "/sign-"))
    return text if plain and text.isprintable() and "\\" not in text else "/"


def go_on(answer: Response, target: str) -> None:
    """Lets a page lead on to a path of this site by itself.

    A redirect would still come from the site before, and without the session's cookie.
    """
    answer.headers["Refresh"] = f"0;url={quote(target, safe='/?&=%:@[]~')}"


def form(asked: PageRequest) -> Response:
    """Shows the form, or says why nobody can sign in from there.

    Who follows a link of another site may be signed in, but his cookie did not come along: the page
    leads to where he wanted to go, and only if that leads back here he has to sign in.
    """
    answer = _form(asked, None)
    headers = asked.request.headers
    came = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    if asked.who is None and came == ("cross-site", "navigate"):
        go_on(answer, safe_target(asked.query("next")))
    return answer


def _takes_tokens(asked: PageRequest) -> bool:
    console, request = asked.console, asked.request
    return console.peers.takes_tokens(peer_of(request)) and directly(console, request)


def _form(asked: PageRequest, fault: str | None, status: int = 200) -> Response:
    behind = asked.console.peers.trusts(peer_of(asked.request))
    target = safe_target(asked.said("next") or asked.query("next"))
    issuer = asked.console.settings.oidc_issuer if asked.console.oidc and not behind else None
    values = {
        "fault": fault,
        "possible": _takes_tokens(asked),
        "stated": asked.holder if behind else None,
        "target": target,
        "begin": f"/sign-in/provider?next={quote(target, safe='')}",
        "provider": urlsplit(issuer or "").hostname,
        "visiting": True,
    }
    answer = page(asked, "sign_in.html", values, status=status)
    carry_visit(asked, answer)
    return answer


def enter(asked: PageRequest) -> Response:
    """Begins a session of a token's holder, under a new id. The browser's session before ends."""
    console, host = asked.console, peer_of(asked.request)
    if not _takes_tokens(asked):
        # Not counted: what comes through something else must not lock out who comes directly.
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
    before = fingerprint(asked.session)
    session = sessions.begin(console.engine, holder, who.actor, asked.now, before)
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
    drop(asked, answer)
    return answer


def view(asked: PageRequest) -> Response:
    """Remembers language, theme and zone, and goes back to the page."""
    answer = RedirectResponse(safe_target(asked.said("next")), 303)
    said = asked.said
    remember(asked, answer, chosen(said("language"), said("theme"), said("zone")))
    return answer
