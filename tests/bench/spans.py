"""`python -m tests.bench.spans`: what a span costs a transaction, without traces and with them.

Alternate rounds of one process, the least of each: 200 outputs are packed as a transaction packs
them, alone, with the span of a worker without traces, and with one that is sent to nobody.
"""

import time
from collections.abc import Callable

from aiokafka.producer.message_accumulator import BatchBuilder
from opentelemetry.sdk.trace import TracerProvider

from streams.engine.processor import Headers
from streams.engine.spans import PartitionSpans
from streams.traces import Traces

ROUNDS, OUTPUTS = 1_500, 200
READS = {f"topic-{number}": number for number in range(8)}
_HEADERS: Headers = tuple((f"ce_{number}", b"x" * 24) for number in range(7))


def _packed(more: Headers) -> int:
    batch = BatchBuilder(1_000_000, 0, is_transactional=True)
    for _ in range(OUTPUTS):
        headers = [*_HEADERS, *more]
        batch.append(timestamp=1, key=b"weibo:a1", value=b"v" * 600, headers=headers)
    return int(batch.size())


def _alone() -> int:
    return _packed(())


def _with(spans: PartitionSpans) -> Callable[[], int]:
    def transaction() -> int:
        with spans.around({topic: at + 1 for topic, at in READS.items()}, 5) as span:
            size = _packed(span.headers if span is not None else ())
            if span is not None:
                span.wrote("byline.invitations", 3, 17, OUTPUTS)
        return size

    return transaction


def main() -> None:
    """Measures, and prints microseconds and bytes of a transaction of each kind."""
    provider = TracerProvider(shutdown_on_exit=False)
    traces = Traces(provider.get_tracer("byline"), provider, "byline")
    kinds = {
        "alone": _alone,
        "without traces": _with(PartitionSpans(None, 3, READS)),
        "with traces": _with(PartitionSpans(traces, 3, READS)),
    }
    least = dict.fromkeys(kinds, float("inf"))
    for _ in range(ROUNDS):
        for name, run in kinds.items():
            began = time.perf_counter()
            run()
            least[name] = min(least[name], time.perf_counter() - began)
    for name, run in kinds.items():
        ratio = least[name] / least["alone"]
        print(f"{name}: {least[name] * 1e6:.0f} µs, {ratio:.3f} times, {run()} bytes")


if __name__ == "__main__":
    main()
