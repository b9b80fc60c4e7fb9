"""What no worker accepts reaches no core, in any form of file; what the core refuses is said."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from streams.backtest import files, shards
from streams.backtest.page import page
from streams.backtest.report import report
from streams.backtest.sentences import first_line, tables
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
from tests.backtest.test_unsound_rows import carried, invited, reading
from tests.cli.conftest import Byline
from tests.core.given import DAY, HOUR, PLATFORM, START, rfc3339

MINUTE = 60_000


def unlabelled(folder: Path, *accounts: str) -> Path:
    rows = [it._replace(label="") for name in accounts for it in rising(name)]
    return csv_file(folder / "r.csv", sorted(rows))


def in_turn(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def columns_file(path: Path, rows: list[dict[str, Any]], **columns: Any) -> Path:
    """A Parquet file of these rows, with columns of a stated type in place of theirs."""
    table = pyarrow.Table.from_pylist(rows)
    for name, column in columns.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, column)
    parquet.write_table(table, path)
    return path


# ---- labels --------------------------------------------------------------------------------------


def test_labels_that_a_worker_refuses_stop_no_restriction(tmp_path: Path) -> None:
    """A hundred of them tripped the guard, while the report said that they reach nobody."""
    readings = unlabelled(tmp_path, "a1", "a2")
    good = [label(name, 0) for name in ("a1", "a2")]
    path = json_file(tmp_path / "good.jsonl", good)
    alone, before = backtested(in_turn(tmp_path, "good"), readings, labels=str(path))
    deadline = datetime.fromisoformat(alone.tallies[0].accounts["a1"].deadline)
    at = int(deadline.timestamp() * 1000) - START - HOUR
    odd: list[dict[str, Any]] = [
        {"source": "bogus"},
        {"category": "x" * 65},
        {"valid_until": "12024-01-01T00:00:00Z"},
        {"observed_at": rfc3339(START + at + DAY), "entered_at": rfc3339(START + at)},
        {"account_id": "用户1"},
    ]
    bad = [label("a1", at + it * 1000, **more) for it in range(120) for more in odd]
    path = json_file(tmp_path / "bad.jsonl", [*good, *bad])
    found, said = backtested(in_turn(tmp_path, "bad"), readings, labels=str(path))
    assert words_of(said) == words_of(before)
    assert len([it for it in words_of(said) if "throttle.applied" in it]) == 4
    plain = report(found)
    assert plain["carried"]["labels"]["left_out"] == {
        "bad_id": 120,
        "bad_time": 120,
        "out_of_range": 120,
        "time_ahead": 120,
        "wrong_type": 120,
    }
    assert plain["policies"][0]["refused_by_the_core"] == []


def test_an_odd_source_of_a_removed_label_removes_it_all_the_same(tmp_path: Path) -> None:
    readings = unlabelled(tmp_path, "a1")
    removed = label("a1", 2 * DAY, category="", source="nobody", valid_until="soon")
    labels = json_file(tmp_path / "l.jsonl", [label("a1", 0, source=""), removed])
    found, said = backtested(tmp_path, readings, labels=str(labels))
    assert "a1 invitation.cancelled label" in words_of(said)
    assert report(found)["carried"]["labels"]["left_out"] == {}


@pytest.mark.parametrize("kind", ["double", "decimal", "small", "ns", "naive", "infinite"])
def test_an_end_in_any_type_of_parquet_ends_the_label(tmp_path: Path, kind: str) -> None:
    """As a number with a fraction, which pandas writes where some are missing, it never ended."""
    end = START + 2 * DAY
    column = {
        "double": pyarrow.array([float(end), None], pyarrow.float64()),
        "decimal": pyarrow.array([Decimal(end), None], pyarrow.decimal128(20, 0)),
        "small": pyarrow.array([end, None], pyarrow.uint64()),
        "ns": pyarrow.array([end * 1_000_000, None], pyarrow.timestamp("ns", "UTC")),
        "naive": pyarrow.array([end * 1_000_000, None], pyarrow.timestamp("ns")),
        "infinite": pyarrow.array([float("nan"), None], pyarrow.float64()),
    }[kind]
    labels = [label("a1", 0), label("a2", 0)]
    path = columns_file(tmp_path / "l.parquet", labels, valid_until=column)
    found, said = backtested(tmp_path, unlabelled(tmp_path, "a1", "a2"), labels=str(path))
    ended = [it for it in words_of(said) if "cancelled" in it]
    left_out = report(found)["carried"]["labels"]["left_out"]
    if kind == "infinite":
        assert (ended, left_out, invited(said)) == ([], {"bad_time": 1}, ["a2"])
    else:
        assert (ended, left_out) == (["a1 invitation.cancelled label"], {})
    assert report(found)["carried"]["times_without_offset"] == (kind == "naive")


def test_a_label_in_the_readings_that_is_too_long_changes_no_label(tmp_path: Path) -> None:
    rows = [*rising("a1"), *(ReadingRow(it * DAY + 1, "a1", 1500, "x" * 65) for it in (1, 2))]
    readings = parquet_file(tmp_path / "r.parquet", sorted(rows))
    found, said = backtested(tmp_path, readings)
    plain = report(found)
    assert invited(said) == ["a1"]
    assert not [it for it in words_of(said) if "cancelled" in it]
    assert plain["policies"][0]["refused_by_the_core"] == []
    assert plain["carried"]["labels"]["too_long_in_readings"] == 2
    assert "; 2 readings of these with a label of over 64 characters" in first_line(plain)
    parts = []
    for number in range(2):
        one, _ = backtested(in_turn(tmp_path, str(number)), readings, shard=(number, 2))
        parts.append(tmp_path / f"{number}.json")
        parts[-1].write_text(files.json_text(shards.shard_plain(one, against=False)))
    assert report(shards.merge(parts).found)["carried"] == plain["carried"]


# ---- readings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_reading_with_an_unknown_cause_is_left_out_as_by_a_worker(
    tmp_path: Path, form: str
) -> None:
    """It was taken as organic, and invited whom no worker would."""
    odd = [reading(at * 3600, "a1", 1500, category=FINANCE, cause="bot_purge") for at in range(6)]
    good = [
        reading(at * 3600, "a2", 1500, category=FINANCE, cause=cause)
        for at, cause in enumerate((None, "", "organic", "correction"))
    ]
    rows, path = [*odd, *good], tmp_path / f"r.{form}"
    if form == "parquet":
        columns_file(path, rows)
    elif form == "jsonl":
        json_file(path, rows)
    else:
        names = list(rows[0])
        lines = [",".join(str(it[name] or "") for name in names) for it in rows]
        path.write_text("\n".join([",".join(names), *lines]) + "\n")
    found, said = backtested(tmp_path, path)
    it = report(found)["carried"]
    assert invited(said) == ["a2"]
    assert (it["rows"], it["readings"], it["left_out"]) == (10, 4, {"wrong_type": 6})
    assert it["accounts"] == 1


@pytest.mark.parametrize("kind", ["double", "decimal", "ns", "ns-utc", "us", "date", "small"])
def test_times_in_any_type_of_parquet_are_read(tmp_path: Path, kind: str) -> None:
    days = [START + it * DAY for it in range(4)]
    nanos = [it * 1_000_000 for it in days]
    column = {
        "double": pyarrow.array([float(it) for it in days], pyarrow.float64()),
        "decimal": pyarrow.array([Decimal(it) for it in days], pyarrow.decimal128(20, 0)),
        "ns": pyarrow.array(nanos, pyarrow.timestamp("ns")),
        "ns-utc": pyarrow.array(nanos, pyarrow.timestamp("ns", "UTC")),
        "us": pyarrow.array([it * 1000 for it in days], pyarrow.timestamp("us")),
        "date": pyarrow.array([it // DAY for it in days], pyarrow.int32()).cast(pyarrow.date32()),
        "small": pyarrow.array(days, pyarrow.uint64()),
    }[kind]
    rows = [reading(0, "a1", 1500, category=FINANCE) for _ in days]
    path = columns_file(tmp_path / "r.parquet", rows, observed_at=column)
    found, said = backtested(tmp_path, path)
    it = report(found)["carried"]
    assert START % DAY == 0
    assert (it["readings"], it["left_out"], it["last"]) == (4, {}, rfc3339(days[-1]))
    assert [day for day, _ in it["days"][PLATFORM]] == [rfc3339(one)[:10] for one in days]
    assert it["times_without_offset"] == (4 if kind in ("ns", "us", "date") else 0)
    assert invited(said) == ["a1"]
    far = int(datetime(9998, 1, 1, tzinfo=UTC).timestamp() * 1000)
    again = carried(in_turn(tmp_path, "span"), path, start=days[1], end=far)
    assert (again["rows"], again["readings"]) == (3, 3)


def test_an_entry_in_nanoseconds_goes_with_an_observation_in_another_type(tmp_path: Path) -> None:
    rows = [reading(0, "a1", 1500, category=FINANCE) for _ in range(3)]
    entered = [(START + it * DAY) * 1_000_000 for it in range(3)]
    seen = [(START + it * DAY) * 1000 for it in range(3)]
    path = columns_file(
        tmp_path / "r.parquet",
        rows,
        observed_at=pyarrow.array(seen, pyarrow.timestamp("us", "UTC")),
        entered_at=pyarrow.array(entered, pyarrow.timestamp("ns")),
    )
    it = carried(tmp_path, path)
    assert (it["readings"], it["times_without_offset"]) == (3, 3)


# ---- what is said of it --------------------------------------------------------------------------


def test_what_the_core_refuses_is_said_where_a_person_reads(tmp_path: Path) -> None:
    readings = parquet_file(tmp_path / "r.parquet", rising("a1", days=2))
    words = [_word(it, it * MINUTE, "a1", "hold") | {"reason": "no such"} for it in range(3)]
    found, _ = backtested(tmp_path, readings, words=str(json_file(tmp_path / "w.jsonl", words)))
    plain = report(found)
    assert plain["policies"][0]["refused_by_the_core"] == [["controls", "wrong_type", 3]]
    wanted = ("Refused by the core", ("topic", "reason", "inputs"))
    assert (*wanted, [("controls", "wrong_type", "3")]) in list(tables(plain["policies"][0]))
    assert "; the core itself refused inputs: 3 under p0." in first_line(plain)
    text = page(plain, found.tallies)
    assert "<h3>Refused by the core</h3>" in text
    assert "it counts only what the core itself refuses" in plain["left_out"][0]


def test_merged_shards_do_not_contradict_the_whole_on_refusals(tmp_path: Path) -> None:
    readings = unlabelled(tmp_path, "a1")
    labels = [label("a1", it, source="bogus") for it in range(120)]
    more = {"labels": str(json_file(tmp_path / "l.jsonl", [label("a1", 0), *labels]))}
    whole, _ = backtested(in_turn(tmp_path, "whole"), readings, policy(guards=None), **more)
    parts = []
    for number in range(2):
        place = in_turn(tmp_path, str(number))
        one, _ = backtested(place, readings, policy(guards=None), shard=(number, 2), **more)
        parts.append(tmp_path / f"{number}.json")
        parts[-1].write_text(files.json_text(shards.shard_plain(one, against=False)))
    assert report(shards.merge(parts).found) == report(whole)


def test_a_span_is_the_population_of_each_number_or_the_sentence_says_so(tmp_path: Path) -> None:
    rows = [reading(0) | {"observed_at": f"2024-01-0{it} 00:00:00"} for it in range(1, 9)]
    labels = [label("low", it * DAY, source="bogus") for it in range(8)]
    more = {"labels": str(json_file(tmp_path / "l.jsonl", labels))}
    readings = json_file(tmp_path / "r.jsonl", rows)
    start, end = (int(datetime(2024, 1, it, tzinfo=UTC).timestamp() * 1000) for it in (3, 5))
    found, _ = backtested(tmp_path, readings, start=start, end=end, **more)
    it = report(found)["carried"]["labels"]
    known = sum(START + at * DAY < end for at in range(8))
    assert 0 < known < 8
    assert (it["rows"], it["left_out"]) == (known, {"wrong_type": known})
    said = first_line(report(found))
    assert f"; {known} rows of labels up to the end (left out: {known} wrong_type)" in said
    assert said.endswith("; 8 times of the whole files state no offset and are taken as UTC.")


def test_the_terminal_says_in_which_mode_somebody_would_be_restricted(
    byline: Byline, tmp_path: Path
) -> None:
    shipped = Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml"
    rows = [it._replace(followers=9_000_000) for it in rising("a1", days=60)]
    readings = str(parquet_file(tmp_path / "r.parquet", rows))
    text = shipped.read_text().replace("answer_window: null", "answer_window: P3D")
    (tmp_path / "weibo.yaml").write_text(text)
    out = byline("backtest", str(tmp_path / "weibo.yaml"), "--readings", readings).out
    lines = out[out.index("Who would be restricted") :].splitlines()
    place = next(at for at, it in enumerate(lines) if it.startswith("account"))
    headings, first = lines[place : place + 2]
    assert headings.split() == ["account", "surface", "level", "mode", "until"]
    assert first.split()[3] == "shadow"


# ---- messages ------------------------------------------------------------------------------------


def test_a_span_that_ends_before_it_begins_is_named(byline: Byline, tmp_path: Path) -> None:
    readings = parquet_file(tmp_path / "r.parquet", rising("a1", days=2))
    wanted = r"--from 2024-\S+ is not before --to 2023-\S+, so no row can be between them"
    with pytest.raises(UsageError, match=wanted):
        backtested(tmp_path, readings, start=1_709_251_200_000, end=1_700_000_000_000)
    shipped = str(Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml")
    span = ("--from", "2024-03-01T00:00:00Z", "--to", "2024-02-01T00:00:00Z")
    done = byline("backtest", shipped, "--readings", "kafka", *span)
    assert (done.code, "is not before --to" in done.err) == (2, True)


def test_times_that_nobody_can_read_are_blamed_on_their_own_column(tmp_path: Path) -> None:
    rows = [reading(0) | {"observed_at": "soon"}]
    with pytest.raises(UsageError, match=r"look at the column observed_at$"):
        backtested(tmp_path, json_file(tmp_path / "r.jsonl", rows))


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.csv.gz", "r.jsonl.gz"])
@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(UsageError, match=r"r\.\S+: empty: it has no observed_at and no row"):
        backtested(tmp_path, path)


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
@pytest.mark.parametrize("option", ["readings", "words"])
def test_a_line_that_is_no_json_is_named_by_its_number(
    tmp_path: Path, name: str, option: str
) -> None:
    good = reading(0) if option == "readings" else _word(0, 0, "a1", "hold")
    text = f"{json.dumps(good)}\n\n{json.dumps(good)[:-9]}\n".encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    readings = parquet_file(tmp_path / "r.parquet", rising("a1", days=1))
    more = {} if option == "readings" else {"words": str(path)}
    with pytest.raises(UsageError, match=rf"cannot be read: \S+{name}, line 3: no JSON \("):
        backtested(tmp_path, path if option == "readings" else readings, **more)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "it is no JSON object"),
        ('{"a": 1}', "it has no form"),
        ('{"form": "byline-backtest/1"}', "it is a whole report"),
        ('{"form": "x"}', "its form is 'x', not 'byline-backtest-shard/1'"),
        ('{"form": "byline-backtest-shard/1"}', "it has no 'carried'"),
        (b"\xff", "it is no JSON ("),
    ],
)
def test_what_is_no_shard_is_said_in_words(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = tmp_path / "0.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError) as caught:
        shards.merge([path])
    assert str(caught.value).startswith(f"{path}: not a shard of a backtest: {words}")


@pytest.mark.parametrize("number", [[1], [True, 2], ["0", 2], [2, 2], 1, None])
def test_a_shard_without_its_number_is_refused(tmp_path: Path, number: Any) -> None:
    parts: dict[str, Any] = {"run": {}, "carried": {}, "crossings": {}, "tallies": []}
    path = tmp_path / "0.json"
    path.write_text(json.dumps({"form": shards.FORM, "shard": number, **parts}))
    with pytest.raises(UsageError, match="its 'shard' is not a number and how many there are"):
        shards.merge([path])
    path.write_text(json.dumps({"form": shards.FORM, "shard": [0, 1], **parts}))
    with pytest.raises(UsageError, match="this version cannot merge these shards"):
        shards.merge([path])
