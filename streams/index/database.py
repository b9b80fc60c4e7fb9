"""Opens the database of the index, and turns its errors into IndexFault and DatabaseAway.

It is SQLite by default: one file with a write-ahead log, so that readers never wait for the writer.
It is PostgreSQL where several machines read.
"""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from streams.extras import to_install
from streams.index.errors import DatabaseAway, IndexFault
from streams.index.turns import Turns
from streams.settings import Settings

BUSY_MS = 10_000
"""How long SQLite waits for another writer before it reports that the database is locked."""
CACHE_KIB = 128 * 1024
"""The cache of a connection that writes all day. The system caches the file itself for all."""
PAGES_CACHE_KIB = 8 * 1024
"""That of each of the console's connections, of which one is open for each page being made."""
FILE_NAME = "index.sqlite"
CONNECTING = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""PostgreSQL's parameters by which a machine that vanished is noticed; those of the address win."""
_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA wal_autocheckpoint=16384",
    "PRAGMA temp_store=MEMORY",
)


def url_of(settings: Settings) -> URL:
    """Returns the address of the index: `BYLINE_DATABASE`, or a file beside the workers' folders.

    Raises IndexFault if it is not the address of a supported database.
    """
    if settings.database is None:
        path = settings.data_dir / settings.application_id / FILE_NAME
        return URL.create("sqlite", database=str(path))
    text = settings.database.get_secret_value()
    try:
        url = make_url(text)
    except ArgumentError:
        raise IndexFault(
            "BYLINE_DATABASE is no address of a database: write sqlite:////var/lib/byline/index"
            ".sqlite or postgresql://user:password@host/name"
        ) from None
    if url.get_backend_name() == "postgresql" and "+" not in url.drivername:
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise IndexFault(
            f"BYLINE_DATABASE: {url.get_backend_name()} is not supported, only sqlite and"
            " postgresql are"
        )
    if url.get_backend_name() == "sqlite" and not url.database:
        raise IndexFault("BYLINE_DATABASE: an SQLite database needs a file: sqlite:///path/to/file")
    return url


def shown(url: URL) -> str:
    """Returns the address without its password, for printing."""
    return url.render_as_string(hide_password=True)


def open_engine(url: URL, *, make: bool = False, cache_kib: int = CACHE_KIB) -> Engine:
    """Returns an engine that is not connected yet.

    `make`: create the folder of an SQLite file if it is missing. `cache_kib`: how much of an SQLite
    file each connection keeps in memory. Raises IndexFault if the driver is
    not installed or the folder cannot be created.
    """
    try:
        if url.get_backend_name() == "sqlite":
            folder = Path(url.database or "").parent
            if make:
                folder.mkdir(parents=True, exist_ok=True)
                _make_private(url.database or "")
            engine = create_engine(
                url, connect_args={"timeout": BUSY_MS / 1000}, hide_parameters=True
            )
            event.listen(engine, "connect", lambda it, _: _prepare(it, cache_kib))
            event.listen(engine, "begin", _begin)
            _TURNS[engine] = Turns()
            return engine
        given = {name: it for name, it in CONNECTING.items() if name not in url.query}
        engine = create_engine(url, pool_pre_ping=True, connect_args=given, hide_parameters=True)
        open_now: WeakSet[Any] = WeakSet()
        _OPEN[engine] = open_now
        event.listen(engine, "connect", lambda connection, _: open_now.add(connection))
        return engine
    except (ModuleNotFoundError, NoSuchModuleError):
        raise IndexFault(
            f"PostgreSQL needs a driver that is not installed: {to_install('postgresql')}"
        ) from None
    except OSError as error:
        raise IndexFault(
            f"the folder of {shown(url)} cannot be made: {error.strerror}. Set BYLINE_DATA_DIR or"
            " BYLINE_DATABASE to a place that can be written"
        ) from None


