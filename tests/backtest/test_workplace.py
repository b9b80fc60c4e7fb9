"""Folders of runs and files that are written: nothing is left, nothing is overwritten."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.backtest import files
from streams.backtest.run import Asked, run, workplace
from streams.operate.errors import UsageError
from tests.backtest.given import parquet_file, policy, rising
from tests.core.given import DAY, START

HOLDING = """
import sys, time
from pathlib import Path
from streams.backtest.run import workplace
with workplace(Path(sys.argv[1])) as place:
    (place / "readings").write_text("of somebody")
    print(place, flush=True)
    time.sleep(60)
"""


def test_the_folder_of_a_run_that_was_killed_goes_with_the_next_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        place = Path(running.stdout.readline().strip())
        with workplace(tmp_path) as mine:
            assert place.exists()
            assert mine != place
        running.kill()
        running.wait()
    assert (place / "readings").exists()
    with workplace(tmp_path) as mine:
        assert os.listdir(tmp_path) == [mine.name]
    assert os.listdir(tmp_path) == []


def test_a_now_that_is_too_early_is_refused_before_the_core_runs(tmp_path: Path) -> None:
    readings = parquet_file(tmp_path / "r.parquet", rising("a1"))
    asked = Asked([("p", policy())], str(readings), now=START + DAY)
    said: list[object] = []
    with pytest.raises(UsageError, match="--now is before the last row"):
        run(asked, tmp_path / "work", watch=lambda *one: said.append(one))
    assert said == []


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    """As root a device was replaced by a file: `--csv /dev/null`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    files.writable([pipe])
    files.write(pipe, "report")
    assert reader.communicate(timeout=30)[0] == b"report"
    assert pipe.is_fifo()


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    files.write(link, "new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")


def test_a_file_that_is_read_is_not_written(tmp_path: Path) -> None:
    for name in ("r.csv", "s.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "r.csv")
    for inputs in (tmp_path / "r.csv", tmp_path, f"{tmp_path}/*.csv", tmp_path / "link"):
        with pytest.raises(UsageError, match=r"r\.csv is read by this backtest"):
            files.writable([tmp_path / "r.csv"], [None, inputs])
    files.writable([tmp_path / "s.csv", tmp_path / "new"], [tmp_path / "r.csv"])
    with pytest.raises(UsageError, match="is named twice"):
        files.writable([tmp_path / "new", tmp_path / "new"])


def test_a_folder_without_the_right_to_write_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match="no right to write there"):
        files.writable([tmp_path / "new"])
