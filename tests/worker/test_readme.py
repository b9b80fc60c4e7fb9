"""The README's lines by hand are run as they stand there."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.harness import ROOT, Estate
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka


def _lines_by_hand() -> str:
    """The block of the README that sends a label and a reading."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "byline send follower-counts" in block]
    return str(block)


def test_the_lines_by_hand_invite_under_the_shipped_age_of_facts(
    make_estate: Callable[..., Estate], tmp_path: Path
) -> None:
    shipped = policy("weibo").replace("cool_down: P30D", "cool_down: P30D, max_age: P30D")
    estate = make_estate({"weibo": shipped}).start(1)
    command = tmp_path / "byline"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streams "$@"\n')
    command.chmod(0o755)
    environment = {**estate.environment, "PATH": f"{tmp_path}:{estate.environment['PATH']}"}
    done = subprocess.run(
        ["sh", "-eu", "-c", _lines_by_hand()],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (event,) = estate.wait_for(1)["weibo:a1"]
    assert (event["event"], event["line"]) == ("invitation.issued", 1_000_000)
    (told,) = [line for line in _lines_by_hand().splitlines() if "byline events" in line]
    shown = subprocess.run(
        ["sh", "-eu", "-c", told], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "weibo:a1" in shown.stdout
    assert "invitation.issued" in shown.stdout
