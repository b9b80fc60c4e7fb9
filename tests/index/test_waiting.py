"""A page of a work-list is a part of the whole list, and no other account is decoded for it."""

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from streams.core.model.account import Account
from streams.core.state.evaluator import POLICIES
from streams.index import waiting
from streams.index.database import reading
from streams.index.refused import Wanted, counted
from streams.index.states import feed_beside, feed_list, partition_count
from streams.index.unobeyed import Unacknowledged
from streams.index.waiting import WAITING_LISTS, WaitingList, WaitingPages
from streams.index.work import Pending, open_work
from streams.operate import account_states
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.records import Record
from streams.operate.worklists import Row, WorkLists
from tests.core.given import HOUR
from tests.explain.test_explanation import ack
from tests.index.filled import filled, write
from tests.operate.recording import RECORDINGS, Tape, invited

WITHIN = HOUR


def desk() -> Tape:
    """Several accounts on each list, some with two appeals, some whose notice failed twice."""
    tape = Tape()
    for number in range(4):
        invited(tape, f"n{number}", 2_000).wait(20 * HOUR)
    for number in range(4):
        invited(tape, f"u{number}", 2_000).wait(HOUR)
    # Of those that were delivered first, one was told again since: it comes before the other.
    for name in ("u0", "u2"):
        tape.receipt(account=name).wait(HOUR)
    for number in range(4):
        tape.receipt("failed", f"u{number}", failure="invalid").wait(HOUR)
    tape.control("reissue", "u2").wait(HOUR).receipt("failed", "u2", failure="invalid")
    for number in range(4):
        invited(tape, f"a{number}", 2_000).receipt(account=f"a{number}").wait(HOUR)
    tape.answer("granted", "a1").wait(HOUR).answer("granted", "a3")
    for name in ("a3", "a0", "a1", "n3"):
        tape.wait(HOUR).put("controls", f"weibo:{name}", b"{}")
    for appeal_id, name in enumerate(("a2", "n0", "a2", "u1", "n0")):
        tape.wait(HOUR).control("appeal_opened", name, appeal_id=f"x{appeal_id}")
    return tape


@pytest.fixture(scope="module")
def tape() -> Tape:
    return desk()


