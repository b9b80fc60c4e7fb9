"""Limits aiokafka's log: while Kafka is away it writes a hundred lines a second.

Some of its lines are wanted, so they are thinned out: at most `MOST_LINES` in `WINDOW_SECONDS`.
"""

import logging
import time

MOST_LINES = 20
WINDOW_SECONDS = 10.0


class ThinnedOut(logging.Filter):
    """A log filter: lets a few lines of aiokafka pass, and all lines of others."""

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
