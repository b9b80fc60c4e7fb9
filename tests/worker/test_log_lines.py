"""What a worker says: each line JSON where that is asked, and nobody has to read it."""

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from streams import outlet as outlet_module
from streams.outlet import MOST_LINES, Outlet
from tests.worker.harness import ROOT, Estate
from tests.worker.policies import policy

SAYS_EVERYTHING = """
import asyncio, logging, sys, threading, warnings
from streams import logs
logs.configure("info", "json")
logging.getLogger("streams.x").info("a line\\nof two")
logging.getLogger("aiokafka").warning("%s %s", "a library", 1)
logging.getLogger("streams.x").info("%d", "no number")
logging.getLogger("streams.x").info("half \\udce9")
warnings.warn("a warning")
print("printed", end=""); print(" in pieces")
print("to stderr", file=sys.stderr)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
async def fails():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
asyncio.run(fails())
raise ValueError("last words")
"""

FLOODS = """
import logging, sys
from streams import logs
logs.configure("info", "json")
for number in range(3_000):
    logging.getLogger("streams.x").info("line %d of many", number)
print("done", file=sys.stderr)
"""


def run(program: str, **more: Any) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", program], env=environment, **more)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_of_both_streams_is_json_whoever_says_it() -> None:
    process = run(SAYS_EVERYTHING, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = (text.decode() for text in process.communicate(timeout=30))
    assert process.returncode == 1
    assert [line["message"] for line in objects(out)] == ["printed in pieces"]
    lines = objects(err)
    said = [line["message"] for line in lines]
    assert said[:2] == ["a line\nof two", "a library 1"]
    assert "a log line cannot be formatted" in said[2]
    assert said[3] == "half ?"
    assert "a warning" in said[4]
    assert "to stderr" in said
    assert sum("ZeroDivisionError" in json.dumps(line) for line in lines) == 2
    assert (lines[-1]["level"], lines[-1]["message"]) == ("critical", "last words")
    assert "ValueError: last words" in lines[-1]["traceback"]


SAYS_A_VALUE = """
import logging
from pydantic import BaseModel
from streams import logs
logs.configure("info", "%s")
class Plain(BaseModel):
    number: int
try:
    try:
        Plain.model_validate({"number": "Zhang San"})
    except ValueError as error:
        raise RuntimeError("a fault") from error
except RuntimeError:
    logging.getLogger("streams.x").exception("it failed")
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_says_what_is_wrong_and_not_of_which_value(form: str) -> None:
    process = run(SAYS_A_VALUE % form, stderr=subprocess.PIPE)
    said = process.communicate(timeout=30)[1].decode()
    assert "RuntimeError: a fault" in said
    assert "ValidationError: Plain: int_parsing" in said
    assert "Zhang San" not in said


def test_a_stream_has_one_thread_however_often_logging_is_configured() -> None:
    program = """
import sys, threading
from streams import logs
logs.configure("INFO", "text")
logs.configure("INFO", "text")
print(sum(it.name == "outlet" for it in threading.enumerate()), file=sys.stderr)
"""
    assert run(program, stderr=subprocess.PIPE).communicate()[1] == b"2\n"


def test_a_pipe_that_nobody_reads_holds_nobody_up() -> None:
    reader, writer = os.pipe()
    process = run(FLOODS, stderr=writer)
    os.close(writer)
    assert process.wait(60) == 0
    os.close(reader)


def test_what_finds_no_room_is_counted() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    for number in range(MOST_LINES + 5_000):
        outlet.put(f"line {number} {'.' * 20}\n")
    assert not outlet.drain(0.1)
    text = b""
    os.set_blocking(reader, False)
    while not outlet.drain(0.01) or len(text) == 0:
        with suppress(BlockingIOError):
            text += os.read(reader, 65_536)
    with suppress(BlockingIOError):
        text += os.read(reader, 1_000_000)
    lines = text.decode().splitlines()
    missed = [line for line in lines if line.endswith("were not written")]
    assert missed, "what found no room is said, once for each time that there was none"
    told = len(lines) - len(missed)
    assert told + sum(int(line.split()[0]) for line in missed) == MOST_LINES + 5_000
    os.close(reader)


def test_given_a_full_disk_then_the_log_goes_on_when_there_is_room_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error of a write and the log was mute for the life of the process."""
    monkeypatch.setattr(outlet_module, "RETRY_SECONDS", 0.02)
    descriptor = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(descriptor)
    outlet.left_out = lambda count, error: f"{count} missing: {error and error.strerror}\n"
    for number in range(MOST_LINES + 100):
        outlet.put(f"line {number}\n")
    assert not outlet.drain(0.2)
    room = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(room, descriptor)
    assert outlet.drain(10)
    outlet.put("again\n")
    assert outlet.drain(10)
    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("line 0", "again")
    (missing,) = [line for line in lines if "missing" in line]
    assert missing.endswith(" missing: No space left on device")
    assert len(lines) - 2 + int(missing.split()[0]) == MOST_LINES + 100


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_given_a_line_that_was_written_in_part_then_its_rest_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(outlet_module, "RETRY_SECONDS", 0.02)
    real, failing = os.write, [True, True]

    def full(descriptor: int, data: Any) -> int:
        if descriptor == file and failing:
            failing.pop()
            if failing:
                return real(descriptor, bytes(data)[:3])
            raise OSError(number, os.strerror(number))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    outlet = Outlet(file)
    outlet.put("first\n")
    outlet.put("second\n")
    assert outlet.drain(10)
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_given_a_log_that_ends_within_a_line_then_the_next_process_begins_a_new_one(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    for before, after in (("to", "to\nx\n"), ("to\n", "to\nx\n"), ("", "x\n")):
        log.write_text(before)
        outlet = Outlet(os.open(log, os.O_WRONLY | os.O_APPEND))
        outlet.put("x\n")
        assert outlet.drain(10)
        assert log.read_text() == after


def test_given_a_reader_that_is_gone_then_nothing_waits_for_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    outlet = Outlet(writer)
    for _ in range(3):
        outlet.put("x\n")
        assert outlet.drain(5)
    os.close(writer)


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_a_stream_that_was_closed_before_takes_what_is_said(closed: str, tmp_path: Path) -> None:
    opens_a_file = FLOODS + f"open({str(tmp_path / 'f')!r}, 'w').write('x')\n"
    words = ["bash", "-c", f'"{sys.executable}" -c "$0" {closed}', opens_a_file]
    done = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=30
    )
    assert done.returncode == 0
    assert (tmp_path / "f").read_text() == "x"


def _full_pipe() -> tuple[int, int]:
    """A pipe in which there is no room: reader, writer."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.kafka
def test_a_worker_works_and_stops_though_its_pipes_are_full(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, BYLINE_LOG_FORMAT="json")
    reader, writer = _full_pipe()
    estate.start(1, output=writer)
    (worker,) = estate.workers
    estate.put_raw("notice-receipts", "weibo:a", b"{]")
    estate.drain()
    assert worker.stop() == 0
    os.close(reader)
    os.close(writer)


@pytest.mark.kafka
def test_a_worker_works_and_stops_though_its_reader_is_gone(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")})
    reader, writer = os.pipe()
    os.close(reader)
    estate.start(1, output=writer)
    os.close(writer)
    estate.put_raw("notice-receipts", "weibo:a", b"{]")
    estate.drain()
    assert estate.workers[0].stop() == 0


@pytest.mark.kafka
def test_a_worker_s_last_words_are_json_too(make_estate: Callable[..., Estate]) -> None:
    estate = make_estate({"weibo": policy("weibo")}, BYLINE_LOG_FORMAT="json")
    estate.more_settings["BYLINE_FAILPOINT"] = "after-step:raise:1"
    estate.start(1)
    (worker,) = estate.workers
    estate.put_raw("notice-receipts", "weibo:a", b"{]")
    estate.flush()
    assert worker.process is not None
    assert worker.process.wait(30) == 70
    last = objects(worker.log.read_text())[-1]
    assert last["message"].startswith("worker stops (70): ")
    assert "Traceback" in last["message"]

    (estate.policies / "weibo.yaml").write_text("platform: weibo\nversion: soon\n")
    assert worker.start().process.wait(30) == 2  # type: ignore[union-attr]
    assert "weibo.yaml" in objects(worker.log.read_text())[-1]["message"]

    worker.environment["BYLINE_HTTP_PORTS"] = "1"
    assert worker.start().process.wait(30) == 2  # type: ignore[union-attr]
    assert "no such setting" in objects(worker.log.read_text())[-1]["message"]


def test_wrong_words_are_a_line_too() -> None:
    words = [sys.executable, "-m", "streams", "worker", "--bogus"]
    done = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BYLINE_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert "--bogus" in "".join(line["message"] for line in objects(done.stderr))
