"""What each test file costs in processor time: `pytest -p tests.support.cpu tests/worker`.

Seconds are of this process and of all that it started: workers, commands and brokers too, those
that still run included. On a machine that others use too they say what wall time cannot. What a
session shares (its broker, the process that workers are forked from) counts for the file that asks
first, and its end for the last one. With several test processes each has its own part of a file's
seconds; they are added up.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

FOLDER = "CPU_BY_TEST_FILE"
"""Not a name of ours: a worker refuses settings that it does not know."""
SHOWN = 40
_before = 0.0


def spent_seconds() -> float:
    """Processor seconds of this process and of its descendants, ended ones included."""
    own = os.times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def pytest_configure(config: pytest.Config) -> None:
    """Agree with the other test processes on a folder."""
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="byline-cpu-")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Write down what a file has cost when its last test has ended."""
    done = yield
    file = item.nodeid.partition("::")[0]
    if nextitem is None or nextitem.nodeid.partition("::")[0] != file:
        global _before
        now = spent_seconds()
        with (Path(os.environ[FOLDER]) / str(os.getpid())).open("a", encoding="utf-8") as out:
            out.write(f"{now - _before:.2f} {file}\n")
        _before = now
    return done


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The files that cost most, and what all of them cost together."""
    seconds: Counter[str] = Counter()
    for path in Path(os.environ[FOLDER]).iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            cost, _, file = line.partition(" ")
            seconds[file] += float(cost)  # type: ignore[assignment]
    terminalreporter.section("seconds of a processor, by file")
    for file, cost in seconds.most_common(SHOWN):
        terminalreporter.write_line(f"{cost:8.1f}  {file}")
    terminalreporter.write_line(f"{sum(seconds.values()):8.1f}  all {len(seconds)} files")