def _make_private(path: str) -> None:
    """Makes the file of a database that is not there yet, so that no other user can read it.

    SQLite gives its write-ahead log the same mode.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare(connection: Any, cache_kib: int) -> None:
    # The driver's own transactions would leave changes of the schema out; `_begin` starts them.
    connection.isolation_level = None
    for pragma in (*_PRAGMAS, f"PRAGMA cache_size=-{cache_kib}"):
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    mode = "IMMEDIATE" if connection.get_execution_options().get("byline_writes") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {mode}")


_TURNS: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()
_OPEN: WeakKeyDictionary[Engine, WeakSet[Any]] = WeakKeyDictionary()


def cut(engine: Engine) -> None:
    """Cuts all connections to PostgreSQL, so that calls which wait for an answer end with an error.

    Nothing is asked of the server, which may be frozen. What was not committed is undone by it.
    """
    for connection in list(_OPEN.get(engine, ())):
        with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as it:
            it.shutdown(socket.SHUT_RDWR)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction that writes. Raises DatabaseAway or IndexFault.

    In SQLite it takes the write lock when it begins, so that it cannot fail for it in its middle.
    In PostgreSQL it waits as long for any lock of another program.
    """
    with _TURNS.get(engine, nullcontext()), told(engine.url), engine.connect() as connection:
        connection = connection.execution_options(byline_writes=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_MS}")
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction that reads one snapshot. Raises DatabaseAway or IndexFault."""
    with told(engine.url), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


class FileWatch:
    """Watches whether the SQLite file that is open for writing is still the one under its name.

    If somebody removes or replaces it, writing goes on in a file that nobody can read. Other
    databases report themselves that they are gone, so for them nothing is watched.
    """

    def __init__(self, url: URL) -> None:
        self._path = url.database if url.get_backend_name() == "sqlite" else None
        self._where = shown(url)
        self._seen: tuple[int, int] | None = None

    def look(self) -> None:
        """Raises IndexFault if the file is not the one that the first call saw."""
        if self._path is None:
            return
        try:
            found = os.stat(self._path)
            now = (found.st_dev, found.st_ino)
        except OSError:
            now = None
        if self._seen is None:
            self._seen = now
        elif now != self._seen:
            what = "removed" if now is None else "replaced"
            raise IndexFault(
                f"{self._where} was {what} while it was written to: start `byline index` again,"
                " which makes it anew from Kafka, or goes on in what is there now"
            )


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Turns the driver's errors into DatabaseAway (it may pass) or IndexFault (it will not)."""
    try:
        yield
    except DBAPIError as error:
        raise _fault(url, error) from error


_LOCKED = (
    f"another program has locked {{}} for over {BUSY_MS // 1000} s: end it ({{}}) or let it finish"
)


def _fault(url: URL, error: DBAPIError) -> Exception:
    original, where = error.orig, shown(url)
    text = str(original).strip()
    code = getattr(original, "sqlstate", None)
    first = text.splitlines()[0] if text else type(original).__name__
    if "disk is full" in text or code == "53100":
        return DatabaseAway(f"no space is left for {where}: free some; nothing is lost", "full")
    if isinstance(original, sqlite3.OperationalError) and "locked" in text:
        return DatabaseAway(_LOCKED.format(where, "a shell of sqlite3, a backup"), "locked")
    if code == "55P03":
        return DatabaseAway(_LOCKED.format(where, "a shell of psql, a backup"), "locked")
    if "readonly" in text or "read-only" in text:
        return IndexFault(f"{where} cannot be written: give this user the right to, or another one")
    if "unable to open" in text:
        return IndexFault(
            f"{where} cannot be opened: is its folder there, and may this user write in it?"
        )
    if "malformed" in text or "not a database" in text:
        return IndexFault(
            f"{where} is damaged or no database ({first}): move it away and run `byline index`,"
            " which makes it anew from Kafka"
        )
    if code in ("28P01", "28000", "3D000", "42501") or _refused(text):
        return IndexFault(f"{where} refuses us: {first}. Check BYLINE_DATABASE and its rights")
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return DatabaseAway(f"{where} does not answer: {first}")
    return error


def _refused(text: str) -> bool:
    """Returns whether PostgreSQL refused the login. Before a connection exists it gives no code."""
    return any(it in text for it in ("authentication failed", "does not exist", "no pg_hba.conf"))
