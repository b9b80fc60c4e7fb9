"""Tells how far a backtest is, also while DuckDB is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[str, int, int], None]
"""Called now and then with what is being done, and how many rows of how many (0: unknown)."""
_EVERY = 0.3
"""How many seconds lie between two looks at a query."""


def silent(what: str, done: int, total: int) -> None:
    """Tells nobody."""


@contextmanager
def watched(
    connection: duckdb.DuckDBPyConnection, tell: Progress, what: str, rows: int
) -> Iterator[None]:
    """Tells the progress of the block's query, which scans so many rows, by DuckDB's own account.

    `tell` is called by another thread; what it raises there ends the telling.
    """
    tell(what, 0, rows)
    over = Event()

    def look() -> None:
        while not over.wait(_EVERY):
            percent = connection.query_progress()
            try:
                tell(what, int(rows * max(percent, 0.0) / 100), rows)
            except KeyboardInterrupt:
                return

    looking = Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
