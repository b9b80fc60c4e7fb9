"""The schema of the index: made, brought up to date by itself, and never by an older Byline.

Migrations are Alembic's (`migrations/versions`), each in one transaction with the number of its
revision: killed in the middle, it has not happened.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, insert

from streams.index import tables
from streams.index.database import reading, shown, writing
from streams.index.errors import NoIndexFault, SchemaFault

_FOLDER = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this version of Byline works with."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at; None where nothing was made yet."""
    return MigrationContext.configure(connection).get_current_revision()


def bring_up(engine: Engine, now: int) -> str | None:
    """Make the tables, or bring them up to date; says what was done, None where nothing was to do.

    Raises SchemaFault for a database of a newer version.
    """
    with writing(engine) as connection:
        before = revision_of(connection)
        if before == head():
            return None
        _refuse_newer(engine, before)
        command.upgrade(_config(connection), "head")
        says = f"schema {head()} made" if before is None else f"schema {before} → {head()}"
        what = "made" if before is None else "migrated"
        connection.execute(insert(tables.runs), {"at": now, "what": what, "says": says})
        return says


def _refuse_newer(engine: Engine, revision: str | None) -> None:
    if revision is None:
        return
    try:
        ScriptDirectory.from_config(_config()).get_revision(revision)
    except CommandError:
        raise SchemaFault(
            f"the index at {shown(engine.url)} has schema {revision}, made by a newer version of"
            f" Byline; this one knows {head()}. Use the newer version, or give this one a database"
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
    if found == head():
        return
    _refuse_newer(engine, found)
    raise SchemaFault(
        f"the index at {shown(engine.url)} has schema {found}, this version of Byline needs"
        f" {head()}: `byline index` brings it up to date"
    )
