"""Whole runs of `byline demo`: to its end on a real Kafka, and stopped in the middle."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import psutil
import pytest

from schemas.enums import Event
from streams.local.demo.checks import CHECKS
from streams.local.demo.script import script
from tests.operate.conftest import until


def left_behind(folder: Path) -> list[str]:
    """The demo's folders there, and processes that speak of it in command or settings."""
    found = [str(path) for path in folder.glob("byline-demo-*")]
    for process in psutil.process_iter(["cmdline", "environ"]):
        settings = process.info["environ"] or {}
        words = [*(process.info["cmdline"] or ()), settings.get("BYLINE_DATA_DIR", "")]
        found += [f"process {process.pid}" for word in words if str(folder) in word]
    return found


def command(*options: str) -> list[str]:
    return [sys.executable, "-u", "-m", "streams", "demo", *options]


@pytest.mark.slow
def test_the_demo_plays_on_a_real_kafka_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--json", "--keep"),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["passed"] is True
    assert len(summary["checks"]) == len(CHECKS)
    assert all(check["looked_at"] > 0 for check in summary["checks"])
    assert set(summary["events"]) == set(script().platforms)
    for event in Event:
        assert sum(counts[event.value]["live"] for counts in summary["events"].values()) > 0
    told, _, stop = done.stderr.partition("To look around")[2].partition("To stop it all:")
    try:
        browse = signed_in(done.stderr)
        assert "desk.1" in browse("/")
        looked = in_a_new_shell(told.partition("\n")[2])
        assert looked.returncode == 0, looked.stderr
        assert "4 of 4 partitions identical, byte for byte" in looked.stdout
        # On a busy machine the worker may be slower than whoever looks.
        again = in_a_new_shell(told.partition("\n")[2]) if "no such" in looked.stdout else looked
        (event,) = [line for line in again.stdout.splitlines() if "wechat:by-hand" in line]
        assert "invitation.issued" in event
        until(lambda: "went out" in browse("/accounts/wechat:by-hand"), 60, "it is on a page")
    finally:
        stopped = in_a_new_shell(stop)
    assert stopped.returncode == 0, stopped.stderr
    assert left_behind(tmp_path) == []


def signed_in(said: str) -> Callable[[str], str]:
    """A browser of who reads what was printed: it opens the address, and signs in as told there."""
    (address,) = re.findall(r"^  open (http://127\.0\.0\.1:\d+)/$", said, re.M)
    (token,) = re.findall(r"^  sign in with (\S+)$", said, re.M)
    opener = build_opener(HTTPCookieProcessor())

    def browse(path: str, **form: str) -> str:
        data = urlencode(form).encode() if form else None
        with opener.open(f"{address}{path}", data, timeout=30) as answer:
            return str(answer.read().decode())

    guard = re.search(r'name="guard" value="([0-9a-f]+)"', browse("/"))
    assert guard is not None
    browse("/sign-in", guard=guard[1], token=token, next="/")
    return browse


def in_a_new_shell(lines: str) -> subprocess.CompletedProcess[str]:
    """What was printed, typed into a shell that knows nothing of ours."""
    known = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        ["sh", "-eu", "-c", lines],
        env={"PATH": "/usr/bin:/bin", **known},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def hear_interrupts() -> None:
    """A shell's background jobs ignore SIGINT, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_tidies_up_when_it_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        command(),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_interrupts,
    ) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "topics" in line:
                break
        time.sleep(2)
        assert len(left_behind(tmp_path)) > 1, lines
        demo.send_signal(how)
        assert demo.wait(60) == 130
    assert left_behind(tmp_path) == []
