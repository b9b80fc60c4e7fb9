"""A lock by which one indexer writes to a database and every other one waits.

In SQLite it is a file lock beside the database, which ends with its process, however that ends. In
PostgreSQL it is an advisory lock of a connection that is kept open. The rows stay right even if the
lock fails: writer.py changes a position only if it still is the one that it knows.
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from streams.index.database import told

_LOCK = 0x42796C696E65
"""The number of the advisory lock: "Byline" in ASCII, so that no other program uses it."""


class Lead:
    """The right to write: `take` it before writing, `release` it afterwards."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file = -1
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Tries to take the lock, without waiting; returns whether it has it. Raises DatabaseAway.

        It may be called again: a lock of PostgreSQL may have ended with its connection.
        """
        if self._engine.dialect.name == "sqlite":
            return self._file >= 0 or self._take_file(Path(f"{self._engine.url.database}.lead"))
        if self._holds():
            return True
        with told(self._engine.url):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.scalar(text("SELECT pg_try_advisory_lock(:it)"), {"it": _LOCK}):
                self._connection = connection
                return True
            connection.close()
            return False

    def _holds(self) -> bool:
        """Returns whether the connection that has the lock still answers; else gives it up."""
        if self._connection is None:
            return False
        try:
            self._connection.scalar(text("SELECT 1"))
        except DBAPIError:
            self.release()
        return self._connection is not None

    def _take_file(self, path: Path) -> bool:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Releases the lock, so that another indexer may write."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
