"""The schema of the index: made, brought up to date by itself, and never by an older Byline.

Migrations are Alembic's (`migrations/versions`), each in one transaction with the number of its
revision: killed in the middle, it has not happened. Alembic is imported by who changes something
alone: it takes a third of a second, and most commands only read.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, text

from streams.index import tables
from streams.index.database import reading, shown, writing
from streams.index.errors import NoIndexFault, SchemaFault

_FOLDER = Path(__file__).parent / "migrations"


HEAD = "0003"
"""The revision that this version of Byline works with."""


def config_of(connection: Connection | None = None) -> Any:
    """Alembic's configuration, with the connection in whose transaction it works."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at; None where nothing was made yet."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def bring_up(engine: Engine, now: int) -> str | None:
    """Make the tables, or bring them up to date; says what was done, None where nothing was to do.

    Raises SchemaFault for a database of a newer version.
    """
    with writing(engine) as connection:
        before = revision_of(connection)
        if before == HEAD:
            return None
        _refuse_newer(engine, before)
        from alembic import command

        command.upgrade(config_of(connection), "head")
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
    """For whoever only reads: the index is there, and of this version.

    Raises NoIndexFault or SchemaFault.
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
