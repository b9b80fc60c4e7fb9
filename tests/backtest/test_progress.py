"""Progress while DuckDB is at work, which is most of the time of a large backtest."""

from contextlib import closing
from pathlib import Path

import pytest

from streams.backtest import progress
from streams.backtest.columns import connect
from streams.backtest.progress import watched
from tests.backtest.given import ReadingRow, backtested, csv_file, parquet_file

ROWS = 2_000_000
SLOW = "SELECT count_if(regexp_matches(i::VARCHAR, '^1.*7.*7.*9$')) FROM read_parquet('{}')"


def test_a_query_tells_how_many_rows_it_has_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.005)
    said: list[tuple[str, int, int]] = []
    path = tmp_path / "r.parquet"
    with closing(connect(tmp_path)) as connection:
        connection.execute(f"COPY (SELECT i FROM range({ROWS}) AS t(i)) TO '{path}'")
        with watched(connection, lambda *one: said.append(one), "scans", ROWS):
            connection.execute(SLOW.format(path)).fetchall()
    assert said[0] == ("scans", 0, ROWS)
    assert any(0 < done < ROWS for _, done, _ in said)
    assert {total for *_, total in said} == {ROWS}


def test_a_ctrl_c_that_the_teller_hears_of_ends_only_the_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.005)
    heard = []

    def tell(what: str, done: int, total: int) -> None:
        heard.append(done)
        if len(heard) > 1:
            raise KeyboardInterrupt

    path = tmp_path / "r.parquet"
    with closing(connect(tmp_path)) as connection:
        connection.execute(f"COPY (SELECT i FROM range({ROWS}) AS t(i)) TO '{path}'")
        with watched(connection, tell, "scans", ROWS):
            connection.execute(SLOW.format(path)).fetchall()
    assert len(heard) == 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_part_of_the_work_says_what_it_does(tmp_path: Path, form: str) -> None:
    rows = [ReadingRow(at, f"a{at}", 5 if at else 1500) for at in range(130_000)]
    path = tmp_path / f"r.{form}"
    (csv_file if form == "csv" else parquet_file)(path, rows)
    said: list[tuple[str, int, int]] = []
    backtested(tmp_path, path, progress=lambda *one: said.append(one))
    assert list(dict.fromkeys(what for what, *_ in said)) == [
        "reads the files",
        "counts the readings by day",
        "looks for the accounts that matter",
        "takes their readings",
        "leads the core through the rows",
    ]
    if form == "csv":
        assert any(what == "reads the files" and done >= 120_000 for what, done, _ in said)
