"""Limits aiokafka's log, which has a hundred lines a second while Kafka is away.

At most `MOST_LINES` of its lines are written in `WINDOW_SECONDS`.
"""

import logging
import time

MOST_LINES = 20
WINDOW_SECONDS = 10.0


class ThinnedOut(logging.Filter):
    """A log filter that passes a few lines of aiokafka, and all lines of other loggers."""

    def __init__(self) -> None:
        super().__init__()
        self._began = -WINDOW_SECONDS
        self._lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if not record.name.startswith("aiokafka"):
            return True
        now = time.monotonic()
        if now - self._began >= WINDOW_SECONDS:
            self._began, self._lines = now, 0
        self._lines += 1
        return self._lines <= MOST_LINES


def thin_out() -> None:
    """Install the filter on all log handlers. A second call changes nothing."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(one, ThinnedOut) for one in handler.filters):
            handler.addFilter(ThinnedOut())
