"""Rows that a worker would refuse are left out and counted, whatever form their file has."""

import csv
import gzip
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from streams.backtest import files, shards
from streams.backtest.report import report
from streams.backtest.sentences import first_line
from streams.core.model.policy import Phase
from streams.operate.errors import UsageError
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

MANY = 25_000
"""More rows than DuckDB looks at before it decides on types and columns."""


def reading(number: int, account: str = "low", followers: Any = 5, **more: Any) -> dict[str, Any]:
    """A reading as JSON, `number` seconds after START."""
    at = rfc3339(START + number * 1000)
    base = {"observed_at": at, "platform": PLATFORM, "account_id": account, "followers": followers}
    return base | more


def table(path: Path, columns: Iterable[str], *rows: Iterable[Any]) -> Path:
    """A CSV file of any columns."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def invited(said: Iterable[Any]) -> list[str]:
    """The accounts that were invited, in order."""
    return [it.split()[0] for it in words_of(said) if " invitation.issued " in it]


def carried(folder: Path, *asked: Any, **more: Any) -> dict[str, Any]:
    """What the report says of the data."""
    found: dict[str, Any] = report(backtested(folder, *asked, **more)[0])["carried"]
    return found


# ---- JSON lines ---------------------------------------------------------------------------------


def test_a_label_that_first_stands_in_a_late_row_of_json_is_read(tmp_path: Path) -> None:
    rows = [reading(number) for number in range(MANY)]
    rows += [reading(MANY + at * 3600, "big", 1500, category=FINANCE) for at in range(4)]
    _, said = backtested(tmp_path, json_file(tmp_path / "r.jsonl", rows))
    assert invited(said) == ["big"]


def test_an_end_that_first_stands_in_a_late_row_of_labels_is_read(tmp_path: Path) -> None:
    labels = [label(f"low{number}", 0) for number in range(MANY)]
    labels.append(label("a1", 0, valid_until=rfc3339(START + 2 * DAY)))
    readings = csv_file(tmp_path / "r.csv", [it._replace(label="") for it in rising("a1")])
    more = {"labels": str(json_file(tmp_path / "l.jsonl", labels))}
    _, said = backtested(tmp_path, readings, **more)
    assert "a1 invitation.cancelled label" in words_of(said)


def test_ids_of_json_stay_as_they_are_written(tmp_path: Path) -> None:
    name = "0A1B2C3D-0000-4000-8000-00000000000F"
    rows = [reading(at * 3600, name, 1500, category=FINANCE) for at in range(4)]
    _, said = backtested(tmp_path, json_file(tmp_path / "r.jsonl", rows))
    assert invited(said) == [name]


def test_one_odd_count_in_a_late_row_of_json_is_left_out_and_refuses_no_file(
    tmp_path: Path,
) -> None:
    rows = [reading(number) for number in range(MANY)]
    rows += [reading(MANY, followers=odd) for odd in ("many", 12.5, True, None, {"n": 1}, 1e6)]
    found = carried(tmp_path, json_file(tmp_path / "r.jsonl", rows))
    assert (found["readings"], found["left_out"]) == (MANY + 1, {"out_of_range": 5})


def test_a_json_file_without_a_column_says_which_there_are(tmp_path: Path) -> None:
    rows = [{"observed_at": rfc3339(START), "platform": PLATFORM, "account_id": "a", "fans": 5}]
    with pytest.raises(UsageError, match=r"no column followers; there are .*fans"):
        backtested(tmp_path, json_file(tmp_path / "r.jsonl", rows))


# ---- counts, ids, times -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_count_with_a_fraction_is_no_count(tmp_path: Path, form: str) -> None:
    """It rounded to the line."""
    counts = ["999.5", "1e3", "1000.0", "1000"]
    rows = [reading(at * 3600, f"a{at}", one) for at, one in enumerate(counts)]
    path = tmp_path / f"r.{form}"
    if form == "jsonl":
        json_file(path, rows)
    elif form == "parquet":
        numbers = [it | {"followers": float(it["followers"])} for it in rows]
        parquet.write_table(pyarrow.Table.from_pylist(numbers), path)
    else:
        plain = table(tmp_path / "plain", rows[0], *(it.values() for it in rows)).read_bytes()
        path.write_bytes(gzip.compress(plain) if form == "csv.gz" else plain)
    found = carried(tmp_path, path)
    assert (found["readings"], found["left_out"]) == (3, {"out_of_range": 1})


@pytest.mark.parametrize("rows", [0, 5_000_000])
def test_accounts_whose_id_no_worker_accepts_are_counted_and_in_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr("streams.backtest.scan.EXACT_ROWS", rows)
    given = [*rising("a1", days=2), *rising("用户1", days=1), *rising("x" * 65, days=1)]
    given += [ReadingRow(at * DAY, "用户1", 5) for at in (-3, 9)]
    readings = parquet_file(tmp_path / "r.parquet", sorted(given))
    plain = report(backtested(tmp_path, readings)[0])
    found = plain["carried"]
    assert found["left_out"] == {"bad_id": 12}
    assert (found["rows"], found["readings"]) == (21, 9)
    assert (found["first"], found["last"]) == (rfc3339(START), rfc3339(START + 2 * DAY))
    assert sum(n for _, n in found["days"][PLATFORM]) == 9
    assert plain["policies"][0]["near_the_line"]["percent_and_accounts"] == [[120, 1]]
    if rows:
        assert found["accounts"] == 1


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "odd"])
def test_times_without_an_offset_are_said(tmp_path: Path, form: str) -> None:
    times = ["2024-01-01 00:00:00", "2024-01-01T01:00:00", "2024-01-01", "2024-01-01T00:00:00Z"]
    times += ["2024-01-01 08:00:00+08", "2024-01-01T00:00:00.5-03:00", "2024-01-01T00+08:00"]
    rows = [reading(0) | {"observed_at": at} for at in times]
    path = tmp_path / f"r.{'csv' if form == 'odd' else form}"
    if form == "jsonl":
        json_file(path, rows)
    elif form == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        table(path, rows[0], *(it.values() for it in rows))
        path.write_text(path.read_text().replace(",", "\t" if form == "odd" else ","))
    plain = report(backtested(tmp_path, path)[0])
    assert plain["carried"]["times_without_offset"] == 3
    assert "; 3 times state no offset and are taken as UTC." in first_line(plain)


def test_timestamps_of_parquet_without_a_zone_are_said(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    kind = pyarrow.timestamp("us")
    rows = pyarrow.Table.from_pylist([reading(0)] * 2)
    times = pyarrow.array([START * 1000] * 2, kind)
    parquet.write_table(rows.set_column(0, "observed_at", times), path)
    assert carried(tmp_path, path)["times_without_offset"] == 2


@pytest.mark.parametrize("column", ["observed_at", "entered_at"])
def test_a_row_of_the_future_moves_no_clock(tmp_path: Path, column: str) -> None:
    """One date of 9999 let all windows pass."""
    rows = [(*it.line(), it.line()[0]) for it in rising("a1", days=2)]
    names = ["observed_at", "platform", "account_id", "followers", "category", "entered_at"]
    odd = dict(zip(names, rows[-1], strict=True)) | {column: "9999-12-31T00:00:00Z"}
    if column == "observed_at":
        odd["entered_at"] = odd["observed_at"]
    labels = [label("a1", 0), label("a1", 0, observed_at="2999-01-01T00:00:00Z")]
    said = [_word(0, 999 * 365 * DAY, "a1", "hold")]
    found, _ = backtested(
        tmp_path,
        table(tmp_path / "r.csv", names, *rows, odd.values()),
        labels=str(json_file(tmp_path / "l.jsonl", labels)),
        words=str(json_file(tmp_path / "w.jsonl", said)),
    )
    assert found.now == START + 2 * DAY
    plain = report(found)["carried"]
    assert plain["left_out"] == {"time_ahead": 1}
    assert plain["labels"] == {
        "rows": 2,
        "left_out": {"time_ahead": 1},
        "of_accounts_that_matter": 1,
        "too_long_in_readings": 0,
    }


def test_a_stated_now_is_the_present(tmp_path: Path) -> None:
    ahead = int(time.time() * 1000) - START + 30 * DAY
    rows = [ReadingRow(ahead + at * HOUR, "a1", 1500) for at in range(3)]
    readings = parquet_file(tmp_path / "r.parquet", [ReadingRow(0, "low", 5), *rows])
    assert carried(tmp_path, readings)["left_out"] == {"time_ahead": 3}
    (tmp_path / "again").mkdir()
    found = carried(tmp_path / "again", readings, now=START + ahead + DAY)
    assert found["left_out"] == {}


def test_a_row_without_a_time_is_counted_where_a_span_is_asked_for_too(tmp_path: Path) -> None:
    rows = [reading(0), reading(0) | {"observed_at": "soon"}, reading(9 * 86_400)]
    path = json_file(tmp_path / "r.jsonl", rows)
    found = carried(tmp_path, path, start=START, end=START + DAY)
    assert (found["rows"], found["left_out"]) == (2, {"bad_time": 1})


def test_an_empty_file_of_timestamps_is_said_to_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    rows = pyarrow.Table.from_pylist([reading(0)])
    times = pyarrow.array([START * 1000], pyarrow.timestamp("us", "UTC"))
    parquet.write_table(rows.set_column(0, "observed_at", times).slice(0, 0), path)
    with pytest.raises(UsageError, match="no reading of weibo that can be used"):
        backtested(tmp_path, path)


def test_a_file_that_is_cut_is_said_to_be_unreadable(tmp_path: Path) -> None:
    whole = csv_file(tmp_path / "whole.csv.gz", [ReadingRow(n, f"a{n}", 5) for n in range(90_000)])
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"--readings .*cut\.csv\.gz: cannot be read: "):
        backtested(tmp_path, cut)


# ---- labels and words ---------------------------------------------------------------------------


def test_labels_that_cannot_be_used_are_counted_and_take_no_label_away(tmp_path: Path) -> None:
    """A time that nobody can read was taken as a removal, or as a label without an end."""
    labels = [
        label("a1", 0),
        label("a1", 3 * DAY, observed_at="soon", entered_at=rfc3339(START + 3 * DAY)),
        label("a1", 4 * DAY, category="日常生活", valid_until="for ever"),
        label("a1", 4 * DAY, category="日常生活", valid_until="1999-01-01T00:00:00Z"),
        label("a1", 5 * DAY, platform="nowhere"),
        label("low", 0),
    ]
    rows = [it._replace(label="") for it in rising("a1")]
    readings = csv_file(tmp_path / "r.csv", [*rows, ReadingRow(0, "low", 5, "")])
    for name in ("l.jsonl", "l.csv"):
        path = tmp_path / name
        if name == "l.csv":
            names = sorted({it for one in labels for it in one})
            table(path, names, *([one.get(it, "") for it in names] for one in labels))
        else:
            json_file(path, labels)
        (tmp_path / name[2:]).mkdir()
        found, said = backtested(tmp_path / name[2:], readings, labels=str(path))
        assert report(found)["carried"]["labels"] == {
            "rows": 6,
            "left_out": {"bad_time": 3, "unknown_platform": 1},
            "of_accounts_that_matter": 1,
            "too_long_in_readings": 0,
        }
        assert invited(said) == ["a1"]
        assert not [it for it in words_of(said) if "cancelled" in it]
        assert (
            "6 rows of labels (left out: 3 bad_time, 1 unknown_platform), 1 of accounts that"
            " matter" in first_line(report(found))
        )


@pytest.mark.parametrize("last", [FINANCE, ""])
def test_the_last_label_from_before_the_span_is_known_as_it_begins(
    tmp_path: Path, last: str
) -> None:
    labels = [label("a1", at * DAY, category=it) for at, it in enumerate(("", FINANCE, last))]
    labels.append(label("a2", 0, category=""))
    rows = [ReadingRow(at * HOUR, it, 1500, "") for at in range(200) for it in ("a1", "a2")]
    readings = parquet_file(tmp_path / "r.parquet", rows)
    more = {"labels": str(json_file(tmp_path / "l.jsonl", labels[::-1]))}
    found, said = backtested(tmp_path, readings, start=START + 4 * DAY, **more)
    assert invited(said) == (["a1"] if last else [])
    assert report(found)["carried"]["labels"]["of_accounts_that_matter"] == 2
    if last:
        (outcome,) = found.tallies[0].accounts.values()
        assert min(it.at for it in outcome.first.values()) >= rfc3339(START + 4 * DAY)


def test_words_of_platforms_without_a_policy_move_no_clock(tmp_path: Path) -> None:
    readings = parquet_file(tmp_path / "r.parquet", rising("a1", days=2))
    said = [_word(0, DAY, "a1", "hold"), _word(1, 99 * DAY, "a9", "hold") | {"platform": "x-y"}]
    found, _ = backtested(tmp_path, readings, words=str(json_file(tmp_path / "w.jsonl", said)))
    assert found.now == START + 2 * DAY
    assert report(found)["carried"]["words"] == {"controls": 1}


# ---- lines --------------------------------------------------------------------------------------


def test_two_variants_are_each_held_to_their_own_line(tmp_path: Path) -> None:
    """Both were counted by the lower of the two."""
    low, high = (
        policy(
            phases=(Phase("first", line, START - DAY, None, None),),
            stability=stability(dwell=0),
        )
        for line in (1_000, 2_000)
    )
    counts = {"a1": [990, 1010, 990, 1010], "a2": [1990, 2010, 1990, 2010]}
    rows = [
        ReadingRow(at * HOUR, name, count)
        for name, every in counts.items()
        for at, count in enumerate(every)
    ]
    readings = parquet_file(tmp_path / "r.parquet", sorted(rows))
    together = report(backtested(tmp_path, readings, low, high)[0])["policies"]
    for number, one in enumerate((low, high)):
        (tmp_path / str(number)).mkdir()
        (alone,) = report(backtested(tmp_path / str(number), readings, one)[0])["policies"]
        names = ("near_the_line", "upward_crossings")
        assert {it: together[number][it] for it in names} == {it: alone[it] for it in names}
    assert [it["upward_crossings"] for it in together] == [{"2": 1}, {"2": 1}]


# ---- what a recording left out ------------------------------------------------------------------


def test_what_a_recording_refused_and_missed_stands_in_the_report(tmp_path: Path) -> None:
    readings = parquet_file(tmp_path / "r.parquet", rising("a1", days=2))
    more = {
        "labels": str(json_file(tmp_path / "l.jsonl", [label("a1", 0)])),
        "refused_before": {"wrong_partition": 2, "bad_id": 1},
        "labels_refused_before": {"key_mismatch": 3},
        "notes": ("the topic is compacted",),
    }
    found, _ = backtested(tmp_path, readings, **more)
    plain = report(found)
    assert plain["carried"]["rows"] == plain["carried"]["readings"] + 3
    assert plain["carried"]["left_out"] == {"wrong_partition": 2, "bad_id": 1}
    assert plain["carried"]["labels"]["rows"] == 4
    assert plain["carried"]["labels"]["left_out"] == {"key_mismatch": 3}
    assert plain["left_out"][-1] == "the topic is compacted"


def test_merged_shards_say_what_a_recording_missed(tmp_path: Path) -> None:
    readings = parquet_file(tmp_path / "r.parquet", rising("a1", days=2))
    paths = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        more = {"shard": (number, 2), "notes": ("the topic is compacted",)}
        found, _ = backtested(tmp_path / str(number), readings, **more)
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(files.json_text(shards.shard_plain(found, against=False)))
    assert shards.merge(paths).found.left_out[0] == "the topic is compacted"
