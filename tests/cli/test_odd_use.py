"""Odd ways to call a command: each is a sentence and a documented exit code, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams import cli
from streams.operate.bulk import accounts_in
from streams.operate.lines import STANDARD_INPUT
from streams.policies.warnings import warnings
from tests.cli.conftest import Byline
from tests.core.given import policy

BOM = "\ufeff"
READING = (
    '{"platform": "weibo", "account_id": "%s", "followers": 9,'
    ' "observed_at": "2024-01-01T00:00:00Z"}\n'
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "follower-counts", "--dry-run"),
        ("control", "bulk", "-", "--command", "hold", "--actor", "op.1", "--reason", "test"),
    ],
    ids=["send", "bulk"],
)
def test_a_closed_stdin_is_said(arguments: tuple[str, ...], tmp_path: Path) -> None:
    words = [sys.executable, "-m", "streams", *arguments]
    home = {**os.environ, "BYLINE_DATA_DIR": str(tmp_path)}
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *words]
    done = subprocess.run(shell, capture_output=True, text=True, env=home, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "stdin is closed: name a file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mark_before_the_first_line_is_no_part_of_it(byline: Byline, tmp_path: Path) -> None:
    lines = tmp_path / "marked.jsonl"
    lines.write_text(BOM + READING % "a1" + READING % "a2", encoding="utf-8")
    said = byline("send", "follower-counts", str(lines), "--dry-run")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("2 would be sent")
    alone = tmp_path / "alone.jsonl"
    alone.write_text((BOM + READING % "a1").rstrip(), encoding="utf-8")
    assert byline("send", "follower-counts", str(alone), "--dry-run").code == 0
    inside = tmp_path / "inside.jsonl"
    inside.write_text(READING % "a1" + BOM + READING % "a2", encoding="utf-8")
    assert byline("send", "follower-counts", str(inside), "--dry-run").code == 1
    accounts = tmp_path / "accounts"
    accounts.write_text(f"{BOM}weibo:a1\nweibo:a2\n", encoding="utf-8")
    assert list(accounts_in(accounts)) == ["weibo:a1", "weibo:a2"]
    assert Path("-") == STANDARD_INPUT


@pytest.mark.parametrize(
    "arguments",
    [
        ("backtest", "x.yaml", "--readings", "a.csv", "--readings", "b.csv"),
        ("dead-letters", "dismiss", "--platform", "weibo", "--platform", "douyin"),
        ("audit", "--from-record", "1", "--from-number", "2"),
    ],
    ids=lambda it: it[0],
)
def test_an_option_of_one_value_is_not_given_twice(
    byline: Byline, arguments: tuple[str, ...]
) -> None:
    said = byline(*arguments)
    assert said.code == 2
    assert "is given 2 times, and takes one value" in said.err


def test_what_may_be_repeated_and_flags_are_let_through(byline: Byline) -> None:
    twice = byline("replay", "--partition", "0", "--partition", "x")
    assert "is given 2 times" not in twice.err
    assert byline("settings", "--json", "--json").code == 0


def test_a_data_dir_that_cannot_be_made_is_said(
    byline: Byline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("BYLINE_DATA_DIR", str(file / "data"))
    rule = Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml"
    for arguments in (
        (str(rule), "--readings", "kafka"),
        (str(rule), "--readings", str(file)),
        ("cache", "list"),
    ):
        said = byline("backtest", *arguments)
        assert (said.code, "Traceback" in said.err) == (2, False), said.err
        assert str(file) in said.err


def test_an_interrupt_while_modules_are_imported_ends_quietly(
    byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "program_of", interrupted)
    said = byline("audit")
    assert (said.code, said.out, said.err) == (130, "", "")


def test_a_reference_that_may_be_a_name_is_a_warning() -> None:
    (warning,) = (it for it in warnings(policy(impact_assessment="王伟")) if "impact" in it)
    assert "no name of a person may" in warning
    assert "王伟" not in warning
    assert not [it for it in warnings(policy(impact_assessment="PIA-7")) if "impact" in it]
