"""Questions about all accounts, answered by the index as a count over the records answers them."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import URL, Engine, text

from schemas.enums import Mode
from streams.core.lifecycle import Invitation
from streams.core.model.instants import DAY, day_of
from streams.index import schema
from streams.index.chunks import CHUNK, chunks
from streams.index.database import open_engine, reading, writing
from streams.index.events import events as indexed_events
from streams.index.fresh import Fresh, freshness
from streams.index.funnel import Asked, By, Line, funnel
from streams.index.overview import overview
from streams.index.refused import Wanted, counted, letters_of
from streams.index.states import feed_beside, feed_list, partition_count
from streams.index.unobeyed import unobeyed
from streams.operate.account_states import States
from streams.operate.audit.records import millis
from streams.operate.events import WantedEvents
from streams.operate.worklists import WORK_LISTS, WorkLists
from tests.core.given import HOUR, START, policy
from tests.explain.test_explanation import ack
from tests.explain.test_nearest import restricted
from tests.index.filled import all_of, contents, empty, filled, write
from tests.operate.recording import RECORDINGS, Tape, invited
from tests.operate.test_worklists import lists

EVENTS = {
    "invited": "invitation.issued",
    "delivered": "invitation.delivered",
    "declined": "consent.declined",
    "granted": "consent.granted",
    "expired": "invitation.expired",
    "cancelled": "invitation.cancelled",
}


def asked(engine: Engine, tape: Tape, **more: object) -> list[Line]:
    start, end = more.pop("start", START), more.pop("end", tape.now + 1)
    with reading(engine) as connection:
        return funnel(connection, Asked(start, end, **more))  # type: ignore[arg-type]


def test_the_funnel_counts_what_the_events_say(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    (line,) = asked(filled(tmp_path, tape), tape)
    for step, event in EVENTS.items():
        cycles = {
            it["invitation_id"]
            for it in tape.events
            if it["event"] == event and it["reason"] != "reissued"
        }
        assert line.counts[step] == len(cycles), step
    applied = [it for it in tape.events if it["event"] == "throttle.applied"]
    assert line.counts["restricted"] == len({it["invitation_id"] for it in applied})
    came_in = [
        one
        for it in tape.decisions
        for one in it.get("transitions", ())
        if (one["from_state"], one["to_state"]) == ("DWELLING", "INSIDE")
    ]
    assert line.eligible == len(came_in)
    assert line.medians["until_delivered"] is not None


def test_days_add_up_to_the_whole_and_are_those_of_shanghai(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    engine = filled(tmp_path, tape)
    (whole,) = asked(engine, tape)
    days = asked(engine, tape, by=By.DAY)
    for step, count in whole.counts.items():
        assert sum(it.counts[step] for it in days) == count, step
    issued = Counter(
        day_of(millis(it["decided_at"]))
        for it in tape.events
        if it["event"] == "invitation.issued" and it["reason"] != "reissued"
    )
    assert sorted(issued.values()) == sorted(
        it.counts["invited"] for it in days if it.counts["invited"]
    )
    (field,) = asked(engine, tape, by=By.FIELD)
    assert (field.group, field.counts) == ("finance", whole.counts)


def test_shadow_lives_are_counted_apart(tmp_path: Path) -> None:
    tape = RECORDINGS["shadow"]()
    engine = filled(tmp_path, tape)
    (live,), (shadow,) = asked(engine, tape), asked(engine, tape, mode=Mode.SHADOW)
    for line, mode in ((live, "enforce"), (shadow, "shadow")):
        issued = {
            it["invitation_id"]
            for it in tape.events
            if it["event"] == "invitation.issued" and it["mode"] == mode
        }
        assert line.counts["invited"] == len(issued)
    assert asked(engine, tape, platform="douyin") == []


@pytest.mark.parametrize("which", WORK_LISTS)
def test_a_work_list_is_the_same_from_the_index_and_from_kafka(which, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tape = invited(invited(Tape(), "a1"), "a2").receipt(account="a1")
    invited(tape, "u1").receipt("failed", "u1", failure="invalid")
    tape.put("consent-answers", "weibo:a1", b"{}").control("appeal_opened", "a2", appeal_id="x")
    found = WorkLists()
    with reading(filled(tmp_path, tape)) as connection:
        feed_list(connection, which, found)
    of_index = found.rows(which, tape.now, 30 * DAY if which == "pending" else 0)
    of_kafka = lists(tape, which).rows(which, tape.now, 30 * DAY if which == "pending" else 0)
    assert of_index == of_kafka != []


def test_letters_are_counted_and_found_by_what_they_say(tmp_path: Path) -> None:
    tape = invited(Tape(), "a1").put("controls", "weibo:a1", b"nonsense")
    tape.put("controls", "weibo:a1", b"{}").put("consent-answers", None, b"{}")
    with reading(filled(tmp_path, tape)) as connection:
        counts = counted(connection, Wanted())
        assert sum(it[3] for it in counts) == len(tape.dead_letters) == 3
        (found,) = letters_of(connection, Wanted(reason="not_json"), 10)
        assert (found["topic"], found["account"], found["settled"]) == (
            "controls",
            "weibo:a1",
            False,
        )
        assert letters_of(connection, Wanted(platform="douyin"), 10) == []
        assert len(letters_of(connection, Wanted(start=tape.now, settled=False), 2)) == 2


def test_only_the_newest_event_of_a_surface_can_be_unacknowledged(tmp_path: Path) -> None:
    tape = restricted()
    applied = [it for it in tape.events if it["event"] == "throttle.applied"]
    engine = filled(tmp_path, tape)
    with reading(engine) as connection:
        assert unobeyed(connection, tape.now) == [], "nobody acknowledges anything"
    engine = empty(tmp_path, "more.sqlite")
    write(engine, [*all_of(tape), ack(tape, applied[0], "applied")])
    with reading(engine) as connection:
        (row,) = unobeyed(connection, tape.now)
        assert (row.event, row.surface, row.failed) == ("throttle.applied", "tips", False)
        assert unobeyed(connection, 0) == [], "not before its time"
    tape.answer("granted", "p1").wait(HOUR)
    lifted = [it for it in tape.events if it["event"] == "throttle.lifted"]
    engine = empty(tmp_path, "lifted.sqlite")
    failed = ack(tape, lifted[0], "failed")._replace(offset=1)
    write(engine, [*all_of(tape), ack(tape, applied[0], "applied"), failed])
    with reading(engine) as connection:
        rows = unobeyed(connection, tape.now)
    assert [(it.event, it.surface, it.failed) for it in rows] == [
        ("throttle.lifted", "recommend-feed", True),
        ("throttle.lifted", "tips", False),
    ]


def seen(engine: Engine, tape: Tape, *on_disk):  # type: ignore[no-untyped-def]
    states = States()
    with reading(engine) as connection:
        states.partition_count = partition_count(connection)
        feed_beside(connection, states.feed)
    return overview(states, {it.platform: it for it in on_disk}, tape.now)


def test_what_is_in_force_is_seen_with_its_scope(tmp_path: Path) -> None:
    tape = invited(Tape(), "a1").switch("adverse_off", True, scope="weibo")
    tape.switch("refusals_settled", False, scope="weibo")
    found = seen(filled(tmp_path, tape), tape, policy())
    assert [(it.what, it.scope) for it in found.holding] == [
        ("adverse_off", "weibo"),
        ("refusals", "weibo"),
    ]
    (running,) = found.running
    assert (running.platform, running.version, running.on_disk) == ("weibo", 1, "same")
    assert {(it.event, it.used, it.cap) for it in found.caps} == {
        ("invitation.issued", 1, 1000),
        ("throttle.applied", 0, 1000),
    }
    tape.switch("adverse_off", False, scope="weibo").switch("refusals_settled", True)
    later = seen(filled(tmp_path / "later", tape), tape, policy(version=2))
    assert later.holding == []
    assert later.running[0].on_disk == "version 2"
    assert seen(filled(tmp_path / "none", tape), tape).running[0].on_disk == "missing"


def test_events_are_found_as_the_topics_have_them(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    engine = filled(tmp_path, tape)
    middle = (START + tape.now) // 2

    def found(**wanted: object) -> list[object]:
        with reading(engine) as connection:
            return list(indexed_events(connection, WantedEvents(**wanted)))  # type: ignore[arg-type]

    assert found() == sorted(tape.events, key=lambda it: (it["decided_at"], it["account_id"]))
    mine = [it for it in tape.events if it["account_id"] == "a3"]
    assert found(account="weibo:a3") == mine != []
    granted = [it for it in found() if it["event"] == "consent.granted"]  # type: ignore[index]
    assert found(types=frozenset({"consent.granted"})) == granted
    assert found(platform="douyin") == []
    early = [it for it in found() if millis(it["decided_at"]) < middle]  # type: ignore[index]
    assert found(end=middle) == early
    assert found(start=middle) == [it for it in found() if it not in early]


def test_an_answer_says_as_of_when_it_is() -> None:
    assert "60 s ago, 3 records behind" in Fresh(0, 3, 0).text(60_000)
    assert "is `byline index --follow` running?" in Fresh(0, 0, 0).text(61_000)
    assert "3 d ago" in Fresh(0, 0, 0).text(3 * DAY + HOUR)
    assert "has not yet read all topics: 9 records left" in Fresh(None, 9, 0).text(0)
    assert [it.late(60_001) for it in (Fresh(0, 0, 0), Fresh(1, 0, 0), Fresh(None, 0, 0))] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("revision", ["0001", "0005", "0007"])
def test_an_index_of_an_older_version_is_brought_up_to_date_with_its_rows(
    tmp_path: Path, revision: str
) -> None:
    tape = RECORDINGS["clean"]()
    engine = open_engine(URL.create("sqlite", database=str(tmp_path / "old.sqlite")))
    with writing(engine) as connection:
        command.upgrade(schema.config_of(connection), revision)
    newer = filled(tmp_path, tape)
    before = contents(newer)
    _copied(tmp_path / "old.sqlite", tmp_path / "index.sqlite")
    with pytest.raises(schema.SchemaFault, match="`byline index` brings it up to date"):
        schema.check(engine)
    said: list[str] = []
    assert schema.bring_up(engine, 7, said.append) == f"schema {revision} → {schema.HEAD}"
    assert said[0].startswith(f"schema {revision} → {schema.HEAD} in one transaction")
    assert ("counting every hour: step" in said) == (revision != "0007"), "it has those"
    assert "counting every hour: took" in said
    schema.check(engine)
    assert contents(engine) == before
    (line,) = asked(engine, tape)
    assert line.eligible > 0
    with reading(engine) as connection:
        plan = connection.execute(
            text("EXPLAIN QUERY PLAN SELECT platform FROM decisions WHERE eligible = 1 AND now > 1")
        ).all()
        assert "decisions_eligible" in str(plan)
        assert freshness(connection).behind == 0


def _copied(old: Path, newer: Path) -> None:
    """Copies all rows into the tables and columns that an older version knew."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("ATTACH DATABASE ? AS newer", (str(newer),))
        listed = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
        for (name,) in listed.fetchall():
            if name != "alembic_version":
                info = connection.execute(f"PRAGMA main.table_info({name})").fetchall()
                names = ", ".join(f'"{it[1]}"' for it in info)
                source = f"SELECT {names} FROM newer.{name}"
                connection.execute(f"INSERT INTO main.{name} ({names}) {source}")


def test_a_cycle_is_one_row_with_its_instants(tmp_path: Path) -> None:
    tape = restricted()
    (row,) = contents(filled(tmp_path, tape))["cycles"]
    at = {it["event"]: millis(it["decided_at"]) for it in tape.events}
    assert row[0] == "weibo:p1"
    assert at["invitation.issued"] in row
    assert at["throttle.applied"] in row
    assert tape.account("p1").live.state is Invitation.EXPIRED
    assert json.loads(json.dumps(row[2])) == "weibo"


def test_a_long_list_is_divided_among_queries_and_nothing_is_lost_or_asked_for_twice() -> None:
    for length in (0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1):
        parts = list(chunks(range(length)))
        assert [it for part in parts for it in part] == list(range(length))
        assert len(parts) == -(-length // CHUNK)
    assert [list(it) for it in chunks("abc", 2)] == [["a", "b"], ["c"]]
