"""Load beside the faults: owners who cross the line all the time, are told, and answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.worker.crowd import Crowd
from tests.worker.harness import Estate

A_ROUND, PAUSE_SECONDS = 3, 0.5


@contextmanager
def load(estate: Estate, platform: str) -> Iterator[None]:
    """Owners of a platform of its own, for as long as it is open."""
    over = threading.Event()
    thread = threading.Thread(
        target=_goes_on, args=(Crowd(replace(estate, _producer=None), platform), over)
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _goes_on(crowd: Crowd, over: threading.Event) -> None:
    with crowd.estate.follow("invitations") as next_record:
        while not over.wait(PAUSE_SECONDS):
            for _ in range(A_ROUND):
                crowd.crosses()
            crowd.estate.flush()
            while (record := next_record(0.1)) is not None:
                event = crowd.hears(record)
                if event is not None and event["event"] == "invitation.issued":
                    _answers(crowd, event["account_id"])


def _answers(crowd: Crowd, account: str) -> None:
    number = int(account[1:])
    if number % 2:
        crowd.answers(account, "declined" if number % 6 == 1 else "granted")
