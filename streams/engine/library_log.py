"""Limits what libraries log: aiokafka has a hundred lines a second while Kafka is away.

OpenTelemetry's exporter logs each batch of spans that no collector takes. At most `MOST_LINES`
lines of each of the two are written in `WINDOW_SECONDS`.
"""

import logging
import time

MOST_LINES = 20
WINDOW_SECONDS = 10.0
THINNED = ("aiokafka", "opentelemetry")


class ThinnedOut(logging.Filter):
    """A log filter that passes a few lines of each of `THINNED`, and all of other loggers."""

    def __init__(self) -> None:
        super().__init__()
        self._began = dict.fromkeys(THINNED, -WINDOW_SECONDS)
        self._lines = dict.fromkeys(THINNED, 0)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        library = record.name.partition(".")[0]
        if library not in THINNED:
            return True
        now = time.monotonic()
        if now - self._began[library] >= WINDOW_SECONDS:
            self._began[library], self._lines[library] = now, 0
        self._lines[library] += 1
        return self._lines[library] <= MOST_LINES


def thin_out() -> None:
    """Install the filter on all log handlers. A second call changes nothing."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(one, ThinnedOut) for one in handler.filters):
            handler.addFilter(ThinnedOut())
