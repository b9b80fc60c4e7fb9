"""The HTTP server of a worker: `/metrics`, `/healthz`, `/readyz`.

It serves one request per connection, with a time limit and few connections at once. So no client
can slow the worker down or exhaust its memory.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.engine.observer import EngineStatus
from streams.log_events import event
from streams.metrics import Metrics

HEADER_BYTES = 8 * 1024
HEADER_SECONDS = 5.0
ANSWER_SECONDS = 10.0
MOST_CONNECTIONS = 32
JSON = "application/json; charset=utf-8"

_log = logging.getLogger("streams.web")
Page = tuple[HTTPStatus, str, bytes]
"""An HTTP response: status, content type, body."""


class HealthSite:
    """The HTTP server of a worker. It calls `refresh` before each `/metrics`, to set the gauges."""

    def __init__(
        self,
        metrics: Metrics,
        status: Callable[[], EngineStatus],
        refresh: Callable[[], None],
    ) -> None:
        self._metrics = metrics
        self._status = status
        self._refresh = refresh
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._pages: dict[str, Callable[[], Page]] = {
            "/metrics": self._show_metrics,
            "/healthz": self._show_health,
            "/readyz": self._show_readiness,
        }

    async def start(self, host: str, port: int) -> None:
        """Starts listening."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEADER_BYTES)

    async def stop(self) -> None:
        """Stops listening, and closes open connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request, and closes the connection."""
        try:
            async with asyncio.timeout(HEADER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write(self._answer(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            # The client was too slow, sent too much, or is gone; it needs no answer.
            pass
        except Exception:
            _log.exception("a page could not be shown", extra=event("page_failed"))
        finally:
            writer.transport.abort()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        if method not in (b"GET", b"HEAD"):
            page = _sentence(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD are all there is")
        elif path not in self._pages:
            page = _sentence(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._pages)}")
        else:
            page = self._pages[path]()
        status, kind, body = page
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: GET, HEAD")
        answer = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return answer if method == b"HEAD" else answer + body

    def _show_metrics(self) -> Page:
        self._refresh()
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._metrics.registry)

    def _show_health(self) -> Page:
        """Returns 200: the event loop runs. Worse faults end the process."""
        return HTTPStatus.OK, JSON, json.dumps({"status": "alive"}).encode()

    def _show_readiness(self) -> Page:
        """Returns 200 if the engine is ready (EngineStatus), else 503, with the details as JSON.

        A worker with `cluster_changed` is ready, because it still decides favourable events.
        """
        status = self._status()
        body = {
            "ready": status.ready,
            "assignment_settled": status.assignment_settled,
            "stopping": status.stopping,
            "generation": status.generation,
            "cluster_changed": status.cluster_changed,
            "blocked": list(status.blocked),
            "open_transactions": [
                {
                    "topic": one.topic,
                    "partition": one.partition,
                    "producer_id": one.producer_id,
                    "transactional_id": one.transactional_id,
                }
                for one in status.hiding
            ],
            "ousted": status.ousted,
            "kafka_away_seconds": round(status.away_seconds, 1),
            "lag": [
                {"topic": one.topic, "records": one.records, "seconds": one.seconds}
                for one in status.lags
            ],
            "partitions": [
                {
                    "partition": part.partition,
                    "state": part.state,
                    "lag": part.lag,
                    "queued_records": part.queued_records,
                    "recovered_records": part.recovered_records,
                    "last_commit_at": part.last_commit_at,
                    "next_due_at": part.next_due_at,
                }
                for part in status.partitions
            ],
        }
        code = HTTPStatus.OK if status.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return code, JSON, json.dumps(body).encode()


def _sentence(status: HTTPStatus, text: str) -> Page:
    return status, "text/plain; charset=utf-8", f"{text}\n".encode()
