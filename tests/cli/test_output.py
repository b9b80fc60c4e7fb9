"""Whoever reads what a command says, or nobody: it ends quietly, and says what is no answer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from streams.cli.output import echo_table

ROOT = Path(__file__).parents[2]
BYLINE = f"{sys.executable} -m streams"
TALKS = f"""{sys.executable} -c '
from streams.standard_streams import guarded_standard_streams
with guarded_standard_streams():
    for number in range(10_000):
        print("a line", number)
    open("/dev/null").close()
' """
"""What each command is wrapped in, around one that says more than a pipe holds."""


def shell(line: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BYLINE_")}
    return subprocess.run(
        ["bash", "-c", line],
        env={**kept, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    done = shell(f"{TALKS} | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stdout, done.stderr) == (141, "a line 0\n", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_what_was_closed_before_takes_what_is_said(closed: str) -> None:
    done = shell(f"{TALKS} {closed}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_said() -> None:
    done = shell(f"{TALKS} >/dev/full")
    assert done.returncode == 2
    assert done.stderr == "standard output cannot be written: No space left on device\n"


def test_an_answer_that_nobody_reads_is_no_answer() -> None:
    done = shell(f"{BYLINE} topics acl | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (141, "")


def test_a_complaint_that_cannot_be_written_is_no_traceback() -> None:
    done = shell(f"{BYLINE} policy show nowhere 2>/dev/full")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_folds_and_cuts_nothing(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("streams.cli.output.PLAIN_WIDTH", width)
    account, label = "weibo:" + "a1" * 30, "互联网时事评论" * 4
    echo_table(("account", "label", "says"), [(account, label, "x" * 70), (None, None, None)])
    lines = capsys.readouterr().out.splitlines()
    assert max(cell_len(line) for line in lines) <= width
    said = "".join(lines)
    assert "…" not in said
    assert all(said.count(letter) >= label.count(letter) for letter in label)
    assert said.count("1") == account.count("1")
    assert said.count("x") == 70
