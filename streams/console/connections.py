"""Closes connections on which no whole request arrives: the server itself waits for one for ever,
and a client that keeps LIMIT of them open would keep everybody out.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

LIMIT = 200
"""Connections at once; of each beyond them the request is answered with 503."""
WAIT_SECONDS = 15.0
"""How long the server waits for a request, from the connection or the answer before."""


class ImpatientProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """The server's own protocol, with an end to waiting."""

    wait_seconds = WAIT_SECONDS

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._last: Any = None
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the waiting."""
        self._looking.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(self.wait_seconds, self._look)

    def _look(self) -> None:
        """Closes a connection that had no request in hand at this look and the one before."""
        waiting = self.cycle is None or self.cycle.response_complete
        if waiting and self.cycle is self._last:
            self.transport.close()
            return
        self._last = self.cycle if waiting else self._last
        self._look_later()


class SignallessServer(uvicorn.Server):
    """Leaves signals to who runs it; Uvicorn's handlers would end the process with the signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield


def server_of(app: Any, **more: Any) -> uvicorn.Server:
    """Makes the server of the console. `more`: other options of Uvicorn."""
    said = {
        "http": ImpatientProtocol,
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "lifespan": "off",
        "limit_concurrency": LIMIT,
        "timeout_keep_alive": 15,
        "timeout_graceful_shutdown": 5,
        "h11_max_incomplete_event_size": 32 * 1024,
    }
    return SignallessServer(uvicorn.Config(app, **{**said, **more}))
