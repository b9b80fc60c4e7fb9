"""Sums, work and duties that the index keeps are those that its rows make; they are looked up."""

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select

from schemas.enums import Mode
from streams.core.model.instants import HOUR
from streams.index import sums, tables, unobeyed
from streams.index.database import reading, writing
from streams.index.events import throttle_events
from streams.index.funnel import Asked, By, funnel
from streams.index.report import report
from streams.index.states import feed_beside, feed_list, feed_watched, partition_count
from streams.index.work import Pending, open_work
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
                feed_list(connection, which, lists.feed)
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
        feed_list(connection, "undeliverable", lists.feed)
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
