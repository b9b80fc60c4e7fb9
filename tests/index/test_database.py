"""What can be wrong with the database, each said so that a person can act."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import URL, Engine, insert, text

from streams.index import database, schema, tables
from streams.index.database import FileWatch, open_engine, reading, url_of, writing
from streams.index.errors import DatabaseAway, IndexFault, NoIndexFault, SchemaFault
from streams.index.leader import Lead
from streams.settings import SettingsWithoutPolicies
from tests.index.filled import empty

LONG = "x" * 100_000


def run_row(engine: Engine, says: str = "") -> None:
    with writing(engine) as connection:
        connection.execute(insert(tables.runs), {"at": 1, "what": "test", "says": says})


def test_the_newest_migration_is_the_one_that_the_code_works_with() -> None:
    assert ScriptDirectory.from_config(schema.config_of()).get_current_head() == schema.HEAD


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = empty(tmp_path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_an_index_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    engine = empty(tmp_path)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for ask in (lambda: schema.bring_up(engine, 0), lambda: schema.check(engine)):
        with pytest.raises(SchemaFault, match="has schema 9999, made by a newer version"):
            ask()


def test_a_migration_that_is_cut_off_has_not_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(URL.create("sqlite", database=str(tmp_path / "index.sqlite")))

    class Killed(BaseException):
        """Stands for the end of the process."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(schema, "insert", die)
        with pytest.raises(Killed):
            schema.bring_up(engine, 0)
    with reading(engine) as connection:
        assert schema.revision_of(connection) is None
        assert connection.dialect.get_table_names(connection) == []
    assert schema.bring_up(engine, 0) == f"schema {schema.HEAD} made"
    assert schema.bring_up(engine, 0) is None


def test_without_an_index_it_says_which_command_makes_one(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    engine = open_engine(URL.create("sqlite", database=str(path)))
    with pytest.raises(NoIndexFault, match="`byline index` makes it"):
        schema.check(engine)
    assert not path.exists(), "asking makes no file"


def test_a_locked_database_is_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PRAGMAS", ("PRAGMA busy_timeout=50",))
    engine = empty(tmp_path)
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseAway, match="another program has locked"):
        run_row(engine)
    other.execute("COMMIT")
    run_row(engine)


def test_a_full_disk_is_said_to_be_full_and_nothing_is_lost(tmp_path: Path) -> None:
    engine = empty(tmp_path)
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseAway, match="no space is left"):
        run_row(engine, LONG)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    run_row(engine, LONG)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"what somebody put here" * 100)
    engine = open_engine(URL.create("sqlite", database=str(tmp_path / "index.sqlite")))
    with pytest.raises(IndexFault, match="damaged or no database"):
        schema.bring_up(engine, 0)


def test_a_folder_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = URL.create("sqlite", database=str(tmp_path / "file" / "below" / "index.sqlite"))
    with pytest.raises(IndexFault, match="cannot be made"):
        open_engine(url, make=True)
    engine = open_engine(URL.create("sqlite", database=str(tmp_path / "no" / "index.sqlite")))
    with pytest.raises(IndexFault, match="cannot be opened"):
        schema.bring_up(engine, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("what", "is no address of a database"),
        ("mysql://host/name", "mysql is not supported"),
        ("sqlite://", "needs a file"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(given: str, said: str) -> None:
    settings = SettingsWithoutPolicies(database=SecretStr(given))
    with pytest.raises(IndexFault, match=said):
        url_of(settings)


def test_postgresql_is_spoken_to_by_the_driver_that_byline_brings() -> None:
    given = SecretStr("postgresql://someone:secret@host/name")
    url = url_of(SettingsWithoutPolicies(database=given))
    assert url.drivername == "postgresql+psycopg"
    assert "secret" not in database.shown(url)


def test_only_one_leads(tmp_path: Path) -> None:
    engine = empty(tmp_path)
    one, other = Lead(engine), Lead(engine)
    assert one.take()
    assert not other.take()
    one.release()
    assert other.take()


def test_a_file_that_is_removed_or_replaced_while_it_is_written_to_is_noticed(
    tmp_path: Path,
) -> None:
    engine = empty(tmp_path)
    watch, path = FileWatch(engine.url), tmp_path / "index.sqlite"
    watch.look()
    run_row(engine)
    watch.look()
    kept = path.rename(tmp_path / "kept")
    with pytest.raises(IndexFault, match="was removed while it was written to"):
        watch.look()
    path.write_bytes(kept.read_bytes())
    with pytest.raises(IndexFault, match="was replaced while it was written to"):
        watch.look()
    FileWatch(url_of(SettingsWithoutPolicies(database=SecretStr("postgresql://host/x")))).look()


@pytest.mark.parametrize("kib", [None, database.PAGES_CACHE_KIB])
def test_each_connection_keeps_as_much_of_the_file_as_was_said(
    tmp_path: Path, kib: int | None
) -> None:
    url = empty(tmp_path).url
    engine = open_engine(url) if kib is None else open_engine(url, cache_kib=kib)
    with reading(engine) as connection:
        found = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    assert found == -(database.CACHE_KIB if kib is None else kib)


def test_nobody_else_can_read_an_index_that_is_made(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "index.sqlite"
    engine = open_engine(URL.create("sqlite", database=str(file)), make=True)
    schema.bring_up(engine, 0)
    assert {it.name: oct(it.stat().st_mode & 0o777) for it in file.parent.iterdir()} == {
        it.name: "0o600" for it in file.parent.iterdir()
    }
    open_engine(URL.create("sqlite", database=str(file)), make=True)
    with reading(engine) as connection:
        assert schema.revision_of(connection) == schema.HEAD, "one that is there stays"
