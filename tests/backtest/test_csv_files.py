"""A plain CSV file is read by pyarrow, any other by DuckDB, and both say the same."""

import csv
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from streams.backtest import csv_files
from streams.backtest.columns import READING_COLUMNS, READING_MORE, Columns, connect
from streams.backtest.csv_files import plain_header
from streams.operate.errors import UsageError

HEADER = ("observed_at", "platform", "account_id", "followers", "category")
SOUND = ("2024-01-01T00:00:00.000Z", "weibo", "a1", "12", "财经")
TIMES = [
    "2024-01-01T00:00:00Z",
    "2024-01-01 00:00:00+08:00",
    "2024-01-01T08:00:00.1234567+08:00",
    "1969-12-31T23:59:59.9995Z",
    "2024-01-01T00Z",
    "2024-01-01T00+08:00",
    "2024-01-01",
    "2024-02-30T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "yesterday, about noon, so to speak",
    "",
]
COUNTS = ["0", "007", "12.5", "1e6", "0x1F", " 12 ", "+5", "-3", "n/a", "", "99999999999999999999"]
TEXTS = ["a1", "a 1", 'a"1"', "a,1", "NULL", "nan", "", "钓鱼", "it's", "#1"]


def _text(rows: list[Any], *, quoted: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    text.write(",".join(f'"{it}"' if quoted else it for it in HEADER) + "\n")
    writer.writerows(rows)
    return text.getvalue().encode()


def _read(folder: Path, name: str, *contents: bytes) -> list[tuple[Any, ...]]:
    """The rows as the view has them."""
    place = folder / name
    place.mkdir()
    for number, content in enumerate(contents):
        (place / f"{number}.csv.gz").write_bytes(gzip.compress(content))
    connection = connect(folder)
    try:
        wanted = READING_COLUMNS | READING_MORE
        (folder / f"work-{name}").mkdir()
        Columns(connection, folder / f"work-{name}").view("r", "--readings", str(place), wanted)
        return connection.execute("SELECT * FROM r ORDER BY row").fetchall()
    finally:
        connection.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([SOUND[0], *TIMES]),
            st.sampled_from(["weibo", "douyin", ""]),
            st.sampled_from(TEXTS),
            st.sampled_from(["5", *COUNTS]),
            st.sampled_from(TEXTS),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_pyarrow_reads_is_what_duckdb_reads(rows: list[Any]) -> None:
    rows = [SOUND, *rows]
    with TemporaryDirectory() as name:
        plain, other = (_read(Path(name), str(it), _text(rows, quoted=it)) for it in (False, True))
    assert plain == other


@pytest.mark.parametrize("column", range(5))
def test_odd_values_in_one_column_change_no_other(tmp_path: Path, column: int) -> None:
    rows: list[tuple[str, ...]] = [SOUND]
    # A line that begins with # makes DuckDB look for comments.
    for odd in (*TIMES, *COUNTS, *TEXTS[:-1]):
        row = list(SOUND)
        row[column] = odd
        rows += [tuple(row), SOUND]
    plain, other = (_read(tmp_path, str(it), _text(rows, quoted=it)) for it in (False, True))
    assert plain == other


def test_several_files_count_on_and_a_missing_column_is_empty(tmp_path: Path) -> None:
    rows = [SOUND] * 3
    short = b"observed_at,platform,account_id,followers\n2024-01-02T00:00:00Z,weibo,a2,7\n"
    found = _read(tmp_path, "both", _text(rows, quoted=False), short, _text(rows, quoted=False))
    assert [it[0] for it in found] == list(range(7))
    assert [it[-2] for it in found] == ["财经"] * 3 + [None] + ["财经"] * 3


def test_another_dialect_and_a_ragged_file_are_left_to_duckdb(tmp_path: Path) -> None:
    tabs = _text([SOUND], quoted=False).replace(b",", b"\t")
    single = _text([SOUND], quoted=False).replace(b"weibo", b"'weibo'")
    odd = (
        tabs,
        single,
        b"",
        b"\xff\xfe",
        b'a,"b"\n',
        b"a,b\n'x,y',z\n",
        b"a,b\n#x\n",
        b"a,b\n\0\n",
    )
    for number, content in enumerate((*odd, b"a,b,a\n1,2,3\n")):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(content)
        assert plain_header([str(path)]) is None, content
    (tmp_path / "no.csv.gz").write_bytes(_text([SOUND], quoted=False))
    assert plain_header([str(tmp_path / "no.csv.gz")]) is None
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(_text([SOUND] * 99, quoted=False))[:40])
    assert plain_header([str(tmp_path / "cut.csv.gz")]) is None
    assert _read(tmp_path, "tabs", tabs) == _read(tmp_path, "plain", _text([SOUND], quoted=False))
    ragged = _text([SOUND, (*SOUND, "one", "two")], quoted=False)
    assert plain_header([str(tmp_path / "plain" / "0.csv.gz")]) == list(HEADER)
    with pytest.raises(UsageError, match="--readings"):
        _read(tmp_path, "ragged", ragged)


def test_a_line_feed_inside_quotes_is_part_of_the_value(tmp_path: Path) -> None:
    rows = [SOUND, (*SOUND[:4], "two\nlines"), SOUND]
    plain, other = (_read(tmp_path, str(it), _text(rows, quoted=it)) for it in (False, True))
    assert plain == other


def test_a_file_with_a_byte_order_mark_is_read_fast_too(tmp_path: Path) -> None:
    path = tmp_path / "marked.csv"
    path.write_bytes(b"\xef\xbb\xbf" + _text([SOUND], quoted=False))
    assert plain_header([str(path)]) == list(HEADER)


def test_many_rows_are_written_in_groups_and_each_of_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "_GROUP", 4)
    parts = [
        _text([(*SOUND[:3], str(10 * n + i), "财经") for i in range(3)], quoted=False)
        for n in range(5)
    ]
    found = _read(tmp_path, "parts", *parts)
    assert [it[-3] for it in found] == [10 * n + i for n in range(5) for i in range(3)]
    written = tmp_path / "work-parts" / "r-plain.parquet"
    assert parquet.ParquetFile(written).num_row_groups == 3


def test_half_a_conversion_is_not_left_beside_the_whole_one(tmp_path: Path) -> None:
    """The rows after the first million bytes are not plain: what stands before is written."""
    ragged = _text([SOUND] * 30_000, quoted=False) + b"1,2,3,4,5,6\n"
    with pytest.raises(UsageError):
        _read(tmp_path, "ragged", ragged)
    assert list((tmp_path / "work-ragged").iterdir()) == []


def test_a_column_of_times_in_which_nothing_stands_is_empty(tmp_path: Path) -> None:
    rows = [("", *SOUND[1:])] * 2
    plain, other = (_read(tmp_path, str(it), _text(rows, quoted=it)) for it in (False, True))
    assert plain == other
    assert [it[1] for it in plain] == [None, None]
