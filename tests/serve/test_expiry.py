"""What is kept for a time only is deleted while console or read API run, not at a start."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from streams.core.model.instants import DAY
from streams.index import kept, tables
from streams.index.database import reading
from streams.index.errors import DatabaseAway
from streams.index.kept import EVIDENCE_FOR_MS, KeptState, ReportKind
from streams.serve import expiry
from streams.serve.access import write_down
from streams.settings import Settings
from tests.core.given import START
from tests.index.filled import empty

LATER = START + 1_098 * DAY


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return empty(tmp_path)


def count(engine: Engine) -> tuple[int | None, int | None]:
    """Returns how many accesses and kept reports there are."""
    with reading(engine) as connection:
        asked = connection.scalar(select(func.count()).select_from(tables.accesses))
        return asked, connection.scalar(select(func.count()).select_from(tables.kept_reports))


async def ran_until(engine: Engine, wanted: tuple[int, int], now: int) -> None:
    """Runs what deletes, with hours of a millisecond, until so much is left."""
    task = asyncio.create_task(expiry.keep_deleting(engine, Settings(), lambda: now))
    try:
        async with asyncio.timeout(20):
            while count(engine) != wanted:
                await asyncio.sleep(0.01)
    finally:
        task.cancel()


@pytest.mark.asyncio
async def test_old_rows_go_while_it_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "EVERY_SECONDS", 0.001)
    write_down(engine, START, "desk.1", "explain", ["weibo:a1"])
    write_down(engine, START + DAY, "desk.1", "explain", ["weibo:a1"])
    it = kept.begin(engine, ReportKind.EVIDENCE, "May", "auditor.1", START)
    assert it is not None
    kept.finish(engine, it, KeptState.DONE, "{}", "{}", START)
    kept.keep(engine, ReportKind.BACKTEST, "line", "", "{}", START)
    await ran_until(engine, (2, 1), START + EVIDENCE_FOR_MS + 1)
    await ran_until(engine, (1, 1), LATER + 1)


@pytest.mark.asyncio
async def test_a_database_that_is_away_is_asked_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(expiry, "EVERY_SECONDS", 0.001)
    write_down(engine, START, "desk.1", "explain", ["weibo:a1"])
    forget, away = expiry.access.forget, iter([True, True])

    def locked(*args: object) -> int:
        if next(away, False):
            raise DatabaseAway("it is locked")
        return forget(engine, LATER + 1)

    monkeypatch.setattr(expiry.access, "forget", locked)
    await ran_until(engine, (0, 0), LATER + 1)
    assert [it.message for it in caplog.records] == [
        "what is too old is still there: it is locked"
    ] * 2
