"""Load beside the faults: owners who cross the line all the time, are told, and answer.

Meanwhile a trial in shadow goes on, old words come in, and people and programs ask all the time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException

from tests.prometheus.asking import Desk
from tests.prometheus.faults import WatchedEstate
from tests.worker.crowd import Crowd
from tests.worker.harness import utc_now

A_ROUND, PAUSE_SECONDS = 3, 0.5
SHADOWED, FIRST_SHADOWED = "douyin", 1_000
SELDOM = 20
"""In rounds: a life in shadow, which ends, and words that count for nothing; in turns: an order."""


@contextmanager
def load(stage: WatchedEstate, platform: str) -> Iterator[None]:
    """Owners of a platform of its own, and people at the console, for as long as it is open."""
    over = threading.Event()
    crowd = Crowd(replace(stage.estate, _producer=None), platform)
    desk = Desk(stage.console, stage.index)
    threads = [
        threading.Thread(target=_goes_on, args=(crowd, over)),
        threading.Thread(target=_work, args=(desk, over)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _goes_on(crowd: Crowd, over: threading.Event) -> None:
    trial, rounds = Crowd(crowd.estate, SHADOWED), 0
    trial.count, account = FIRST_SHADOWED, ""
    with crowd.estate.follow("invitations") as next_record:
        while not over.wait(PAUSE_SECONDS):
            for _ in range(A_ROUND):
                crowd.crosses()
            if rounds % SELDOM == 0:
                account = trial.crosses()
                _says_old_words(crowd)
            elif rounds % SELDOM == SELDOM // 2:
                trial.say("follower-counts", account, followers=10, observed_at=utc_now())
            rounds += 1
            crowd.estate.flush()
            while (record := next_record(0.1)) is not None:
                event = crowd.hears(record)
                if event is not None and event["event"] == "invitation.issued":
                    _answers(crowd, event["account_id"])


def _says_old_words(crowd: Crowd) -> None:
    """A label of 2020 counts for nothing; of an answer's year 2001, the entry's time is taken."""
    crowd.say("category-changes", "a0", category="财经", observed_at="2020-01-01T00:00:00Z")
    crowd.say("consent-answers", "a1", answer="declined", occurred_at="2001-01-01T00:00:00Z")


def _answers(crowd: Crowd, account: str) -> None:
    """Of six owners one declines, two agree, and three say nothing."""
    number = int(account[1:])
    if number % 2:
        crowd.answers(account, "declined" if number % 6 == 1 else "granted")


def _work(desk: Desk, over: threading.Event) -> None:
    """People read, order a little, and a program asks; no answer while the console is down."""
    turns = 0
    while not over.wait(PAUSE_SECONDS):
        try:
            desk.asks()
            desk.reads()
            if turns % SELDOM == 0:
                desk.turns(SHADOWED, "off" if turns // SELDOM % 2 else "on")
        except (OSError, HTTPException, AssertionError):
            continue
        finally:
            turns += 1
    desk.turns(SHADOWED, "off")
