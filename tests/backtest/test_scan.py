"""What a scan counts, keeps and yields: each condition by which it passes over rows, in turn."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from streams.backtest import run, scan
from streams.backtest.carried import Carried
from streams.backtest.columns import connect
from streams.backtest.lines import near_lines
from streams.backtest.resting import AHEAD, RestingReading
from tests.backtest.given import (
    FINANCE,
    ReadingRow,
    backtested,
    csv_file,
    json_file,
    label,
    parquet_file,
    policy,
    rising,
    words_of,
)
from tests.backtest.test_filter import _word
from tests.core.given import DAY, HOUR, PLATFORM, START, rfc3339, stability

Yielded = tuple[int, str, Any]


def scanned(folder: Path, readings: Path, **asked: Any) -> tuple[Carried, list[Yielded]]:
    """What is counted, and the inputs in order: instant after START, account or key, input."""
    policies = [(it.platform, it) for it in asked.pop("policies", (policy(),))]
    wanted = run.Asked(policies, str(readings), **asked)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    with closing(connect(work)) as connection:
        it = run._scan(wanted, connection, work)
        found = it.carried(everybody=wanted.everybody)
        it.keep(found, everybody=wanted.everybody, shard=wanted.shard)
        inputs = [
            (at - START, one.account if isinstance(one, RestingReading) else one[1].key, one)
            for given in it.inputs()
            for at, _, one in given
        ]
    return found, inputs


def test_an_account_whose_id_is_no_id_is_not_kept(tmp_path: Path) -> None:
    rows = [ReadingRow(0, "a1", 1500), ReadingRow(0, "no id", 1500), ReadingRow(0, 'a"1', 1500)]
    found, inputs = scanned(tmp_path, parquet_file(tmp_path / "r.parquet", rows))
    assert (found.kept_accounts, found.kept_rows) == (1, 1)
    assert {key for _, key, _ in inputs} == {"a1", b"weibo:a1"}


def test_an_account_of_another_platform_keeps_none_of_the_same_name(tmp_path: Path) -> None:
    rows = [ReadingRow(0, "low", 10), ReadingRow(0, "high", 1500)]
    rows += [ReadingRow(0, "high", 1500, platform="nowhere"), ReadingRow(HOUR, "high", 1600)]
    word = _word(0, HOUR, "low", "exempted") | {"platform": "nowhere"}
    words = json_file(tmp_path / "w.jsonl", [word])
    path = parquet_file(tmp_path / "r.parquet", rows)
    found, inputs = scanned(tmp_path, path, words=str(words))
    assert (found.kept_accounts, found.kept_rows) == (1, 2)
    assert {one.followers for _, _, one in inputs if isinstance(one, RestingReading)} == {
        1500,
        1600,
    }
    two = (policy(), policy(platform="douyin"))
    assert scanned(tmp_path, path, words=str(words), policies=two)[0].kept_rows == 2


def test_accounts_are_counted_exactly_where_that_is_said(tmp_path: Path) -> None:
    rows = [ReadingRow(0, f"a{number}", 10) for number in range(5_000)]
    found, _ = scanned(tmp_path, parquet_file(tmp_path / "r.parquet", rows))
    assert (found.exact, found.accounts) == (True, 5_000)


def counting(folder: Path, query: str | None = None) -> AbstractContextManager[Carried]:
    """A block beside which the accounts of three rows are counted, or `query` is done."""

    @contextmanager
    def block() -> Iterator[Carried]:
        rows = [ReadingRow(number, f"a{number}", 10) for number in range(3)]
        asked = run.Asked([("p", policy())], str(parquet_file(folder / "r.parquet", rows)))
        with closing(connect(folder)) as connection:
            it = run._scan(asked, connection, folder)
            found = it.carried()
            assert (found.exact, found.accounts) == (False, 0)
            it._uncounted = query or it._uncounted
            with it.counting(found):
                yield found

    return block()


def test_accounts_of_many_rows_are_counted_while_the_core_is_led(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "EXACT_ROWS", 0)
    with counting(tmp_path) as found:
        pass
    assert found.accounts == 3


def test_a_run_that_is_ended_ends_the_count_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "EXACT_ROWS", 0)
    endless = "SELECT 'weibo', count(*) FROM range(1_000_000_000_000) AS numbers(i) WHERE i % 7 = 1"
    began = time.monotonic()
    with suppress(KeyboardInterrupt), counting(tmp_path, endless):
        time.sleep(0.5)
        raise KeyboardInterrupt
    assert time.monotonic() - began < 20


def test_a_count_that_fails_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "EXACT_ROWS", 0)
    with pytest.raises(duckdb.Error, match="gone"), counting(tmp_path, "SELECT error('gone')"):
        pass


@pytest.mark.parametrize("rows", [0, 5_000_000])
def test_all_accounts_are_kept_where_everybody_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(scan, "EXACT_ROWS", rows)
    path = parquet_file(tmp_path / "r.parquet", [ReadingRow(0, "a1", 1500), ReadingRow(0, "a2", 1)])
    found, inputs = scanned(tmp_path, path, everybody=True)
    assert (found.kept_accounts, found.may_rest) == (2, False)
    assert len([it for _, _, it in inputs if isinstance(it, RestingReading)]) == 2


@pytest.mark.parametrize("rows", [0, 5_000_000])
def test_of_many_rows_those_near_the_line_and_above_the_floor_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """80 per cent of the line may be below the floor, or above it."""
    monkeypatch.setattr(scan, "EXACT_ROWS", rows)
    path = parquet_file(
        tmp_path / "r.parquet", [ReadingRow(0, "a1", 850), ReadingRow(0, "a2", 600)]
    )
    kept = {}
    for ratio in (900_000, 500_000):
        one = policy(stability=stability(exit_ratio_ppm=ratio))
        asked = run.Asked([("p", one)], str(path))
        (tmp_path / f"{ratio}").mkdir()
        with closing(connect(tmp_path)) as connection:
            it = run._scan(asked, connection, tmp_path / f"{ratio}")
            found = it.carried()
            it.keep(found)
            assert near_lines(connection, it.floors.line) == {PLATFORM: [(85, 1)]}
        kept[one.floor] = found.kept_accounts
    assert kept == {900: 0, 500: 2}


def test_what_lies_outside_the_span_is_no_input_and_moves_no_clock(tmp_path: Path) -> None:
    rows = [ReadingRow(at * DAY, "a1", 1500, label="") for at in (0, 3, 5, 20)]
    path = parquet_file(tmp_path / "r.parquet", rows)
    labels = json_file(tmp_path / "l.jsonl", [label("a1", at * DAY) for at in (1, 4, 30)])
    said = [_word(number, at * DAY, "a1", "hold") for number, at in enumerate((2, 4, 40))]
    more = {"labels": str(labels), "words": str(json_file(tmp_path / "w.jsonl", said))}
    span = {"start": START + 3 * DAY, "end": START + 10 * DAY}
    found, inputs = scanned(tmp_path, path, **more, **span)
    assert (found.rows, found.sound, found.kept_rows) == (2, 2, 2)
    # The label of day 1 is known as the span begins.
    assert [at // DAY for at, _, _ in inputs] == [3, 3, 4, 4, 5]
    assert backtested(tmp_path, path, **more, **span)[0].now == START + 5 * DAY
    assert backtested(tmp_path, path, **more)[0].now == START + 40 * DAY
    del more["words"]
    assert backtested(tmp_path, path, **more)[0].now == START + 30 * DAY


def test_a_label_of_nobody_who_matters_and_one_without_a_time_are_no_input(tmp_path: Path) -> None:
    rows = [ReadingRow(0, "a1", 1500, label=""), ReadingRow(0, "low", 10, label="")]
    labels = [label("a1", HOUR), label("low", 50 * DAY), label("a1", 0, observed_at="soon")]
    more = {"labels": str(json_file(tmp_path / "l.jsonl", labels))}
    path = parquet_file(tmp_path / "r.parquet", rows)
    _, inputs = scanned(tmp_path, path, **more)
    assert [(at, key) for at, key, _ in inputs] == [(0, "a1"), (HOUR, b"weibo:a1")]
    assert backtested(tmp_path, path, **more)[0].now == START + HOUR


def test_a_label_that_stays_is_no_input_and_one_that_goes_is_a_tombstone(tmp_path: Path) -> None:
    labels = (FINANCE, FINANCE, "", "", FINANCE)
    rows = [ReadingRow(at * DAY, "a1", 1500, label) for at, label in enumerate(labels)]
    path = parquet_file(tmp_path / "r.parquet", rows)
    _, inputs = scanned(tmp_path, path)
    changed = [
        (at // DAY, it[1].value is None)
        for at, _, it in inputs
        if isinstance(it, tuple) and it[0] == "category-changes"
    ]
    assert changed == [(0, False), (2, True), (4, False)]
    gone = [label("a1", 0), label("a1", 2 * DAY, category="")]
    plain = parquet_file(tmp_path / "p.parquet", [row._replace(label="") for row in rows])
    stated = {"labels": str(json_file(tmp_path / "l.jsonl", gone))}
    for file, more in ((path, {}), (plain, stated)):
        _, said = backtested(tmp_path, file, policy(stability=stability(dwell=0)), **more)
        assert words_of(said)[-1] == "a1 invitation.cancelled label", file


def test_a_reading_with_a_cause_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    """A cause stands in the record as it is: a quotation mark in it would end the value."""
    strange = 'organic","followers":5'
    values = [
        {"platform": PLATFORM, "account_id": "a1", "followers": 1500, "cause": cause}
        | {"observed_at": rfc3339(START + number)}
        for number, cause in enumerate(("correction", "whim", strange))
    ]
    _, inputs = scanned(tmp_path, json_file(tmp_path / "r.jsonl", values))
    assert [one.cause for _, _, one in inputs] == ["correction"]


def test_a_row_without_a_platform_is_counted_among_those_left_out(tmp_path: Path) -> None:
    names = ("observed_at", "platform", "account_id", "followers")
    sound = [rfc3339(START), PLATFORM, "a1", "1500"]
    lines = [names, sound]
    lines += [[*sound[:at], "", *sound[at + 1 :]] for at in range(4)]
    lines.append([*sound[:3], str(10**10 + 1)])
    path = tmp_path / "r.csv"
    path.write_text("".join(",".join(it) + "\n" for it in lines))
    found, _ = scanned(tmp_path, path)
    assert (found.rows, found.sound) == (6, 1)
    assert found.refused == {
        "bad_time": 1,
        "unknown_platform": 1,
        "bad_id": 1,
        "out_of_range": 2,
    }


def test_of_one_instant_answers_come_first_then_labels_then_readings(tmp_path: Path) -> None:
    words = json_file(tmp_path / "w.jsonl", [_word(0, 0, "a1", "exempted")])
    labels = json_file(tmp_path / "l.jsonl", [label("a1", 0)])
    rows = [ReadingRow(0, "a1", 1500, label="")]
    path = parquet_file(tmp_path / "r.parquet", rows)
    _, inputs = scanned(tmp_path, path, words=str(words), labels=str(labels))
    assert [one[0] for _, _, one in inputs[:2]] == ["account-changes", "category-changes"]
    assert isinstance(inputs[2][2], RestingReading)


@pytest.mark.parametrize(("ahead", "may_rest"), [(AHEAD - 1, True), (AHEAD + 1, False)])
def test_where_a_reading_is_ahead_of_its_entry_none_may_rest(
    tmp_path: Path, ahead: int, may_rest: bool
) -> None:
    """The core refuses it, and its guard counts the good readings, too."""
    value = {"platform": PLATFORM, "account_id": "a1", "followers": 1500}
    value |= {"observed_at": rfc3339(START + ahead), "entered_at": rfc3339(START)}
    found, inputs = scanned(tmp_path, json_file(tmp_path / "r.jsonl", [value]))
    assert (found.kept_rows, found.may_rest) == (1, may_rest)
    ((at, _, one),) = inputs
    assert (at, one.seen_at) == (0, START + ahead)


def test_the_first_and_the_last_entry_are_those_of_usable_readings(tmp_path: Path) -> None:
    """Whatever the order of the rows, and whatever else entered on these days or beyond them."""
    good = [5 * DAY + 7, 2 * DAY + HOUR + 3, 2 * DAY + HOUR, 5 * DAY + 9, 3 * DAY]
    rows = [ReadingRow(at, "a1", 1500) for at in good]
    rows += [ReadingRow(at, "a1", -1) for at in (0, 2 * DAY, 5 * DAY + HOUR, 9 * DAY)]
    rows += [ReadingRow(2 * DAY + 1, "a1", 1500, platform="nowhere")]
    for path in (parquet_file(tmp_path / "r.parquet", rows), csv_file(tmp_path / "r.csv", rows)):
        found, _ = scanned(tmp_path, path)
        assert (found.sound, found.rows) == (5, 10)
        assert (found.first, found.last) == (START + 2 * DAY + HOUR, START + 5 * DAY + 9)


def test_an_entry_before_1970_is_no_fault(tmp_path: Path) -> None:
    """Its day is counted towards zero, not downwards."""
    value = {"platform": PLATFORM, "account_id": "a1", "followers": 1500}
    value |= {"observed_at": rfc3339(START), "entered_at": "1969-12-29T12:00:00.001Z"}
    found, _ = scanned(tmp_path, json_file(tmp_path / "r.jsonl", [value]))
    assert found.first == found.last == -(2 * DAY + DAY // 2) + 1


def test_words_are_the_inputs_of_one_shard_alone(tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(9)]
    said = [_word(number, HOUR, name, "exempted") for number, name in enumerate(names)]
    words = json_file(tmp_path / "w.jsonl", said)
    path = csv_file(tmp_path / "r.csv", [ReadingRow(0, name, 1500) for name in names])
    shards = [
        scanned(tmp_path, path, words=str(words), shard=(number, 3))[1] for number in range(3)
    ]
    keys = [
        {key for _, key, it in shard if isinstance(it, tuple) and it[0] == "account-changes"}
        for shard in shards
    ]
    assert sum(map(len, keys)) == len(set().union(*keys)) == 9


def test_hidden_files_of_a_folder_are_passed_over_and_forms_are_not_mixed(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    csv_file(folder / "1.csv", rising("a1"))
    for name in ("_SUCCESS", ".crc"):
        (folder / name).touch()
    assert scanned(tmp_path, folder)[0].sound == len(rising("a1"))
    json_file(folder / "2.jsonl", [])
    with pytest.raises(run.UsageError, match="all of one form"):
        scanned(tmp_path, folder)


@pytest.mark.parametrize("mixed", [False, True])
def test_rows_are_in_the_order_in_which_they_entered(tmp_path: Path, mixed: bool) -> None:
    """Also where the two times have two types."""
    import pyarrow
    from pyarrow import parquet

    seen = [START + 2 * HOUR, START + HOUR]
    entered = [START + 3 * HOUR, START + 4 * HOUR]
    kind = pyarrow.timestamp("ms", "UTC")
    columns = {
        "observed_at": pyarrow.array(seen, pyarrow.int64()).cast(kind),
        "entered_at": pyarrow.array(entered, pyarrow.int64()),
        "platform": [PLATFORM] * 2,
        "account_id": ["a1", "a2"],
        "followers": [1500, 1600],
    }
    if not mixed:
        columns["entered_at"] = columns["entered_at"].cast(kind)
    path = tmp_path / "r.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    _, inputs = scanned(tmp_path, path)
    assert [(at, key) for at, key, _ in inputs] == [(3 * HOUR, "a1"), (4 * HOUR, "a2")]
    assert [one.seen_at for _, _, one in inputs] == seen
