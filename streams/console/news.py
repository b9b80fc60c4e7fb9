"""What tells open pages that there is news: one look a second at the index, for all of them."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from sqlalchemy import Engine, func, select

from streams.core.model.instants import SECOND
from streams.index import tables
from streams.index.database import reading


@dataclass(slots=True)
class PageNews:
    """How streams of news behave, and the newest look that they share.

    `pause_seconds`: between two looks of a stream. `looks`: after so many a stream ends; the
    browser begins another one, and has to be signed in for it. `most`: streams at once, and
    `most_of_person`: of one actor. `open`: how many each actor has.
    """

    pause_seconds: float = 2.0
    looks: int = 900
    most: int = 100
    most_of_person: int = 10
    open: Counter[str] = field(default_factory=Counter)
    _at: int = 0
    _seen: int = 0
    _lock: Lock = field(default_factory=Lock)

    def begin(self, actor: str) -> bool:
        """Takes a place for a stream; returns whether there was one. `end()` gives it back."""
        with self._lock:
            free = self.open.total() < self.most and self.open[actor] < self.most_of_person
            if free:
                self.open[actor] += 1
            return free

    def end(self, actor: str) -> None:
        """Gives the place of a stream back."""
        with self._lock:
            self.open -= Counter([actor])

    def seen(self, engine: Engine, now: int) -> int:
        """Returns a number that grows with each record that the index reads. `now`: ms."""
        with self._lock:
            if now - self._at >= SECOND or self._at == 0:
                total = select(func.sum(tables.positions.c.next_offset))
                with reading(engine) as connection:
                    self._seen = int(connection.scalar(total) or 0)
                self._at = now
            return self._seen
