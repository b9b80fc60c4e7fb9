"""No record that anybody can write stops the index: what a database has no place for is skipped."""

from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Engine, Integer, SmallInteger, String, select

from schemas.topics import DEAD_LETTERS, THROTTLE_ACKS
from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.explain.material import LISTED
from streams.index import settled, sums, tables, unobeyed
from streams.index.database import reading, writing
from streams.index.funnel import Asked, funnel
from streams.index.refused import Wanted, counted, listed
from streams.index.report import report
from streams.index.retention import purge
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.records import Record
from streams.serve.api import ACCOUNT
from tests.core.given import DAY, HOUR, START
from tests.explain.test_explanation import ack
from tests.index.filled import all_of, contents, empty, write
from tests.index.odd import odd_records, settlement
from tests.index.test_postgresql import engine as postgresql
from tests.index.test_postgresql import server
from tests.operate.recording import RECORDINGS, Tape

__all__ = ["postgresql", "server"]


def examples(tape: Tape) -> list[Record]:
    """The recording with an acknowledgement and a settlement, so that every kind is there."""
    records = all_of(tape)
    letter = next(it for it in records if it.topic == DEAD_LETTERS.name)
    applied = next(it for it in tape.events if it["event"] == "throttle.applied")
    found = [*records, ack(tape, applied, "applied"), settlement(letter, tape.now)]
    assert {THROTTLE_ACKS.name, DEAD_LETTERS.name} <= {it.topic for it in found}
    return found


def asked(engine: Engine, now: int) -> None:
    """What reads the rows again goes through: questions, sums made anew, a purge."""
    with reading(engine) as connection:
        for end in (now + 1, (now // HOUR + 1) * HOUR):
            report(connection, START // HOUR * HOUR, end)
            funnel(connection, Asked(START, end))
        listed(connection, Wanted())
        for settled_ones in (None, True, False):
            counted(connection, Wanted(settled=settled_ones))
        unobeyed.unobeyed(connection, now)
    with writing(engine) as connection:
        sums.recount(connection)
        unobeyed.recount(connection)
        settled.recount(connection)
    purge(engine, START + DAY)


def test_no_record_stops_the_index(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    engine = empty(tmp_path)
    odd = list(odd_records(examples(tape)))
    assert len(odd) > 10_000
    write(engine, [*all_of(tape), *odd])
    asked(engine, tape.now)
    fits(engine)


def test_an_account_with_odd_records_can_still_be_explained(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    odd = [it for it in odd_records(examples(tape)) if it.topic != CHANGELOG]
    engine = empty(tmp_path)
    write(engine, [*all_of(tape), *odd])
    with reading(engine) as connection:
        columns = [tables.metadata.tables[name].c.account for name in LISTED]
        found = {it for column in columns for it in connection.scalars(select(column))}
    known = {it for it in found if it is not None and ACCOUNT.fullmatch(it)}
    assert len(known) > 15
    for account in sorted(known):
        explain(from_index(engine, account), tape.now).as_dict("en")


@pytest.mark.slow
def test_no_record_stops_an_index_on_postgresql(postgresql: Engine) -> None:
    tape = RECORDINGS["clean"]()
    write(postgresql, [*all_of(tape), *odd_records(examples(tape))])
    asked(postgresql, tape.now)


SIZES = ((SmallInteger, 15), (BigInteger, 63), (Integer, 31))


def fits(engine: Engine) -> None:
    """Every value has a place in the narrower of both databases; SQLite itself takes any."""
    for name, rows in contents(engine).items():
        for number, column in enumerate(tables.metadata.tables[name].columns):
            given = [row[number] for row in rows if row[number] is not None]
            if isinstance(column.type, String):
                assert not any("\0" in it for it in given), column
                length = column.type.length
                assert length is None or max(map(len, given), default=0) <= length, column
            for kind, bits in SIZES:
                if isinstance(column.type, kind):
                    assert all(-(2**bits) <= it < 2**bits for it in given), column
                    break
