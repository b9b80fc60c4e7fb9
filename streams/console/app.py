"""The web application: checks each request against the table of routes, then makes the page.

The order of the checks is fixed: the console's name, who asks, the form's site, whether somebody
has to be signed in, the form's token, the role, the log of accesses.
Every answer, also of a fault, gets the same headers of security.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Bound
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.console import sessions
from streams.console.cookies import carry, cookie_name, session_in
from streams.console.pages.account import ACCOUNT
from streams.console.render import page
from streams.console.routes import ROUTES, STREAM_PATH, Open, Route
from streams.console.site import Console, PageRefusal, PageRequest
from streams.console.who_asks import (
    Form,
    identified,
    refuse_other_names,
    refuse_other_sites,
    refuse_unguarded,
    stranger,
    strayed,
)
from streams.index.errors import DatabaseAway, IndexFault
from streams.log_events import event
from streams.serve.access import write_down

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Under "no-referrer" a browser sends `Origin: null` with its own forms, which are refused then.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
MOST_FORM_BYTES = 256 * 1024
MOST_FIELDS = 5_000
FORM_SECONDS = 30.0
"""A form that takes longer to arrive is refused."""
_log = logging.getLogger("streams.console")
Handler = Callable[[Request], Awaitable[Response]]


def make_app(console: Console) -> Starlette:
    """Returns the application."""
    by_path: dict[str, dict[str, Route]] = defaultdict(dict)
    for route in ROUTES:
        by_path[route.path][route.method] = route
        console.counting.begin(route.path)
    bound = [
        Bound(path, _handler(console, routes), methods=[*routes], name=path)
        for path, routes in by_path.items()
    ]
    bound.append(Bound("/metrics", console.counting.handler(), methods=["GET"], name="/metrics"))

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        key = "error.method" if status == HTTPStatus.METHOD_NOT_ALLOWED else "error.missing"
        asked = await run_in_threadpool(strayed, console, request)
        answer = page(asked, "refusal.html", {"key": key}, status=status)
        if isinstance(error, HTTPException):
            answer.headers.update(error.headers or {})
        return _finished(asked, answer)

    app = Starlette(
        routes=bound,
        middleware=[Middleware(_Secured), Middleware(_OneLength)],
        exception_handlers={HTTPException: missing, Exception: _broken},
    )
    # It would lead to an address made of the Host header.
    app.router.redirect_slashes = False
    return app


class _Secured:
    """Gives every answer the headers of security, whoever made it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, secured)


class _OneLength:
    """Refuses a request that states its length in two ways, and ends its connection.

    A proxy before the console might go by the other one, and take the rest for a request of its own
    (RFC 9112, 6.1).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        if {b"content-length", b"transfer-encoding"} <= names:
            said = {"Connection": "close"}
            refusal = Response("Two lengths of one request.\n", 400, said, "text/plain")
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _broken(_: Request, __: Exception) -> Response:
    """The answer where not even a page of refusal could be made; outside of _Secured."""
    return Response("This did not work; the log says why.\n", 500, HEADERS, "text/plain")


def _handler(console: Console, routes: dict[str, Route]) -> Handler:
    async def handle(request: Request) -> Response:
        route = routes["GET" if request.method == "HEAD" else request.method]
        form = await _form(request) if request.method == "POST" else {}
        asked, answer = await run_in_threadpool(_answer, console, request, route, form)
        console.counting.answer(route.path, answer.status_code)
        return _finished(asked, answer)

    return handle


async def _form(request: Request) -> Form | None:
    """Returns the fields of a form; None: it is too large, too slow or of another kind."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_FORM_BYTES:
                    return None
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (ValueError, TimeoutError, ClientDisconnect):
        return None


def _answer(
    console: Console, request: Request, route: Route, form: Form | None
) -> tuple[PageRequest, Response]:
    """Makes the answer, in a thread of its own; a fault becomes a page that says what to do."""
    asked = stranger(console, request)
    try:
        if route.needs is Open.NOBODY:
            return asked, route.page(asked)
        refuse_other_names(console, request)
        asked = identified(console, request, form or {})
        posted = request.method == "POST"
        if posted:
            refuse_other_sites(asked, form)
        if route.needs is not Open.ANYBODY and asked.who is None:
            if not posted:
                return asked, _to_sign_in(request)
            raise PageRefusal(401, "error.signed_out")
        if posted:
            refuse_unguarded(asked, visits=route.needs is Open.ANYBODY)
        if not isinstance(route.needs, Open) and not asked.has(route.needs):
            raise PageRefusal(403, "error.role", role=str(route.needs))
        if route.logged:
            _write_down(asked, route)
        return asked, route.page(asked)
    except PageRefusal as refusal:
        answer = _refused(asked, refusal)
    except DatabaseAway as error:
        _log.error("%s", error, extra=event("index_unreachable"))
        answer = page(asked, "refusal.html", {"key": "error.away"}, status=503)
    except IndexFault as error:
        _log.error("%s", error, extra=event("index_unreachable"))
        answer = page(asked, "refusal.html", {"key": "error.index"}, status=503)
    except Exception:
        words = "a page of the console could not be made: %s"
        _log.exception(words, route.path, extra=event("page_failed"))
        answer = page(asked, "refusal.html", {"key": "error.bug"}, status=500)
    return asked, answer


def _refused(asked: PageRequest, refusal: PageRefusal) -> Response:
    said = {"key": refusal.key, "says": refusal.says}
    return page(asked, "refusal.html", said, status=refusal.status)


def _write_down(asked: PageRequest, route: Route) -> None:
    account = asked.request.path_params.get("account")
    if account is not None and ACCOUNT.fullmatch(account) is None:
        # The person may have typed anything, even a name, so the text is not logged.
        raise PageRefusal(400, "error.account")
    accounts = [account] if account is not None else route.whose(asked) if route.whose else []
    what = f"console {route.path if route.told is None else route.told(asked)}"
    own = _polled(asked.request)
    write_down(asked.console.engine, asked.now, asked.actor, what, accounts, poll=own)


def _finished(asked: PageRequest, answer: Response) -> Response:
    """Makes the session's cookie as old as this request, or gives one that has just begun.

    What a page asks for by itself makes nobody less idle. Without a session nothing is set: a
    navigation from another site comes without it, and an id of its own would take its place.
    """
    given = answer.headers.getlist("set-cookie")
    name = cookie_name(asked.console, asked.request, sessions.COOKIE)
    if asked.session and not any(it.startswith(f"{name}=") for it in given):
        new = asked.session != session_in(asked.console, asked.request)
        if new or not _by_itself(asked.request):
            carry(asked, answer, asked.session)
    return answer


def _by_itself(request: Request) -> bool:
    """Returns whether a page has sent this request, and not a person: a poll, or its stream."""
    return _polled(request) or request.url.path == STREAM_PATH


def _polled(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def _to_sign_in(request: Request) -> Response:
    target = f"{request.url.path}?{request.url.query}".rstrip("?")
    place = f"/sign-in?next={quote(target)}"
    # The poll of a page follows a redirect by itself, and would take the form for its part.
    if _polled(request):
        return Response(None, 401, {"HX-Redirect": place})
    return RedirectResponse(place, 303)
