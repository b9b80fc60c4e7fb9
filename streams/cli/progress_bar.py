"""The progress bar of long commands."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.backtest.progress import Progress as Tell


@contextmanager
def progress(unit: str = "rows") -> Iterator[Tell]:
    """Shows progress, rate and remaining time on a terminal; nothing in a file or a pipe.

    Yields a function that takes what is being done, how much is done, and how much there is, in
    `unit`.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]}")
    with Progress(*columns, rate, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="")
        began: dict[str, float] = {}

        def tell(what: str, done: int, total: int) -> None:
            seconds = time.monotonic() - began.setdefault(what, time.monotonic())
            rate = f"{done / seconds:,.0f} {unit}/s" if done and seconds > 0 else ""
            bar.update(task, description=what, completed=done, total=total or None, rate=rate)

        yield tell