@pytest.fixture(scope="module")
def engine(tape: Tape, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return filled(tmp_path_factory.mktemp("waiting"), tape)


def whole(connection: Connection, which: WaitingList, now: int) -> list[Row]:
    lists = WorkLists()
    lists.states.partition_count = partition_count(connection)
    feed_list(connection, which, lists)
    return lists.rows(which, now, WITHIN)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("by", ["", *waiting.SORTED])
@pytest.mark.parametrize("which", WAITING_LISTS)
def test_pages_make_up_the_list(
    engine: Engine, tape: Tape, which: WaitingList, by: str, down: bool
) -> None:
    with reading(engine) as connection:
        rows = whole(connection, which, tape.now)
        assert len(rows) >= 4
        found = WaitingPages(connection, which, tape.now, WITHIN)
        assert found.platforms == Counter(weibo=len(rows))
        if by:
            rows.sort(key=lambda it: getattr(it, by), reverse=down)
        elif down:
            return
        for size in (1, 3, 50):
            for platform in ("", "weibo"):
                pages = [
                    found.page(platform, by, down, first, size)
                    for first in range(0, len(rows) + size, size)
                ]
                assert [it for page in pages for it in page] == rows
        assert found.page("douyin", by, down, 0, 50) == []


def test_each_list_has_what_makes_its_order_hard(engine: Engine, tape: Tape) -> None:
    """Else the test above would not see a wrong one."""
    with reading(engine) as connection:
        rows = {which: whole(connection, which, tape.now) for which in WAITING_LISTS}
    assert [it.after_delivery for it in rows["undeliverable"]] == [False] * 3 + [True]
    assert [it.consent for it in rows["unclear"]] == [True] * 2 + [False] * 2
    assert max(Counter(it.account for it in rows["appeals"]).values()) == 2
    by_since = sorted(rows["unclear"], key=lambda it: it.since)
    assert by_since != rows["unclear"]


@pytest.mark.parametrize("which", [*WAITING_LISTS, "pending"])
def test_only_the_shown_accounts_and_each_partition_once_are_decoded(
    engine: Engine, tape: Tape, which: WaitingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    parts: list[int] = []
    decode, of = account_states.decode_account, account_states.States._decoded

    def account(raw: bytes) -> Account:
        decoded.append(raw)
        return decode(raw)

    def part(self: account_states.States, number: int) -> account_states.Part:
        parts.append(number)
        return of(self, number)

    monkeypatch.setattr(account_states, "decode_account", account)
    monkeypatch.setattr(account_states.States, "_decoded", part)
    with reading(engine) as connection:
        if which == "pending":
            lists = WorkLists()
            feed_beside(connection, lists.feed)
            found: WaitingPages | Pending = Pending(
                connection, lists, tape.now, tape.now + 900 * HOUR
            )
        else:
            found = WaitingPages(connection, which, tape.now, WITHIN)
        decoded.clear()
        assert len(found.page("", "", False, 0, 1)) == 1
    assert len(decoded) == 1
    assert parts == [0]


def test_a_partition_is_decoded_anew_when_it_reads_more(engine: Engine) -> None:
    lists = WorkLists()
    with reading(engine) as connection:
        records: list[Record] = []
        feed_beside(connection, records.append)
    part = lists.states.part
    for it in records:
        if it.topic == CHANGELOG and it.key != POLICIES:
            lists.feed(it)
    assert part(0).adopted == {}
    for it in records:
        if it.key == POLICIES:
            lists.feed(it)
    assert part(0).policies == {"weibo": None}
    for it in records:
        if it.topic != CHANGELOG:
            lists.feed(it)
    assert part(0).policies["weibo"] is not None


@pytest.mark.parametrize("by", ["", "account", "since", "event", "surface", "failed"])
def test_pages_of_what_nobody_acknowledged_make_up_the_list(tmp_path: Path, by: str) -> None:
    tape = RECORDINGS["clean"]()
    throttles = [it for it in tape.events if it["event"].startswith("throttle.")]
    engine = filled(tmp_path, tape)
    write(engine, [ack(tape, throttles[0], "failed")])
    with reading(engine) as connection:
        found = Unacknowledged(connection, tape.now)
        rows = found.page("")
        assert len(rows) > 2
        assert found.platforms == Counter(it.account.partition(":")[0] for it in rows)
        for down in (False, True):
            if by:
                rows.sort(key=lambda it: str(getattr(it, by)), reverse=down)
            pages = [found.page("", by, down, it, 2) for it in range(0, len(rows), 2)]
            assert [it for page in pages for it in page] == rows
            rows = found.page("")


def test_no_page_of_a_list_scans_all_states(engine: Engine, tape: Tape) -> None:
    asked: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *it: asked.append((it[2], it[3])))
    with reading(engine) as connection:
        for which in WAITING_LISTS:
            WaitingPages(connection, which, tape.now, WITHIN).page("", "", False, 0, 2)
        listed = [it for it in asked if "FROM states" in it[0] and "#" not in str(it[1])]
        plans = [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all())
            for statement, given in listed
        ]
    assert len(plans) >= 2 * len(WAITING_LISTS)
    for (statement, _), plan in zip(listed, plans, strict=True):
        assert "SCAN states'" not in plan, plan
        if "states.value" not in statement and "FROM events" not in statement:
            assert "COVERING INDEX states_" in plan, plan


def test_what_is_open_is_counted_from_indexes_alone(tape: Tape, tmp_path: Path) -> None:
    engine = filled(tmp_path, tape)
    write(engine, [ack(tape, tape.events[0], "failed")])
    asked: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *it: asked.append((it[2], it[3])))
    with reading(engine) as connection:
        open_work(connection)
        counted(connection, Wanted(start=tape.now - 1, settled=False))
        Unacknowledged(connection, tape.now)
        counts = [it for it in asked if it[0].startswith("SELECT") and "(" in it[0]]
        assert len(counts) == 4
        for statement, given in counts:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            assert "COVERING INDEX" in str(plan), (statement, plan)
