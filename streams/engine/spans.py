"""The interface for traces: a span for each transaction, with what it read and wrote.

Without it (`EngineContext.spans` is None) a transaction costs one comparison more. The engine does
not know OpenTelemetry; streams/traces.py does.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from streams.engine.processor import Headers


class TransactionSpan(Protocol):
    """The span of one transaction, from its begin to its commit."""

    @property
    def headers(self) -> Headers:
        """The headers that tell readers of the outputs which transaction wrote them."""
        ...

    def wrote(self, topic: str, partition: int, first: int, count: int) -> None:
        """Notes records of an output topic: partition, offset of the first one, their number."""
        ...

    def committed(self) -> None:
        """Ends the span: the transaction is committed."""
        ...

    def failed(self, error: BaseException) -> None:
        """Ends the span with the status error: the transaction is not committed by this worker.

        `error` may quote a record, so that of it only the type's name may be kept.
        """
        ...


class Spans(Protocol):
    """Makes the spans of a worker."""

    def transaction(
        self, partition: int, inputs: Mapping[str, tuple[int, int]], changes: int
    ) -> TransactionSpan:
        """Begins the span of a transaction.

        `inputs`: by topic, the first and the next offset that are committed with it, of topics that
        were read on. `changes`: the number of keys whose state it changes.
        """
        ...

    def close(self, seconds: float) -> None:
        """Sends what has ended, for at most these seconds. Later spans are lost."""
        ...


class PartitionSpans:
    """The spans of one partition's transactions. `reads`: by topic, the offset to read next."""

    def __init__(self, spans: Spans | None, partition: int, reads: Mapping[str, int]) -> None:
        self._spans = spans
        self._partition = partition
        self._committed = dict(reads)

    def around(
        self, reads: Mapping[str, int], changes: int
    ) -> AbstractContextManager[TransactionSpan | None]:
        """Returns the context in which a transaction commits these positions, and its span.

        `changes` as in `Spans.transaction`.
        """
        if self._spans is None:
            return _NO_SPAN
        before, self._committed = self._committed, dict(reads)
        read_on = {
            topic: (before.get(topic, next_), next_)
            for topic, next_ in reads.items()
            if before.get(topic) != next_
        }
        return _ended(self._spans.transaction(self._partition, read_on, changes))


_NO_SPAN: AbstractContextManager[None] = nullcontext()


@contextmanager
def _ended(span: TransactionSpan) -> Iterator[TransactionSpan]:
    try:
        yield span
    except BaseException as error:
        span.failed(error)
        raise
    span.committed()
