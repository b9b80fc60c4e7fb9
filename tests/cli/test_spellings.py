"""Options by the spelling of today and by that of before; version and completion."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Byline

SAID = ("--actor", "op-1", "--reason", "test")


@pytest.fixture
def accounts(tmp_path: Path) -> str:
    file = tmp_path / "accounts"
    file.write_text("weibo:a\nweibo:b\nweibo:c\n")
    return str(file)


@pytest.mark.parametrize("option", ["--max-accounts", "--at-most"])
def test_a_bulk_is_limited_by_either_spelling(byline: Byline, accounts: str, option: str) -> None:
    said = byline("control", "bulk", accounts, "--command", "hold", *SAID, option, "2")
    assert said.code == 2
    assert "3 accounts are named, --max-accounts allows 2" in said.err


@pytest.mark.parametrize("option", ["--from-record", "--from-number"])
def test_a_chain_is_verified_from_a_record_by_either_spelling(byline: Byline, option: str) -> None:
    said = byline("audit", option, "7")
    assert said.code == 2
    assert "--from-record goes with --chain" in said.err


@pytest.mark.parametrize("option", ["--within-hours", "--within"])
def test_a_work_list_reaches_as_far_by_either_spelling(byline: Byline, option: str) -> None:
    said = byline("worklist", "pending", option, "-1")
    assert said.code == 2
    assert "'--within-hours'" in said.err


@pytest.mark.parametrize("option", ["--within-seconds", "--within"])
def test_a_switch_waits_as_long_by_either_spelling(byline: Byline, option: str) -> None:
    said = byline("switch", "adverse-off", "on", "--scope", "weibo", *SAID, option, "0")
    assert said.code == 2
    assert "'--within-seconds'" in said.err


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (("control", "bulk"), "--at-most"),
        (("audit",), "--from-number"),
        (("worklist",), "--within "),
        (("switch", "adverse-off"), "--within "),
    ],
)
def test_a_spelling_of_before_is_not_shown(
    byline: Byline, path: tuple[str, ...], hidden: str
) -> None:
    assert hidden not in byline(*path, "--help").out


def test_the_program_says_its_version(byline: Byline) -> None:
    said = byline("--version")
    assert (said.code, said.out) == (0, f"byline {version('byline')}\n")


@pytest.mark.slow
def test_a_shell_completes_commands() -> None:
    words = {"_BYLINE_COMPLETE": "complete_bash", "COMP_WORDS": "byline dead", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "streams"],
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["dead-letters"], done.stderr


@pytest.mark.parametrize(
    "path",
    [
        ("worklist", "unclear"),
        ("events",),
        ("funnel",),
        ("report", "2026-10"),
        ("dead-letters", "list"),
    ],
)
def test_a_platform_that_is_nearly_ours_is_a_slip(byline: Byline, path: tuple[str, ...]) -> None:
    said = byline(*path, "--platform", "weibp")
    assert said.code == 2
    assert "--platform weibp: there is no such policy; did you mean weibo?" in said.err


def test_a_topic_that_is_nearly_ours_is_a_slip(byline: Byline) -> None:
    said = byline("dead-letters", "list", "--topic", "control")
    assert said.code == 2
    assert "--topic control: there is no such input; did you mean controls?" in said.err
    said = byline("dead-letters", "list", "--topic", "nothing-like-it")
    assert "there are switches, account-changes" in said.err
