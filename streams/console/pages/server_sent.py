"""A stream of server-sent events: `news` when the index has read more, so that a page asks anew.

The stream itself says nothing about anybody. It ends with the session or the role of its person.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from streams.console import sessions
from streams.console.site import PageRefusal, PageRequest
from streams.console.who_asks import holder_of
from streams.core.model.instants import SECOND
from streams.index.errors import IndexFault
from streams.serve.roles import Role

LEAST_MS = 4 * SECOND
"""News are told at most so often."""
MOST_MS = 20 * SECOND
"""Without any, the page is told so often: its age grows, and what is due comes nearer."""


def stream(asked: PageRequest) -> Response:
    """Begins a stream. Refuses where too many are open; the page then asks every minute."""
    if not asked.console.news.begin(asked.actor):
        raise PageRefusal(503, "error.streams")
    return _NewsStream(asked)


class _NewsStream(StreamingResponse):
    """Gives its place back when it ends, also if nobody read a word of it."""

    def __init__(self, asked: PageRequest) -> None:
        super().__init__(_events(asked), media_type="text/event-stream")
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._asked.console.news.end(self._asked.actor)


async def _events(asked: PageRequest) -> AsyncIterator[str]:
    console, news = asked.console, asked.console.news
    told, told_at = None, asked.now
    yield "retry: 5000\n\n"
    for _ in range(news.looks):
        now = console.clock()
        seen = await run_in_threadpool(_look, asked, now)
        if seen is None:
            yield "event: over\ndata: signed out\n\n"
            return
        waited = now - told_at
        if told is None:
            told = seen
        elif (seen != told and waited >= LEAST_MS) or waited >= MOST_MS:
            told, told_at = seen, now
            yield f"event: news\ndata: {now}\n\n"
        else:
            yield ": \n\n"
        await asyncio.sleep(news.pause_seconds)


def _look(asked: PageRequest, now: int) -> int | None:
    """Returns how much the index has read; None: the person may not see it any more."""
    console = asked.console
    try:
        session = sessions.find(console.engine, asked.session, now)
        if session is None:
            return None
        who = holder_of(console, asked.session, session.holder, now)
        if who is None or Role.NUMBERS not in who.roles:
            return None
        return console.news.seen(console.engine, now)
    except IndexFault:
        return 0  # The page itself says what is wrong.
