"""The one way out when something went wrong: say why, then end the process at once.

Nothing is aborted or cleaned up. The next owner's InitProducerId settles an open transaction, and
the positions in the changelog say what was done; a dying process can only make that harder to see.
"""

import asyncio
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from streams.engine.rights import refusal_of
from streams.kafka.rights import RIGHTS_ERRORS
from streams.stop_worker import ExitCode, StopWorker

logger = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 5.0


def end_process(
    message: str, error: BaseException | None = None, code: ExitCode = ExitCode.RESTART
) -> NoReturn:
    """Log `message`, repeat it on the real stderr (Faust redirects the other one) and exit.

    Within `LAST_WORDS_SECONDS`, also when nobody reads what is written and the log is blocked. What
    a person has to change is said without a traceback.
    """
    last_resort = threading.Timer(LAST_WORDS_SECONDS, os._exit, (code,))
    last_resort.daemon = True
    last_resort.start()
    try:
        # What a person has to change is said in a sentence.
        traced = None if isinstance(error, StopWorker) or code == ExitCode.PERSON else error
        logger.critical("%s", message, exc_info=traced)
        stream = sys.__stderr__
        if stream is not None:
            words = [f"worker stops ({code}): {message}\n"]
            if traced is not None:
                words += traceback.format_exception(traced)
            # At once: where each line is JSON, all of it is one.
            stream.write("".join(words))
            stream.flush()
        logging.shutdown()
    finally:
        os._exit(code)


def end_on(error: BaseException, doing: str) -> NoReturn:
    """Exit as `error` demands: a `StopWorker` with its own message and code, all else with 70.

    A right that was taken away is a human's business at any time, not only at the start.
    """
    if isinstance(error, RIGHTS_ERRORS):
        error = refusal_of(error)
    if isinstance(error, StopWorker):
        end_process(error.message, error, error.exit_code)
    end_process(f"{doing}: {type(error).__name__}: {error}", error)


async def _guard(work: Coroutine[Any, Any, None], doing: str) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        end_on(error, doing)


def spawn(work: Coroutine[Any, Any, None], doing: str) -> "asyncio.Task[None]":
    """Run `work` as a task whose error ends the process, for asyncio would swallow it."""
    return asyncio.get_running_loop().create_task(_guard(work, doing), name=doing)


def guarded(doing: str, call: Callable[[], None]) -> None:
    """Run `call`; its error ends the process."""
    try:
        call()
    except BaseException as error:
        end_on(error, doing)
