"""Runs a query of DuckDB beside the core, on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


@contextmanager
def beside(
    connection: duckdb.DuckDBPyConnection, query: str
) -> Iterator[Callable[[], list[tuple[Any, ...]]]]:
    """Runs a query while the block runs; yields a function that waits for its rows.

    An error in the block, or a Ctrl-C, ends the query.
    """
    with connection.cursor() as other, ThreadPoolExecutor(1) as thread:
        found = thread.submit(lambda: other.execute(query).fetchall())
        try:
            yield found.result
        except BaseException:
            # An interruption is lost on a query that has not begun.
            while not found.done():
                other.interrupt()
                wait([found], 0.1)
            raise
