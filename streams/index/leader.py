"""One indexer writes, every other one of the same database waits.

SQLite: a lock of the kernel on a file beside the database, which ends with its process, however
that ends. PostgreSQL: an advisory lock of a connection that is held open. Neither has to hold for
the rows to be right: positions are moved only from where they are known to be (writer.py).
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from streams.index.database import told

_LOCK = 0x42796C696E65
"""The number of the advisory lock, of Byline's alone ("Byline" in ASCII)."""


class Lead:
    """The right to write. `take` says whether it could be had; `release` gives it back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file = -1
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Whether we lead from now on."""
        if self._engine.dialect.name == "sqlite":
            return self._take_file(Path(f"{self._engine.url.database}.lead"))
        with told(self._engine.url):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.scalar(text("SELECT pg_try_advisory_lock(:it)"), {"it": _LOCK}):
                self._connection = connection
                return True
            connection.close()
            return False

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
        """Let another one lead."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
