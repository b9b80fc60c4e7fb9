"""Puts the console's cookies into an answer: the session's id, how the pages look, and a sign-in
that has begun.
"""

from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from starlette.responses import Response

from streams.console import sessions, view
from streams.console.oidc import BegunSignIn
from streams.console.site import PageRequest

SIGN_IN = "byline_sign_in"
SIGN_IN_PATH = "/sign-in"
SIGN_IN_SECONDS = 600
_SALT = "byline-console-sign-in"


def carry(asked: PageRequest, answer: Response, session: str) -> None:
    """Puts the id of a session into an answer, signed at the present time."""
    cookies = sessions.Cookies(asked.console.key, asked.now // 1000)
    _put(asked, answer, sessions.COOKIE, cookies.sign(session).decode(), None)


def remember(asked: PageRequest, answer: Response, chosen: view.PageView) -> None:
    """Puts language, theme and zone into an answer."""
    _put(asked, answer, view.COOKIE, chosen.cookie(), view.YEAR_SECONDS)


def carry_sign_in(asked: PageRequest, answer: Response, sign_in: BegunSignIn) -> None:
    """Puts a sign-in that has begun into an answer.

    A strict cookie would not come back: the provider's page sends the browser here.
    """
    cookies = sessions.Cookies(asked.console.key, asked.now // 1000, _SALT)
    value = cookies.sign(f"{sign_in.seed}~{quote(sign_in.target, safe='')}").decode()
    _put(asked, answer, SIGN_IN, value, SIGN_IN_SECONDS, SIGN_IN_PATH, "lax")


def sign_in_of(asked: PageRequest) -> BegunSignIn | None:
    """Returns the sign-in that the browser has begun; None: none, or too long ago."""
    cookies = sessions.Cookies(asked.console.key, asked.now // 1000, _SALT)
    found = cookies.id_in(asked.request.cookies.get(SIGN_IN), SIGN_IN_SECONDS)
    seed, sign, target = (found or "").partition("~")
    return BegunSignIn(seed, unquote(target)) if sign else None


def end_sign_in(asked: PageRequest, answer: Response) -> None:
    """Takes the sign-in out of the browser, so that it is answered once."""
    _put(asked, answer, SIGN_IN, "", 0, SIGN_IN_PATH, "lax")


def _put(
    asked: PageRequest,
    answer: Response,
    name: str,
    value: str,
    seconds: int | None,
    path: str = "/",
    same_site: Literal["strict", "lax"] = "strict",
) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path=path,
        secure=_encrypted(asked),
        httponly=True,
        samesite=same_site,
    )


def _encrypted(asked: PageRequest) -> bool:
    """Returns whether the browser came over TLS: a proxy says so, or it came by our address."""
    request = asked.request
    host = None if request.client is None else request.client.host
    ours = urlsplit(asked.console.settings.console_address or "")
    by_address = ours.scheme == "https" and ours.netloc == request.headers.get("host")
    return by_address or asked.console.peers.encrypted(host, request.headers)
