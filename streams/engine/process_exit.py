"""Ends the process at once after an error, with the reason in the log.

Nothing is aborted or cleaned up. The next owner's InitProducerId aborts an open transaction, and
the checkpoint in the changelog says what was committed.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from streams.engine.disk_faults import full_in
from streams.engine.rights import refusal_of
from streams.kafka.rights import RIGHTS_ERRORS
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

logger = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 5.0
last_acts: list[Callable[[], None]] = []
"""Called before the process ends after an error; what they raise is ignored."""


def end_process(
    message: str, error: BaseException | None = None, code: ExitCode = ExitCode.RESTART
) -> NoReturn:
    """Logs `message`, writes it to the real stderr too (Faust redirects `sys.stderr`), and exits.

    The process ends within `LAST_WORDS_SECONDS`, even if writing blocks. A traceback is left out
    for a `StopWorker` and for the exit code `PERSON`.
    """
    try:
        _end_within(LAST_WORDS_SECONDS, code)
        # The message of such an error already says what a person must change.
        traced = None if isinstance(error, StopWorker) or code == ExitCode.PERSON else error
        logger.critical("%s", message, exc_info=traced, extra=event("worker_stops"))
        stream = sys.__stderr__
        if stream is not None:
            words = [f"worker stops ({code}): {message}\n"]
            if traced is not None:
                words += traceback.format_exception(traced)
            # In one write: a log of JSON lines then gets one entry.
            stream.write("".join(words))
            stream.flush()
        for act in last_acts:
            with contextlib.suppress(Exception):
                act()
        logging.shutdown()
    finally:
        os._exit(code)


def _end_within(seconds: float, code: ExitCode) -> None:
    """Ends the process after this time from a thread, or by SIGALRM if no thread can be started."""
    last_resort = threading.Timer(seconds, os._exit, (code,))
    last_resort.daemon = True
    try:
        last_resort.start()
    except RuntimeError:
        # At the limit of threads or memory. The signal's default action ends the process, with
        # another exit code than `code`.
        signal.alarm(math.ceil(seconds))


def end_on(error: BaseException, doing: str) -> NoReturn:
    """Exits with the message and code of a `StopWorker`, or with 70 for any other error.

    A missing right, a full disk and too many open files are for a person: exit code 2. `doing`
    names the failed activity.
    """
    if isinstance(error, RIGHTS_ERRORS):
        error = refusal_of(error)
    if isinstance(error, StopWorker):
        end_process(error.message, error, error.exit_code)
    if full := full_in(error):
        end_process(
            f"{doing}: {full}. Free room or raise the limit that is named, and start again",
            error,
            ExitCode.PERSON,
        )
    end_process(f"{doing}: {type(error).__name__}: {error}", error)


async def _guard(work: Coroutine[Any, Any, None], doing: str) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        end_on(error, doing)


def spawn(work: Coroutine[Any, Any, None], doing: str) -> "asyncio.Task[None]":
    """Runs `work` as a task whose error ends the process; asyncio alone would ignore it."""
    return asyncio.get_running_loop().create_task(_guard(work, doing), name=doing)


def guarded(doing: str, call: Callable[[], None]) -> None:
    """Runs `call`, whose error ends the process."""
    try:
        call()
    except BaseException as error:
        end_on(error, doing)
