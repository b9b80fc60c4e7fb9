"""A process ends, whoever reads its last words, and with the code of who must act."""

import errno
import os
import subprocess
import sys

import pytest

from streams.engine import process_exit
from streams.stop_worker import ExitCode

NO_THREADS = """
import threading
def none(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = none
"""


def _ends(program: str, **more: object) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", program]
    return subprocess.Popen(words, stderr=subprocess.PIPE, **more)  # type: ignore[call-overload, no-any-return]


def test_last_words_that_nobody_reads_do_not_keep_a_process_alive() -> None:
    """The pipe is full and nobody reads it: the process ends all the same."""
    process = _ends(
        "from streams.engine import process_exit; process_exit.LAST_WORDS_SECONDS = 1.0\n"
        "process_exit.end_process('x' * 10_000_000, code=70)"
    )
    assert process.wait(20) == 70


@pytest.mark.parametrize("code", [2, 70])
def test_given_no_thread_for_the_time_limit_then_it_ends_with_its_words_and_its_code(
    code: int,
) -> None:
    process = _ends(
        "from streams.engine import process_exit\n" + NO_THREADS + "try:\n"
        f"    process_exit.end_process('why it ends', code={code})\n"
        "finally:\n    threading.Event().wait()"
    )
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert b"why it ends" in said


def test_given_no_thread_and_nobody_who_reads_then_it_ends_by_a_signal() -> None:
    process = _ends(
        "from streams.engine import process_exit; process_exit.LAST_WORDS_SECONDS = 1.0\n"
        + NO_THREADS
        + "process_exit.end_process('x' * 10_000_000, code=70)"
    )
    assert process.wait(20) == -14


def test_given_an_error_in_its_last_words_then_it_ends_all_the_same() -> None:
    process = _ends(
        "from streams.engine import process_exit\n"
        "def fails(*_, **__): raise MemoryError\n"
        "process_exit.logger.critical = process_exit._end_within = fails\n"
        "process_exit.end_process('x', code=70)"
    )
    assert process.wait(20) == 70


@pytest.mark.parametrize(
    ("number", "code"),
    [
        *((it, ExitCode.PERSON) for it in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE)),
        (errno.ECONNRESET, ExitCode.RESTART),
    ],
)
def test_a_full_disk_is_for_a_person_whoever_writes_to_it(
    number: int, code: ExitCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[object, ...]] = []

    class EndedError(Exception):
        pass

    def ended(*given: object) -> None:
        told.append(given)
        raise EndedError

    monkeypatch.setattr(process_exit, "end_process", ended)
    error = OSError(number, os.strerror(number), "/data/member-id")
    wrapped = RuntimeError(f"a library's: {error}")
    wrapped.__cause__ = error
    for met in (error, wrapped):
        told.clear()
        with pytest.raises(EndedError):
            process_exit.end_on(met, "in the group")
        (message, cause, *rest) = told[0]
        assert (cause, rest or [ExitCode.RESTART]) == (met, [code])
        assert "/data/member-id" in str(message)
