"""An index that was made by copies has the rows that reading the records would have made."""

import pytest
from sqlalchemy import Engine, select

from streams.index import tables
from streams.index.database import reading
from streams.index.projection import project
from streams.index.rows import Rows
from tests.core.given import DAY, START
from tests.index import grown
from tests.index.filled import empty

ACCOUNTS = 1_200
NEWEST = START + 60 * DAY


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    made = empty(tmp_path_factory.mktemp("grown"))
    grown.grow(made, ACCOUNTS, 15, NEWEST)
    return made


@pytest.mark.parametrize("life", grown.LIVES)
@pytest.mark.slow
def test_an_account_that_was_copied_has_the_rows_of_one_that_was_read(
    engine: Engine, life: str
) -> None:
    people = [it for it in grown.names(ACCOUNTS, 15) if grown.KINDS[it[1]].life == life]
    partition, kind, _, name = people[-1]
    rows, key = Rows(), f"weibo:{name}"
    for it in grown.lives(NEWEST)[kind].steps:
        value = (it.value or b"").replace(f'"{grown.WHO}"'.encode(), f'"{name}"'.encode())
        place = {"key": key.encode(), "value": value, "partition": partition}
        project(it._replace(**place), rows, "byline.")
    with reading(engine) as connection:
        for table in (tables.decisions, tables.events, tables.words, tables.acks):
            columns = [it for it in table.columns if it.name != "offset"]
            mine = select(*columns).where(table.c.account == key).order_by(table.c.offset)
            found = [tuple(it) for it in connection.execute(mine)]
            skip = [it.name for it in table.columns].index("offset")
            wanted = [(*row[:skip], *row[skip + 1 :]) for row in getattr(rows, table.name)]
            assert sorted(found, key=repr) == sorted(wanted, key=repr), table.name
        value = connection.scalar(select(tables.states.c.value).where(tables.states.c.key == key))
        assert value == rows.states[partition, key][4]  # type: ignore[index]
        cycles = select(tables.cycles).where(tables.cycles.c.account == key)
        assert len(connection.execute(cycles).all()) == len(rows.cycles)


@pytest.mark.slow
def test_what_a_run_added_to_the_copies_is_taken_away(engine: Engine) -> None:
    offsets = select(tables.decisions.c.offset).order_by(tables.decisions.c.offset)
    with engine.begin() as connection:
        before = connection.execute(offsets).all()
        row = connection.execute(select(tables.decisions).limit(1)).one()._mapping
        for at in (grown.BARE, 0, 7):
            connection.execute(tables.decisions.insert().values({**row, "offset": at}))
    grown.reset(engine)
    with reading(engine) as connection:
        assert connection.execute(offsets).all() == before
