"""Sessions: a signed cookie with an id, and a row in the database that can be revoked.

The cookie is signed and as old as its last request, so an idle session ends after IDLE_SECONDS. The
row ends after LONGEST_MS and when the person signs out. The row has the digest of the id alone, so
nobody who reads the database can take a session over. A browser without a session has the id of a
visit in another cookie: its form of signing in is guarded by it. Signing in always gives a new id.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy import Engine, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from streams.core.model.instants import HOUR, SECOND
from streams.index import tables
from streams.index.database import reading, writing
from streams.operate.errors import UsageError

COOKIE = "byline_console"
SALT = "byline-console"
IDLE_SECONDS = 30 * 60
LONGEST_MS = 8 * HOUR
KEY_FILE = "console.key"


class Session(NamedTuple):
    """A session that is in force: its holder's key in Roles, and the actor when it began."""

    holder: str
    actor: str


class Cookies(TimestampSigner):
    """Signs cookies. `now_seconds` is the age's clock, as an argument of the caller's."""

    def __init__(self, key: bytes, now_seconds: int, salt: str = SALT) -> None:
        super().__init__(key, salt=salt)
        self._now = now_seconds

    def get_timestamp(self) -> int:
        """Returns the present time in seconds."""
        return self._now

    def id_in(self, cookie: str | None, seconds: int = IDLE_SECONDS) -> str | None:
        """Returns what is in a cookie; None: it is missing, forged or older than `seconds`."""
        try:
            return self.unsign(cookie or "", max_age=seconds).decode()
        except (BadSignature, UnicodeDecodeError):
            return None


def new_id() -> str:
    """Returns an id that nobody can guess."""
    return secrets.token_urlsafe(32)


def guard_of(key: bytes, session: str) -> str:
    """Returns the CSRF token of a session: every form of it has it."""
    return hmac.new(key, b"form|" + session.encode(), hashlib.sha256).hexdigest()


def fingerprint(session: str) -> str:
    """Returns the digest under which a session has its row."""
    return hashlib.sha256(session.encode()).hexdigest()


def begin(engine: Engine, holder: str, actor: str, now: int, before: str = "") -> str:
    """Begins a session; returns its id. Deletes those that are over. `now`: ms.

    `before`: the fingerprint of the session that it takes the place of in the browser, which ends.
    """
    session, table = new_id(), tables.sessions
    row = {
        "digest": fingerprint(session),
        "holder": holder,
        "actor": actor,
        "made_at": now,
        "expires_at": now + LONGEST_MS,
    }
    with writing(engine) as connection:
        connection.execute(delete(table).where(table.c.expires_at <= now))
        connection.execute(update(table).where(table.c.digest == before).values(revoked_at=now))
        connection.execute(insert(table), row)
    return session


def use_up(engine: Engine, state: str, now: int, seconds: int) -> bool:
    """Uses up the state of a sign-in at a provider; returns whether it was unused. `now`: ms.

    `seconds`: for how long it could come again. The row is that of a session which has ended before
    it began, so every console on the database knows it, and it is nobody's way in.
    """
    row = {
        "digest": fingerprint(f"state|{state}"),
        "holder": "",
        "actor": "",
        "made_at": now,
        "expires_at": now + seconds * SECOND,
        "revoked_at": now,
    }
    try:
        with writing(engine) as connection:
            connection.execute(insert(tables.sessions), row)
    except IntegrityError:
        return False
    return True


def find(engine: Engine, session: str, now: int) -> Session | None:
    """Returns the session with this id; None: there is none, or it has ended."""
    table = tables.sessions
    with reading(engine) as connection:
        it = connection.execute(select(table).where(table.c.digest == fingerprint(session))).first()
    if it is None or it.revoked_at is not None or it.expires_at <= now:
        return None
    return Session(it.holder, it.actor)


def end(engine: Engine, session: str, now: int) -> None:
    """Ends the session with this id."""
    table = tables.sessions
    mine = update(table).where(table.c.digest == fingerprint(session))
    with writing(engine) as connection:
        connection.execute(mine.values(revoked_at=now))


def end_all(engine: Engine, holder: str, actor: str, now: int) -> None:
    """Ends every session of a person: of this holder, and of each other way to sign in as him."""
    table = tables.sessions
    his = or_(table.c.holder == holder, table.c.actor == actor)
    mine = update(table).where(his, table.c.revoked_at.is_(None))
    with writing(engine) as connection:
        connection.execute(mine.values(revoked_at=now))


def key_in(folder: Path) -> bytes:
    """Reads the key that signs cookies, or makes it. Raises UsageError if neither is possible.

    Who deletes the file ends every session.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            key = secrets.token_bytes(32)
            with os.fdopen(opened, "wb") as file:
                file.write(key)
    except OSError as error:
        raise UsageError(f"{path} cannot be made or read: {error.strerror}") from None
    if len(key) < 32:
        raise UsageError(f"{path} is too short to sign with: delete it, a new one is made")
    return key
