"""Sends a span for each transaction to an OpenTelemetry collector, over OTLP (extra `otel`).

A span has no parent: headers of inputs are not read. It has bounded attributes, none of which
holds a key, a value or a text of a record. Events and dead letters carry its `traceparent`
(https://www.w3.org/TR/trace-context/), so that a consumer's own span may link to it.
"""

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schemas.events import TRACEPARENT
from streams.extras import to_install

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

Headers = tuple[tuple[str, bytes], ...]
EXPORT_SECONDS = 5.0
MOST_OUTPUTS = 16
"""Of topics and partitions of outputs in one span. Byline has eleven."""


class TracesUnavailableError(Exception):
    """The packages of the extra are not installed."""


class Traces:
    """Makes spans with an OpenTelemetry tracer; implements the engine's `Spans`."""

    def __init__(self, tracer: "Tracer", provider: "TracerProvider", group: str) -> None:
        self._tracer = tracer
        self._provider = provider
        self._group = group

    def transaction(
        self, partition: int, inputs: Mapping[str, tuple[int, int]], changes: int
    ) -> "TracedTransaction":
        """Begins the span of a transaction (streams/engine/spans.py)."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        topics = list(inputs)
        attributes: dict[str, Any] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "commit",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": self._group,
            "messaging.destination.partition.id": str(partition),
            "byline.changes": changes,
            "byline.input.topics": topics,
            "byline.input.first_offsets": [inputs[topic][0] for topic in topics],
            "byline.input.next_offsets": [inputs[topic][1] for topic in topics],
        }
        # The empty context: a span is never the child of what else runs in this process.
        kind = SpanKind.CONSUMER
        span = self._tracer.start_span("transaction", Context(), kind, attributes)
        return TracedTransaction(span)

    def close(self, seconds: float) -> None:
        """Sends what has ended, for at most these seconds. Later spans are lost."""
        # The exporter repeats for longer when the collector is away, and takes no limit.
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(seconds)


class TracedTransaction:
    """The span of one transaction; implements the engine's `TransactionSpan`."""

    def __init__(self, span: "Span") -> None:
        self._span = span
        self._outputs: list[tuple[str, int, int, int]] = []
        it = span.get_span_context()
        parent = f"00-{it.trace_id:032x}-{it.span_id:016x}-{it.trace_flags:02x}"
        self.headers: Headers = ((TRACEPARENT, parent.encode()),)

    def wrote(self, topic: str, partition: int, first: int, count: int) -> None:
        """Notes records of an output topic."""
        self._outputs.append((topic, partition, first, count))

    def committed(self) -> None:
        """Ends the span: the transaction is committed."""
        self._end()

    def failed(self, error: BaseException) -> None:
        """Ends the span with the status error, and the name of the error's type."""
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("error.type", type(error).__name__)
        self._span.set_status(Status(StatusCode.ERROR, "not committed by this worker"))
        self._end()

    def _end(self) -> None:
        known = self._outputs[:MOST_OUTPUTS]
        self._span.set_attributes(
            {
                "byline.output.topics": [it[0] for it in known],
                "byline.output.partitions": [it[1] for it in known],
                "byline.output.first_offsets": [it[2] for it in known],
                "byline.output.counts": [it[3] for it in known],
                "messaging.batch.message_count": sum(it[3] for it in self._outputs),
            }
        )
        self._span.end()


def open_traces(
    endpoint: str, sample_ratio: float, group: str, instance_id: str, version: str
) -> Traces:
    """Returns traces that are sent to a collector's OTLP/HTTP endpoint.

    `sample_ratio`: the share of transactions whose span is sent. `group`: the service's name.

    Raises:
        TracesUnavailableError: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise TracesUnavailableError(
            f"traces need packages that are not installed: {to_install('otel')}"
        ) from error
    # Its own debug lines are of no use to an operator of Byline.
    logging.getLogger("opentelemetry").setLevel(logging.WARNING)
    named = {
        "service.name": group,
        "service.version": version,
        "service.instance.id": instance_id,
    }
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
        resource=Resource.create(named),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider.get_tracer("byline", version), provider, group)
