"""The routes of the read API. They call the same query functions as the commands."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from sqlalchemy import Engine

from schemas.enums import ACCOUNT_ID_PATTERN, PLATFORM_PATTERN
from streams.core.model.instants import DAY, day_of, day_start
from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.explain.sentences import LANGUAGES, Language
from streams.index.database import reading
from streams.index.errors import IndexFault, UnreadFault
from streams.index.events import events
from streams.index.fresh import freshness, whole
from streams.index.funnel import Asked, By, funnel
from streams.index.propagation import Asked as Period
from streams.index.propagation import systems
from streams.index.report import report
from streams.index.states import feed_list, partition_count
from streams.log_events import event
from streams.operate.audit.records import millis
from streams.operate.events import WantedEvents
from streams.operate.worklists import WORK_LISTS, WorkLists
from streams.serve.access import write_down
from streams.serve.metrics import answers_of, registry_of
from streams.serve.openapi import ROUTES, document
from streams.serve.roles import Role, Roles, who_is

ACCOUNT = re.compile(f"{PLATFORM_PATTERN[1:-1]}:{ACCOUNT_ID_PATTERN[1:-1]}")
PLATFORM = re.compile(PLATFORM_PATTERN[1:-1])
MOST_EVENTS = 1_000
NOT_KEPT = {"Cache-Control": "no-store"}
"""No cache on the way keeps an answer: it may name accounts."""
Answer = dict[str, Any]
Query = Callable[[Engine, dict[str, str], int], Answer]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logging.getLogger("streams.serve")


class Asking(ValueError):
    """The parameters of a request are wrong; the message says how (status 400)."""


def make_app(
    engine: Engine,
    roles: Roles,
    clock: Callable[[], int],
    unconfirmed_ms: int,
    acknowledged_ms: int,
    version: str,
) -> web.Application:
    """Returns the web application.

    `clock` returns the present time in ms. `unconfirmed_ms` and `acknowledged_ms` are the settings
    UNCONFIRMED_AFTER and ACKNOWLEDGED_WITHIN.
    """
    app = web.Application()
    queries: dict[str, Query] = {
        "/v1/accounts/{account}": _account,
        "/v1/accounts/{account}/events": _events,
        "/v1/worklists/{list}": partial(_worklist, unconfirmed_ms),
        "/v1/funnel": _funnel,
        "/v1/report": _report,
        "/v1/propagation": partial(_propagation, acknowledged_ms),
    }
    registry = registry_of(engine, clock, acknowledged_ms)
    answers = answers_of(registry, queries)
    for path, query in queries.items():
        answer = _handler(engine, roles, clock, path, query)
        app.router.add_get(path, _counted(answers, path, answer))

    async def described(_: web.Request) -> web.Response:
        return web.json_response(document(version))

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    app.router.add_get("/openapi.json", described)
    app.router.add_get("/healthz", alive)
    app.router.add_get("/metrics", _metrics(registry))
    return app


def _metrics(registry: CollectorRegistry) -> Handler:
    """Returns the handler of `/metrics`. It asks for no token: no account is in the metrics."""

    async def handle(_: web.Request) -> web.Response:
        try:
            text = await asyncio.to_thread(generate_latest, registry)
        except IndexFault as error:
            _log.error("%s", error, extra=event("index_unreachable"))
            return _error(503, "the index does not answer: its log says why")
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handle


def _counted(answers: Counter, path: str, handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            answer = await handler(request)
        except Exception:
            # It becomes a 500.
            answers.labels(path, "5xx").inc()
            raise
        answers.labels(path, f"{answer.status // 100}xx").inc()
        return answer

    return handle


def _handler(
    engine: Engine, roles: Roles, clock: Callable[[], int], path: str, query: Query
) -> Handler:
    role = ROUTES[path][1]

    async def handle(request: web.Request) -> web.Response:
        who = who_is(roles, request.headers.get("Authorization"))
        if who is None:
            return _error(401, "a bearer token is needed")
        if role not in who.roles:
            return _error(403, f"this token lacks the role {role}")
        asked = {**request.query, **request.match_info}
        now = clock()
        try:
            if role is Role.ACCOUNTS:
                account = asked.get("account")
                if account is not None and ACCOUNT.fullmatch(account) is None:
                    raise Asking("an account is platform:account_id")
                what, named = _told(path, asked), [] if account is None else [account]
                await asyncio.to_thread(write_down, engine, now, who.actor, what, named)
            await asyncio.to_thread(_whole, engine)
            found = await asyncio.to_thread(query, engine, asked, now)
            return web.json_response(found, headers=NOT_KEPT)
        except Asking as error:
            return _error(400, str(error))
        except UnreadFault as error:
            return _error(503, str(error))
        except IndexFault as error:
            _log.error("%s", error, extra=event("index_unreachable"))
            return _error(503, "the index does not answer: its log says why")

    return handle


def _told(path: str, asked: dict[str, str]) -> str:
    """Returns the route for the log, with the list and its platform, if there are such."""
    if asked.get("list") not in WORK_LISTS:
        return path
    platform = asked.get("platform", "")
    # The person may have typed anything, even a name.
    named = f" {platform}" if PLATFORM.fullmatch(platform) else ""
    return path.replace("{list}", asked["list"]) + named


def _whole(engine: Engine) -> None:
    """Raises UnreadFault while the index is being filled: part of it would pass for all."""
    with reading(engine) as connection:
        whole(connection)


def _error(status: int, says: str) -> web.Response:
    more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.json_response({"error": says}, status=status, headers={**NOT_KEPT, **more})


def _account(engine: Engine, asked: dict[str, str], now: int) -> Answer:
    language = asked.get("lang", "en")
    if language not in LANGUAGES:
        raise Asking("lang is en or zh")
    chosen: Language = "zh" if language == "zh" else "en"
    return explain(from_index(engine, asked["account"]), now).as_dict(chosen)


def _events(engine: Engine, asked: dict[str, str], now: int) -> Answer:
    wanted = WantedEvents(
        account=asked["account"], start=_time(asked, "from"), end=_time(asked, "to")
    )
    found = []
    with reading(engine) as connection:
        fresh = freshness(connection)
        for event in events(connection, wanted):
            found.append(event)
            if len(found) == MOST_EVENTS:
                break
    return {**fresh.as_dict(), "events": found, "whole": len(found) < MOST_EVENTS}


def _worklist(unconfirmed_ms: int, engine: Engine, asked: dict[str, str], now: int) -> Answer:
    which = next((it for it in WORK_LISTS if it == asked["list"]), None)
    if which is None:
        raise Asking(f"there are the lists {', '.join(WORK_LISTS)}")
    lists = WorkLists()
    with reading(engine) as connection:
        fresh = freshness(connection)
        lists.states.partition_count = partition_count(connection)
        feed_list(connection, which, lists)
    rows = lists.rows(which, now, unconfirmed_ms if which == "unconfirmed" else DAY)
    platform = asked.get("platform")
    kept = [it for it in rows if platform is None or it.account.startswith(f"{platform}:")]
    return {**fresh.as_dict(), "rows": [it.as_dict() for it in kept]}


def _funnel(engine: Engine, asked: dict[str, str], now: int) -> Answer:
    by = next((it for it in By if it == asked.get("by", "platform")), None)
    if by is None:
        raise Asking(f"by is {', '.join(By)}")
    start, end = _time(asked, "from"), _time(asked, "to")
    start = day_start(day_of(now)) if start is None else start
    period = Asked(start, now + 1 if end is None else end, by, asked.get("platform"))
    with reading(engine) as connection:
        lines = [it.as_dict() for it in funnel(connection, period)]
        return {**freshness(connection).as_dict(), "lines": lines}


def _report(engine: Engine, asked: dict[str, str], now: int) -> Answer:
    start, end = _time(asked, "from"), _time(asked, "to")
    if start is None or end is None or end <= start:
        raise Asking("from and to are needed, and to is later")
    with reading(engine) as connection:
        return report(connection, start, end, asked.get("platform")).as_dict()


def _propagation(acknowledged_ms: int, engine: Engine, asked: dict[str, str], now: int) -> Answer:
    start, end = _time(asked, "from"), _time(asked, "to")
    period = Period(
        now - DAY if start is None else start,
        now if end is None else end,
        now - acknowledged_ms,
        asked.get("platform"),
    )
    with reading(engine) as connection:
        found = [it.as_dict() for it in systems(connection, period)]
        return {**freshness(connection).as_dict(), "systems": found}


def _time(asked: dict[str, str], name: str) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    try:
        # In a query string `+` means a blank, so the sign of a time's offset arrives as one.
        return millis(text.replace(" ", "+"))
    except ValueError:
        raise Asking(f"{name} is a time like 2026-01-31T12:00:00+08:00") from None
