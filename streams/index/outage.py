"""Waits for a database or a broker that does not answer, and says so: once when it goes, once when
it is back.

A call of the database runs in a thread, which nothing but its end stops. So a call that takes long
is told to a person, and ended by cutting its connection if the indexer has to stop meanwhile.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine

from streams.index.database import cut, shown
from streams.index.errors import DatabaseAway

AWAY_SECONDS = 5.0
"""How long to wait before the next try."""
SLOW_SECONDS = 15.0
"""After so long without an answer a person is told. A lock of another program is told before."""
STOP_SECONDS = 5.0
"""How long a call may go on after the indexer was told to stop."""
KAFKA = "Kafka"

T = TypeVar("T")
Say = Callable[[str], None]


class Outage:
    """The service that does not answer now (database or Kafka), and since when.

    `say` prints one line for a person. `stopping`: ends every wait when it is set. `follow`:
    wait for a database that is away; else its error is raised.
    """

    def __init__(self, engine: Engine, say: Say, stopping: asyncio.Event, follow: bool) -> None:
        self._engine, self._say, self._stopping, self._follow = engine, say, stopping, follow
        self._away: dict[str, tuple[str, float]] = {}

    def gone(self, what: str, kind: str, says: str) -> None:
        """Tells that `what` does not answer, unless that was told; again if `kind` is another."""
        before, since = self._away.get(what, ("", time.monotonic()))
        self._away[what] = kind, since
        if before != kind:
            self._say(f"{says}. Waiting")

    def back(self, what: str) -> None:
        """Tells that `what` answers again, if it did not."""
        if what in self._away:
            _, since = self._away.pop(what)
            after = round(time.monotonic() - since)
            self._say(f"{what} answers again, after {after} s: going on, nothing is lost")

    def written(self) -> None:
        """The database took a batch. Only then is it back: a full one still answers questions."""
        self.back(shown(self._engine.url))

    async def wait(self, error: Exception) -> None:
        """Tells of the database or Kafka by its error, and waits before the next try."""
        if isinstance(error, DatabaseAway):
            self.gone(shown(self._engine.url), error.kind, str(error))
        else:
            self.gone(KAFKA, "away", str(error) or type(error).__name__)
        await self.stopped(AWAY_SECONDS)

    async def stopped(self, seconds: float) -> bool:
        """Waits so long; returns whether it was told to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def patient(self, do: Callable[..., T], *what: object) -> T | None:
        """Calls `do(*what)` in a thread; while following, again until the database answers.

        Returns its result; None if it was told to stop meanwhile.
        """
        while True:
            try:
                return await self.asked(do, *what)
            except DatabaseAway as error:
                if not self._follow:
                    raise
                await self.wait(error)
                if self._stopping.is_set():
                    return None

    async def asked(self, do: Callable[..., T], *what: object) -> T:
        """Returns the result of `do(*what)`, which runs in a thread. Raises what it raises."""
        return await self.answer(asyncio.create_task(asyncio.to_thread(do, *what)))

    async def answer(self, task: "asyncio.Task[T]") -> T:
        """Waits for a call of the database that runs in a thread."""
        began = time.monotonic()
        told_to_stop: float | None = None
        while not (await asyncio.wait({task}, timeout=1.0))[0]:
            now = time.monotonic()
            if now - began >= SLOW_SECONDS:
                where = shown(self._engine.url)
                says = f"{where} has not answered for {SLOW_SECONDS:.0f} s"
                self.gone(where, "slow", says)
            if self._stopping.is_set():
                told_to_stop = now if told_to_stop is None else told_to_stop
                if now - told_to_stop >= STOP_SECONDS:
                    cut(self._engine)
        return task.result()
