"""Puts the console's two cookies into an answer: the session's id, and how the pages look."""

from starlette.responses import Response

from streams.console import sessions, view
from streams.console.site import PageRequest


def carry(asked: PageRequest, answer: Response, session: str) -> None:
    """Puts the id of a session into an answer, signed at the present time."""
    cookies = sessions.Cookies(asked.console.key, asked.now // 1000)
    _put(asked, answer, sessions.COOKIE, cookies.sign(session).decode(), None)


def remember(asked: PageRequest, answer: Response, chosen: view.PageView) -> None:
    """Puts language, theme and zone into an answer."""
    _put(asked, answer, view.COOKIE, chosen.cookie(), view.YEAR_SECONDS)


def _put(asked: PageRequest, answer: Response, name: str, value: str, seconds: int | None) -> None:
    request = asked.request
    host = None if request.client is None else request.client.host
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=asked.console.peers.encrypted(host, request.headers),
        httponly=True,
        samesite="strict",
    )
