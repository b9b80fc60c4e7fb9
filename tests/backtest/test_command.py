"""The command as a person meets it: widths, files, refusals, Ctrl-C."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from streams.backtest.cache import Manifest
from streams.settings_checks import variable
from tests.backtest.given import ReadingRow, csv_file, rising
from tests.cli.conftest import Byline
from tests.core.given import DAY, HOUR

SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path / "data"))


def _history(path: Path) -> Path:
    rows = [row._replace(followers=row.followers * 1000) for row in rising("a1", step=HOUR * 12)]
    return csv_file(path, [*rows, ReadingRow(3 * DAY, "a2", 480_000)])


def test_a_shipped_policy_is_led_through_a_file_and_written_in_every_form(
    byline: Byline,
    tmp_path: Path,
) -> None:
    readings = _history(tmp_path / "r.csv.gz")
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    answer = byline(
        *("backtest", str(SHIPPED / "weibo.yaml"), "--readings", str(readings)),
        *(word for name, file in files.items() for word in (f"--{name}", str(file))),
    )
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith("The data carry 26 readings of 2 accounts")
    assert "1 accounts invited" in answer.out
    found = json.loads(files["json"].read_text())
    assert found["form"] == "byline-backtest/1"
    assert found["policies"][0]["stages"]["invitation.issued"] == 1
    (row,) = csv.DictReader(files["csv"].open())
    assert (row["account_id"], row["last_event"]) == ("a1", "invitation.delivered")
    assert files["html"].read_text().startswith("<!doctype html>")
    assert all(file.stat().st_mode & 0o077 == 0 for file in files.values())


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_keeps_to_the_width_of_the_terminal(
    byline: Byline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    readings = _history(tmp_path / "r.csv")
    answer = byline("backtest", str(SHIPPED / "weibo.yaml"), "--readings", str(readings))
    tables = answer.out.split("\n\n")[1:-1]
    assert len(tables) >= 3
    assert max(len(line.rstrip()) for table in tables[1:] for line in table.splitlines()) <= width


def test_the_report_is_the_same_every_time(byline: Byline, tmp_path: Path) -> None:
    readings = _history(tmp_path / "r.csv")
    words = ("backtest", str(SHIPPED / "weibo.yaml"), "--readings", str(readings), "--json", "-")
    assert byline(*words).out == byline(*words).out


def test_against_another_version_says_only_what_changes(
    byline: Byline,
    tmp_path: Path,
) -> None:
    readings = _history(tmp_path / "r.csv")
    other = tmp_path / "weibo.yaml"
    text = (SHIPPED / "weibo.yaml").read_text()
    other.write_text(text.replace("财经: finance", "财经趣闻: finance"))
    words = ("backtest", str(SHIPPED / "weibo.yaml"), "--against", str(other))
    files = ("--csv", str(tmp_path / "c.csv"), "--html", str(tmp_path / "c.html"))
    answer = byline(*words, "--readings", str(readings), *files)
    assert answer.code == 0
    page = (tmp_path / "c.html").read_text()
    assert "1 invited under" in page
    assert "accounts invited" not in page
    (row,) = csv.DictReader((tmp_path / "c.csv").open())
    assert (row["what"], row["account_id"], row["reason"]) == ("invited", "a1", "over_line")
    same = byline(*words[:2], "--against", str(_copy(other, text)), "--readings", str(readings))
    assert "Nothing changes from" in same.out


def _copy(beside: Path, text: str) -> Path:
    path = beside.with_name("copy.yaml")
    path.write_text(text)
    return path


def test_wrong_use_is_said_before_anything_is_read(byline: Byline, tmp_path: Path) -> None:
    weibo, douyin = (str(SHIPPED / f"{name}.yaml") for name in ("weibo", "douyin"))
    readings = ("--readings", str(tmp_path / "none.csv"))
    for words, message in (
        ((weibo, *readings), "there is no such file"),
        ((weibo, weibo, *readings), "the same policy file is named twice"),
        ((weibo, "--against", douyin, *readings), "weibo and douyin are two platforms"),
        ((weibo, douyin, "--against", douyin, *readings), "name one before it"),
        ((weibo, *readings, "--csv", str(tmp_path / "no" / "x.csv")), "name a file in a folder"),
        ((weibo, *readings, "--from", "yesterday"), "--from yesterday: not a time"),
    ):
        answer = byline("backtest", *words)
        assert (answer.code, message in answer.err) == (2, True), answer.err


def test_without_the_packages_it_says_what_to_install(
    byline: Byline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    readings = _history(tmp_path / "r.csv")
    answer = byline("backtest", str(SHIPPED / "weibo.yaml"), "--readings", str(readings))
    assert answer.code == 2
    assert "pip install '.[backtest]'" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize("after_seconds", [0.0, 0.1, 0.8])
def test_ctrl_c_leaves_nothing_half_written_and_says_how_to_go_on(
    tmp_path: Path, after_seconds: float
) -> None:
    rows = [ReadingRow(n * 1000, f"a{n % 50}", 900_000 + n % 200_000) for n in range(150_000)]
    readings = csv_file(tmp_path / "r.csv", rows)
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "streams", "backtest", str(SHIPPED / "weibo.yaml")]
    command += ["--readings", str(readings), "--json", str(out)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    work = tmp_path / "data" / "backtest"
    deadline = time.monotonic() + 60
    while not (work.exists() and os.listdir(work)) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(after_seconds)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    # A process that ends by the signal itself is 130 to a shell as well.
    assert running.returncode in (130, -signal.SIGINT), said
    assert "no report was written; run the same command again" in said
    assert not out.exists()
    assert os.listdir(work) == []


LOADING = """
import os, signal, sys
from pathlib import Path

class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name in ("_duckdb", "pyarrow.lib"):
            os.kill(os.getpid(), signal.SIGINT)

# Whoever runs the tests in the background may have left SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Pressed())
from streams.backtest.columns import connect
try:
    connect(Path())
except KeyboardInterrupt:
    print("stopped, with", *(it for it in ("_duckdb", "pyarrow.lib") if it in sys.modules))
"""


def test_ctrl_c_while_duckdb_and_arrow_are_loaded_waits_for_the_end_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "stopped, with _duckdb pyarrow.lib\n"), done.stderr


def test_the_cache_is_listed_and_cleared_and_nothing_else(byline: Byline) -> None:
    assert byline("backtest", "cache", "list").out == "0 topics in the cache\n"
    assert byline("backtest", "cache", "clear").out == "0 topics removed from the cache\n"
    wrong = byline("backtest", "cache", "burn")
    assert (wrong.code, "cache list` or `byline backtest cache clear" in wrong.err) == (2, True)
    missing = byline("backtest", str(SHIPPED / "weibo.yaml"))
    assert (missing.code, "--readings is missing" in missing.err) == (2, True)


def test_a_cache_that_nobody_goes_on_with_for_a_month_goes_with_the_next_run(
    byline: Byline, tmp_path: Path
) -> None:
    place = tmp_path / "data" / "backtest" / "cache" / "byline.follower-counts-0123456789ab"
    place.mkdir(parents=True)
    manifest = place / "manifest.json"
    manifest.write_text(json.dumps(asdict(Manifest("byline.follower-counts", "c", "t"))))
    readings = _history(tmp_path / "r.csv")
    words = ("backtest", str(SHIPPED / "weibo.yaml"), "--readings", str(readings))
    for days, kept in ((29, True), (31, False)):
        at = time.time() - days * 86_400
        os.utime(manifest, (at, at))
        assert byline(*words).code == 0
        assert place.exists() is kept
