"""Sums, work and duties that the index keeps are those that its rows make; they are looked up."""

import json
import math
import random
import re
from collections import Counter
from pathlib import Path
from statistics import median_low
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from schemas.enums import Mode
from streams.core.model.instants import HOUR
from streams.index import settled, sums, tables, unobeyed
from streams.index.database import reading, writing
from streams.index.events import throttle_events
from streams.index.funnel import Asked, By, funnel
from streams.index.refused import Wanted, counted, letters_of
from streams.index.report import report
from streams.index.retention import forget, purge
from streams.index.rows import Rows
from streams.index.standing import restricted
from streams.index.states import feed_beside, feed_list, feed_watched, partition_count
from streams.index.sums import LENGTHS, first_hour
from streams.index.work import Pending, open_work
from streams.index.writer import FIRST, Writer
from streams.operate.audit.records import Record
from streams.operate.worklists import WORK_LISTS, WorkLists
from tests.core.given import DAY, START
from tests.index.filled import all_of, contents, empty, filled, write
from tests.operate.recording import RECORDINGS, Tape, invited

KEPT = ("sums", "obliged")


@pytest.mark.parametrize("name", ["clean", "shadow", "stricter"])
def test_what_is_kept_is_what_the_rows_make(tmp_path: Path, name: str) -> None:
    engine = empty(tmp_path)
    write(engine, all_of(RECORDINGS[name]()), 7)
    before = {it: contents(engine)[it] for it in KEPT}
    assert before["sums"]
    with writing(engine) as connection:
        connection.execute(tables.sums.update().values(count=99))
        sums.recount(connection)
        unobeyed.recount(connection)
    assert {it: contents(engine)[it] for it in KEPT} == before


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.SHADOW])
@pytest.mark.parametrize("by", [By.PLATFORM, By.DAY])
def test_a_period_of_whole_hours_has_the_counts_of_its_rows(
    tmp_path: Path, mode: Mode, by: By
) -> None:
    tape = RECORDINGS["shadow" if mode is Mode.SHADOW else "clean"]()
    engine = filled(tmp_path, tape)
    end = (tape.now // HOUR + 1) * HOUR
    for start in (START, START + 30 * HOUR, START + 3 * DAY):
        with reading(engine) as connection:
            # A period that ends one millisecond later is counted from the rows.
            one, two = (
                funnel(connection, Asked(start, it, by, None, mode)) for it in (end, end + 1)
            )
            assert one == two != []
            said, counted = (report(connection, start, it) for it in (end, end + 1))
            assert (said.events, said.medians) == (counted.events, counted.medians)


def listed(engine: Engine, now: int) -> WorkLists:
    lists = WorkLists()
    with reading(engine) as connection:
        lists.states.partition_count = partition_count(connection)
        feed_beside(connection, lists.feed)
        feed_watched(connection, lists.feed)
    return lists


def waiting() -> Tape:
    """Some who wait, some who answered, one whose time stands still, one who is protected."""
    tape = Tape()
    for number in range(9):
        invited(tape, f"a{number}", 1500 + number)
        if number:
            tape.receipt(account=f"a{number}").wait(HOUR)
    tape.answer("granted", "a1").answer("declined", "a2").control("hold", "a3")
    tape.control("appeal_opened", "a4").answer("granted", "a5", notice_version="0")
    return tape.change("exempted", "a6").reads(10, "a7")


def test_pending_restrictions_are_those_of_the_work_list(tmp_path: Path) -> None:
    tape = waiting()
    engine = filled(tmp_path, tape)
    found = 0
    for now in (tape.now, tape.now + 2 * DAY):
        for span in (HOUR, DAY, 7 * DAY):
            whole = listed(engine, now).rows("pending", now, span)
            with reading(engine) as connection:
                lists = WorkLists()
                lists.states.partition_count = partition_count(connection)
                feed_beside(connection, lists.feed)
                pending = Pending(connection, lists, now, now + span)
                assert pending.page("", "", False, 0, 100) == whole
                by_name = sorted(whole, key=lambda it: it.account)
                assert pending.page("weibo", "account", True, 1, 2) == by_name[::-1][1:3]
                assert pending.page("douyin", "", False, 0, 100) == []
                assert pending.platforms == Counter(weibo=len(whole)) - Counter()
                assert sum(count for _, count in pending.hours()) == len(whole)
            found += len(whole)
    assert found > 0


def test_each_list_is_read_from_the_accounts_that_may_be_on_it(tmp_path: Path) -> None:
    tape = waiting()
    engine = filled(tmp_path, tape)
    whole = listed(engine, tape.now)
    for which in WORK_LISTS:
        if which != "undeliverable":
            lists = WorkLists()
            with reading(engine) as connection:
                feed_list(connection, which, lists)
            rows = whole.rows(which, tape.now, 7 * DAY)
            assert lists.rows(which, tape.now, 7 * DAY) == rows
    with reading(engine) as connection:
        assert open_work(connection) == {
            it: len(whole.rows(it, tape.now, 0)) for it in ("unclear", "appeals")
        }


def test_no_page_of_an_account_reads_a_whole_topic_or_all_states(tmp_path: Path) -> None:
    engine = filled(tmp_path, waiting())
    asked: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *it: asked.append((it[2], it[3])))
    with reading(engine) as connection:
        list(throttle_events(connection, "weibo:a1"))
        lists = WorkLists()
        feed_list(connection, "undeliverable", lists)
        Pending(connection, lists, START, START + 90 * DAY).hours()
        open_work(connection)
        unobeyed.unobeyed(connection, START)
    with engine.connect() as connection:
        plans = [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all())
            for statement, given in asked
            if statement.startswith("SELECT")
        ]
        assert connection.scalar(select(tables.states.c.key).limit(1))
    for plan in plans:
        assert "PRIMARY KEY (topic=?)" not in plan or "positions" in plan, plan
        assert "SCAN states'" not in plan, plan


