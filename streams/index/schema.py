"""Creates the tables of the index and migrates them to this version of Byline.

Migrations are Alembic's (`migrations/versions`). Each runs in one transaction with the number of
its revision, so one that is killed has changed nothing. Alembic is imported only to change tables:
the import takes a third of a second, and most commands only read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, text

from streams.index import tables
from streams.index.database import reading, shown, writing
from streams.index.errors import NoIndexFault, SchemaFault

_FOLDER = Path(__file__).parent / "migrations"


Say = Callable[[str], None]
HEAD = "0008"
"""The revision that this version of Byline works with."""


def _silent(_: str) -> None:
    pass


def config_of(connection: Connection | None = None, say: Say = _silent) -> Any:
    """Returns Alembic's configuration. Migrations run in the transaction of `connection`.

    `say`: takes what a migration does next, if it takes long.
    """
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    config.attributes["say"] = say
    return config


def revision_of(connection: Connection) -> str | None:
    """Returns the revision of the database; None if it has no tables yet."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def bring_up(engine: Engine, now: int, say: Say = _silent) -> str | None:
    """Creates or migrates the tables; returns what was done in words, None if nothing was.

    `now`: ms, for the table `runs`. `say` takes what is done next, of tables that have rows. Raises
    SchemaFault for a database of a newer Byline.
    """
    with writing(engine) as connection:
        before = revision_of(connection)
        if before == HEAD:
            return None
        _refuse_newer(engine, before)
        from alembic import command

        if before is None:
            say = _silent
        else:
            say(f"schema {before} → {HEAD} in one transaction: if it is ended, nothing was done")
        command.upgrade(config_of(connection, say), "head")
        says = f"schema {HEAD} made" if before is None else f"schema {before} → {HEAD}"
        what = "made" if before is None else "migrated"
        connection.execute(insert(tables.runs), {"at": now, "what": what, "says": says})
        return says


def _refuse_newer(engine: Engine, revision: str | None) -> None:
    if revision is None:
        return
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    try:
        ScriptDirectory.from_config(config_of()).get_revision(revision)
    except CommandError:
        raise SchemaFault(
            f"the index at {shown(engine.url)} has schema {revision}, made by a newer version of"
            f" Byline; this one knows {HEAD}. Use the newer version, or give this one a database"
            " of its own (BYLINE_DATABASE)"
        ) from None


def check(engine: Engine) -> None:
    """Checks, before reading, that the index exists and has the tables of this version.

    Raises NoIndexFault, SchemaFault, DatabaseAway.
    """
    none = NoIndexFault(f"there is no index at {shown(engine.url)}: `byline index` makes it")
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        raise none
    with reading(engine) as connection:
        found = revision_of(connection)
    if found is None:
        raise none
    if found == HEAD:
        return
    _refuse_newer(engine, found)
    raise SchemaFault(
        f"the index at {shown(engine.url)} has schema {found}, this version of Byline needs"
        f" {HEAD}: `byline index` brings it up to date"
    )
