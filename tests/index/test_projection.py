"""What records become: one row each, known fields alone, and the same however they are read."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from streams.index import tables
from streams.index.database import reading
from streams.index.errors import LostLeadError
from streams.index.retention import forget, purge
from streams.index.rows import Rows
from streams.index.writer import Position, Writer
from streams.operate.audit.records import Record
from tests.core.given import DAY, HOUR, MINUTE
from tests.index.filled import all_of, contents, empty, filled, write
from tests.operate.recording import RECORDINGS, Tape, invited

CANARIES = ("Zhang Wei", "张伟", "110101199003078515", "zhangwei@example.com", "13800138000")


def test_every_output_and_decision_is_a_row(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    found = contents(filled(tmp_path, tape))
    assert len(found["events"]) == len(tape.events)
    decided = [it for it in tape.decisions if it["kind"] == "decision"]
    assert len(found["decisions"]) == len(decided)
    assert len(found["letters"]) == len(tape.dead_letters) == 1
    said = {it.topic for it in all_of(tape)} - {"switches"}
    assert said >= {"controls", "consent-answers", "notice-receipts", "account-changes"}
    words = [it for it in all_of(tape) if it.topic in said and it.topic in WORD_TOPICS]
    assert len(found["words"]) == len(words) + SWITCHED - 1, "all but the one that was refused"


WORD_TOPICS = ("controls", "consent-answers", "notice-receipts", "account-changes")
SWITCHED = 4
"""Switches that the recording throws."""


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.slow
def test_rows_are_the_same_whatever_is_written_together(name: str, tmp_path: Path) -> None:
    records = all_of(RECORDINGS[name]())
    found = []
    for size in (1, 7, 100_000):
        engine = empty(tmp_path, f"{size}.sqlite")
        write(engine, records, size)
        found.append(contents(engine))
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_rows_are_the_same_in_whatever_order_topics_are_read(tmp_path: Path) -> None:
    records = all_of(RECORDINGS["clean"]())
    by_topic = sorted(records, key=lambda it: it.topic)
    backwards = sorted(records, key=lambda it: it.topic, reverse=True)
    found = []
    for number, order in enumerate((records, by_topic, backwards)):
        engine = empty(tmp_path, f"{number}.sqlite")
        write(engine, order, 50)
        found.append(contents(engine))
    assert found[0] == found[1] == found[2]


def test_a_writer_that_has_been_overtaken_writes_nothing(tmp_path: Path) -> None:
    tape = invited(Tape(), "a1")
    engine = filled(tmp_path, tape)
    before = contents(engine)
    late = Writer(engine)
    late.load()
    write(engine, [Record("acks", 0, 0, 0, None, None)])
    late.positions["events", 0] = Position(7)
    rows = Rows()
    rows.log.append((0, 99, "switch", 1, 1, "{}"))
    fresh = {"as_of": None, "behind": 0, "written_at": 0}
    with pytest.raises(LostLeadError):
        late.write(rows, {("events", 0): Position(8)}, fresh)
    assert contents(engine)["log"] == before["log"]


def test_names_cannot_enter(tmp_path: Path) -> None:
    """Whatever a producer writes, only known fields of closed kinds are kept."""
    tape = invited(Tape(), "a1").receipt(account="a1")
    value: dict[str, Any] = {"platform": "weibo", "account_id": "a1", "occurred_at": "2024-01-02T"}
    for canary in CANARIES:
        for topic in (*WORD_TOPICS, "throttle-acks", "switches"):
            tape_value = {**value, **FIELDS[topic], "name": canary, "note": canary}
            records = [tape_value]
            if not canary.isdigit():  # Digits are an id to anybody.
                changed = ("account_id", "platform", *FIELDS[topic])
                records += [{**tape_value, field: canary} for field in changed]
            for one in records:
                raw = json.dumps(one, ensure_ascii=False).encode()
                for key in (b"weibo:a1", canary.encode(), f"weibo:{canary}".encode()):
                    LINES.append(Record(topic, 0, len(LINES), tape.now, key, raw))
    engine = filled(tmp_path, tape)
    places = {(it.topic, it.partition): 0 for it in LINES}
    writer = Writer(engine)
    writer.load()
    writer.begin(places)
    write_again(engine, LINES)
    raw = (tmp_path / "index.sqlite").read_bytes() + _rest(tmp_path)
    for canary in CANARIES:
        assert canary.encode() not in raw, canary
    with reading(engine) as connection:
        acks = connection.scalar(select(func.count()).select_from(tables.acks))
    assert acks == len(CANARIES), "the one of each that is an acknowledgement is kept"


LINES: list[Record] = []
TIME = "2024-01-02T00:00:00Z"
FIELDS: dict[str, dict[str, Any]] = {
    "controls": {
        "control_id": "c1",
        "command": "hold",
        "actor": "op.1",
        "reason": "test",
        "issued_at": TIME,
    },
    "consent-answers": {"answer": "granted", "occurred_at": TIME, "invitation_id": "i1"},
    "notice-receipts": {"invitation_id": "i1", "outcome": "delivered", "occurred_at": TIME},
    "account-changes": {"change": "exempted", "observed_at": TIME},
    "throttle-acks": {
        "event_id": "e1",
        "outcome": "applied",
        "system": "feed",
        "occurred_at": TIME,
    },
    "switches": {
        "scope": "weibo",
        "switch": "adverse_off",
        "on": True,
        "actor": "op.1",
        "reason": "test",
        "issued_at": TIME,
    },
}


def _rest(folder: Path) -> bytes:
    """The write-ahead log as well."""
    return b"".join(it.read_bytes() for it in folder.glob("index.sqlite-*"))


def write_again(engine: Any, records: list[Record]) -> None:
    """Records at offsets behind those of the recording."""
    write(engine, [it._replace(offset=it.offset + 1_000) for it in records])


def test_of_a_closed_account_the_facts_go_with_the_decision(tmp_path: Path) -> None:
    """By the log alone: the input that said so is not read."""
    tape = invited(Tape(), "a1").receipt(account="a1")
    invited(tape, "b1")
    tape.change("closed", "a1").wait(HOUR)
    records = [it for it in all_of(tape) if it.topic != "account-changes"]
    engine = empty(tmp_path)
    write(engine, records, 3)
    table = tables.decisions
    with reading(engine) as connection:
        kept = connection.execute(select(table.c.account, table.c.facts)).all()
        states = connection.scalars(select(tables.states.c.key)).all()
    assert {facts for account, facts in kept if account == "weibo:a1"} == {None}
    assert all(facts is not None for account, facts in kept if account == "weibo:b1")
    assert "weibo:a1" not in states
    assert "weibo:b1" in states


def test_what_is_older_than_the_index_keeps_goes_and_its_own_tables_stay(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    engine = filled(tmp_path, tape)
    before = contents(engine)
    middle = tape.now - 40 * DAY
    gone = purge(engine, middle)
    after = contents(engine)
    of_records = [name for name in before if name not in ("sums", "obliged")]
    lost = sum(len(before[name]) - len(after[name]) for name in of_records)
    assert gone == lost > 0
    times = {"events": 13, "decisions": 5, "words": 5}
    for name, column in times.items():
        assert min(row[column] for row in after[name]) >= middle - MINUTE
        assert after[name] == [row for row in before[name] if row in after[name]]
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(tables.runs)) == 1


def test_a_rebuild_keeps_what_kafka_no_longer_has_and_is_otherwise_the_same(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    engine = filled(tmp_path, tape)
    before = contents(engine)
    records = all_of(tape)
    begins = {("events", 0): 0, ("decisions", 0): 100, ("invitations", 0): 5, ("controls", 0): 2}
    forget(engine, begins, 5)
    held = [it for it in records if it.offset >= begins.get((it.topic, it.partition), 0)]
    write(engine, held)
    assert contents(engine) == before
    with reading(engine) as connection:
        what = connection.scalars(select(tables.runs.c.what).order_by(tables.runs.c.id)).all()
    assert what == ["made", "rebuilt"]