def asked_of(engine: Engine) -> list[tuple[str, Any]]:
    """Returns the list that each statement of an engine is put into from now on."""
    asked: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *it: asked.append((it[2], it[3])))
    return asked


def test_pages_over_periods_read_sums_and_not_what_they_count(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]().put("controls", "weibo:a1", b"nonsense")
    engine = filled(tmp_path, tape)
    begins, ends = first_hour(START) * HOUR, (first_hour(tape.now) + 24) * HOUR
    asked = asked_of(engine)
    with reading(engine) as connection:
        said = report(connection, begins, ends)
        assert said.events != []
        assert said.medians != []
        assert said.refused != []
        for by in (By.PLATFORM, By.DAY):
            assert funnel(connection, Asked(begins, ends, by), medians=False) != []
        for which in (None, False, True):
            counted(connection, Wanted(settled=which))
        restricted(connection)
    plans = []
    for statement, given in asked:
        if statement.startswith("SELECT"):
            tables_read = set(re.findall(r"\b(?:FROM|JOIN) (\w+)", statement))
            assert tables_read <= {"sums", "freshness", "cycles"}, statement
            with engine.connect() as connection:
                found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            if "cycles" in tables_read:
                plans.append(str(found))
                assert "ORDER BY" not in plans[-1], plans[-1]
    # Of the durations the index counts the classes; in that of the median it is looked up.
    assert len(plans) == len(tables.SPANS)
    for plan in plans:
        assert "USING COVERING INDEX cycles_" in plan, plan
        assert "<expr>>?" in plan, plan


def test_a_short_period_is_not_looked_up_among_the_durations_of_all_times(tmp_path: Path) -> None:
    engine, rows = empty(tmp_path), Rows()
    for number in range(30):
        about = rows.cycle(f"weibo:a{number}", "i")
        about |= {"platform": "weibo", "mode": "enforce", "cycle": 1}
        about |= {"issued_at": START + number * DAY, "delivered_at": START + number * DAY + HOUR}
    with writing(engine) as connection:
        sums.add(connection, sums.changes(connection, rows, FIRST))
        Writer(engine).write_cycles(connection, rows)
    plans = []
    for days in (7, 40):
        asked = asked_of(engine)
        with reading(engine) as connection:
            (line,) = funnel(connection, Asked(START - 8 * HOUR, START + days * DAY - 8 * HOUR))
            assert line.medians["until_delivered"] == HOUR
            ((statement, given),) = (it for it in asked if "FROM cycles" in it[0])
            explained = f"EXPLAIN QUERY PLAN {statement}"
            plans.append(str(connection.exec_driver_sql(explained, given).all()))
    assert "cycles_delivered_at (delivered_at>? AND delivered_at<?)" in plans[0]
    assert "cycles_until_delivered" in plans[1]


