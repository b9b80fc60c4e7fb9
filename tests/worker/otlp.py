"""A receiver of OTLP over HTTP: it decodes the protobuf that a worker's exporter sends."""

import gzip
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from schemas.events import TRACEPARENT_PATTERN


class Received(NamedTuple):
    """A span. `status`: 0 unset, 2 error. `resource`: what it says of the process."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    status: int
    says: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    raw: bytes

    @property
    def ids(self) -> tuple[str, str]:
        """By which the header `traceparent` of the records that its transaction wrote names it."""
        return self.trace_id, self.span_id

    def wrote(self) -> set[tuple[str, int, int]]:
        """Topic, partition and offset of each output that it names."""
        it = self.attributes
        rows = zip(
            it["byline.output.topics"],
            it["byline.output.partitions"],
            it["byline.output.first_offsets"],
            it["byline.output.counts"],
            strict=True,
        )
        return {
            (topic, partition, first + number)
            for topic, partition, first, count in rows
            for number in range(count)
        }


class Receiver:
    """Listens on a free port of 127.0.0.1. `hangs`: it takes requests and never answers."""

    def __init__(self, hangs: bool = False) -> None:
        self.spans: list[Received] = []
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    raw = gzip.decompress(raw)
                if hangs:
                    receiver.over.wait(60)
                    return
                assert self.headers["Content-Type"] == "application/x-protobuf"
                receiver.take(raw)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *words: Any) -> None:
                """Is silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, raw: bytes) -> None:
        """Takes the spans of one request."""
        for group in ExportTraceServiceRequest.FromString(raw).resource_spans:
            resource = _plain(group.resource.attributes)
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Received(
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.status.code,
                            span.status.message,
                            _plain(span.attributes),
                            resource,
                            span.SerializeToString(),
                        )
                    )

    def until(self, holds: Callable[[list[Received]], Any], seconds: float = 20) -> list[Received]:
        """Waits until it holds of the spans. Raises AssertionError if it does not."""
        end = time.monotonic() + seconds
        while not holds(self.spans):
            assert time.monotonic() < end, f"not so of {len(self.spans)} spans"
            time.sleep(0.1)
        return list(self.spans)


def named(traceparent: bytes) -> tuple[str, str]:
    """The ids of the span that a header names. Raises AssertionError if it has another form."""
    text = traceparent.decode()
    assert re.fullmatch(TRACEPARENT_PATTERN, text), text
    return text[3:35], text[36:52]


def _plain(attributes: Any) -> dict[str, Any]:
    return {it.key: _value(it.value) for it in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(it) for it in value.array_value.values]
    return getattr(value, kind)
