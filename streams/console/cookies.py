"""Reads the console's cookies and puts them into answers: the id of a session, or of a visit before
it, how the pages look, and a sign-in that has begun.
"""

from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from streams.console import sessions, view
from streams.console.oidc import BegunSignIn
from streams.console.reached import by_address, peer_of
from streams.console.site import Console, PageRequest

VISIT = "byline_visit"
SIGN_IN = "byline_sign_in"
SIGN_IN_PATH = "/sign-in"
SIGN_IN_SECONDS = 600
_SALT = "byline-console-sign-in"
_VISIT_SALT = "byline-console-visit"


def session_in(console: Console, request: Request) -> str | None:
    """Returns the id of a session that a browser brings; None: none, or it was idle."""
    return _id_in(console, request, sessions.COOKIE, sessions.SALT)


def visit_in(console: Console, request: Request) -> str | None:
    """Returns the id of a visit without a session that a browser brings; None: none."""
    return _id_in(console, request, VISIT, _VISIT_SALT)


def cookie_name(console: Console, request: Request, name: str) -> str:
    """Returns what the cookie of a session or a visit is called in this request's browser.

    Over TLS a browser takes such a name from this host alone, and not from a sibling.
    """
    return f"__Host-{name}" if _encrypted(console, request) else name


def carry(asked: PageRequest, answer: Response, session: str) -> None:
    """Puts the id of a session into an answer, signed at the present time.

    Where a proxy states who asks, a link of another site brings it: else each would begin another.
    """
    stated = asked.console.peers.trusts(peer_of(asked.request))
    name = cookie_name(asked.console, asked.request, sessions.COOKIE)
    value = _signed(asked, session, sessions.SALT)
    _put(asked, answer, name, value, None, "lax" if stated else "strict")


def drop(asked: PageRequest, answer: Response) -> None:
    """Takes the session out of the browser."""
    _put(asked, answer, cookie_name(asked.console, asked.request, sessions.COOKIE), "", 0)


def carry_visit(asked: PageRequest, answer: Response) -> None:
    """Puts the id of a visit into an answer with a form for who is not signed in.

    A link of another site brings it, so that it does not replace the one of an open form.
    """
    name = cookie_name(asked.console, asked.request, VISIT)
    _put(asked, answer, name, _signed(asked, asked.visit, _VISIT_SALT), None, "lax")


def remember(asked: PageRequest, answer: Response, chosen: view.PageView) -> None:
    """Puts language, theme and zone into an answer."""
    _put(asked, answer, view.COOKIE, chosen.cookie(), view.YEAR_SECONDS)


def carry_sign_in(asked: PageRequest, answer: Response, sign_in: BegunSignIn) -> None:
    """Puts a sign-in that has begun into an answer.

    A strict cookie would not come back: the provider's page sends the browser here.
    """
    text = "~".join([sign_in.seed, sign_in.before, quote(sign_in.target, safe="")])
    value = _signed(asked, text, _SALT)
    _put(asked, answer, SIGN_IN, value, SIGN_IN_SECONDS, "lax", SIGN_IN_PATH)


def sign_in_of(asked: PageRequest) -> BegunSignIn | None:
    """Returns the sign-in that the browser has begun; None: none, or too long ago."""
    cookies = sessions.Cookies(asked.console.key, asked.now // 1000, _SALT)
    found = cookies.id_in(asked.request.cookies.get(SIGN_IN), SIGN_IN_SECONDS)
    words = (found or "").split("~", 2)
    return BegunSignIn(words[0], unquote(words[2]), words[1]) if len(words) == 3 else None


def end_sign_in(asked: PageRequest, answer: Response) -> None:
    """Takes the sign-in out of the browser."""
    _put(asked, answer, SIGN_IN, "", 0, "lax", SIGN_IN_PATH)


def _signed(asked: PageRequest, text: str, salt: str) -> str:
    return sessions.Cookies(asked.console.key, asked.now // 1000, salt).sign(text).decode()


def _id_in(console: Console, request: Request, name: str, salt: str) -> str | None:
    cookies = sessions.Cookies(console.key, console.clock() // 1000, salt)
    return cookies.id_in(request.cookies.get(cookie_name(console, request, name)))


def _put(
    asked: PageRequest,
    answer: Response,
    name: str,
    value: str,
    seconds: int | None,
    same_site: Literal["strict", "lax"] = "strict",
    path: str = "/",
) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path=path,
        secure=_encrypted(asked.console, asked.request),
        httponly=True,
        samesite=same_site,
    )


def _encrypted(console: Console, request: Request) -> bool:
    """Returns whether the browser came over TLS: a proxy says so, or it came by our address."""
    ours = urlsplit(console.settings.console_address or "")
    if ours.scheme == "https" and by_address(console, request):
        return True
    return console.peers.encrypted(peer_of(request), request.headers)