@pytest.mark.parametrize("seed", range(5))
def test_medians_from_sums_are_those_of_all_durations(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    engine = empty(tmp_path)
    ends: dict[str, list[tuple[int, int]]] = {"weibo": [], "douyin": []}
    rows = Rows()
    for number in range(chance.choice((1, 2, 40, 41, 200))):
        platform = chance.choice(("weibo", "weibo", "douyin"))
        length = int(math.exp(chance.uniform(0, 24))) if number % 3 else LENGTHS[number % 50]
        end = START + chance.randrange(6 * DAY)
        ends[platform].append((end, length))
        about = rows.cycle(f"{platform}:a{number}", "i")
        about |= {"platform": platform, "mode": "enforce", "cycle": 1}
        about |= {"issued_at": end - length, "delivered_at": end}
    with writing(engine) as connection:
        sums.add(connection, sums.changes(connection, rows, FIRST))
        Writer(engine).write_cycles(connection, rows)
    for _ in range(30):
        start, end = sorted(START + chance.randrange(-DAY, 7 * DAY) for _ in range(2))
        if chance.random() < 0.5:
            start, end = start // HOUR * HOUR, end // HOUR * HOUR
        with reading(engine) as connection:
            lines = {it.group: it for it in funnel(connection, Asked(start, end))}
        for platform, its in ends.items():
            wanted = [length for at, length in its if start <= at < end]
            found = lines[platform].medians["until_delivered"] if platform in lines else None
            assert found == (median_low(wanted) if wanted else None), (start, end)


def letters() -> list[Record]:
    """Letters of four kinds: some settled, one twice."""
    tape = invited(Tape(), "a1").put("controls", "weibo:a1", b"nonsense")
    tape.put("controls", "weibo:a1", b"{}").put("consent-answers", None, b"{}").wait(3 * HOUR)
    tape.put("controls", "weibo:a1", b"nonsense").put("controls", "douyin:a2", b"nonsense")
    records = [it for it in all_of(tape) if it.topic == "dead-letters"]
    for number in (0, 2, 0):
        said = json.loads(records[number].value or b"")
        value = {it: said[it] for it in ("topic", "partition", "offset")}
        value |= {"settled": "dismissed", "actor": "desk.1", "reason": "incident"}
        value |= {"at": "2024-02-01T00:00:00.000Z"}
        offset = records[-1].offset + 1
        about = {"offset": offset, "partition": 1, "value": json.dumps(value).encode()}
        records.append(records[number]._replace(**about))
    return records


@pytest.mark.parametrize("size", [1, 2, 1_000])
@pytest.mark.parametrize("turned", [False, True])
def test_letters_are_open_until_they_are_settled(tmp_path: Path, size: int, turned: bool) -> None:
    records = letters()
    engine = empty(tmp_path)
    # They lie in different partitions, so that a settlement may be read before its letter.
    write(engine, sorted(records, key=lambda it: it.partition, reverse=turned), size)
    kept = contents(engine)
    with reading(engine) as connection:
        said = {it: counted(connection, Wanted(settled=it)) for it in (None, False, True)}
        assert [sum(it[3] for it in counts) for counts in said.values()] == [5, 3, 2]
        for which, counts in said.items():
            # A period that does not begin with an hour is counted from the rows.
            assert counted(connection, Wanted(settled=which, start=1)) == counts
            only = Wanted(platform="douyin", settled=which)
            assert counted(connection, only) == [it for it in counts if it[0] == "douyin"]
        shown = letters_of(connection, Wanted(settled=False), 10)
        assert len(shown) == 3
        assert not any(it["settled"] for it in shown)
    with writing(engine) as connection:
        settled.recount(connection)
        sums.recount(connection)
    assert contents(engine) == kept


def test_a_purge_counts_anew_what_stands_over_hours(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    engine = filled(tmp_path, tape)
    write(engine, [it._replace(offset=it.offset + 1_000) for it in letters()])
    assert purge(engine, START + 30 * HOUR + 1) > 0
    with reading(engine) as connection:
        for kind in (sums.TOOK, sums.REFUSED, sums.OPEN, sums.NOW):
            mine = select(tables.sums).where(tables.sums.c.kind == kind)
            before = connection.execute(mine).all()
            with writing(engine) as other:
                sums.recount(other)
                assert sorted(other.execute(mine).all()) == sorted(before)
                other.rollback()


def test_a_rebuild_opens_letters_whose_settlements_it_reads_again(tmp_path: Path) -> None:
    engine, records = empty(tmp_path), letters()
    write(engine, records)
    kept = contents(engine)
    # Kafka still has the partition of the settlements from its beginning, not that of the letters.
    forget(engine, {("dead-letters", 0): 100, ("dead-letters", 1): 0}, 1)
    with reading(engine) as connection:
        assert sum(it[3] for it in counted(connection, Wanted(settled=False))) == 5
        assert sum(it[3] for it in counted(connection, Wanted(settled=False, start=1))) == 5
    write(engine, [it for it in records if it.partition == 1])
    again = contents(engine)
    assert all(again[it] == kept[it] for it in ("letters", "settlements", "sums"))
