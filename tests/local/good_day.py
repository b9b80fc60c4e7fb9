"""A recorded day on which every check of the demo holds: what the tests then spoil."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from schemas.enums import Mode
from streams.local.demo.checks import DayEvidence
from streams.local.demo.script import Storyline
from streams.local.demo.tally import DemoTally, collapse
from streams.operate.audit.records import Record
from tests.core.given import HOUR
from tests.operate.planted import Plant, value
from tests.operate.recording import Tape, invited

NOBODY = "weibo:nobody"
"""An account that is read of, and never touched."""


@cache
def recorded() -> tuple[Record, ...]:
    """All that a sound core read and wrote of four accounts and garbage: every event there is."""
    tape = Tape()
    for account in ("a1", "a2", "a3", "a4"):
        invited(tape, account)
        if account != "a2":
            tape.receipt(account=account)
    tape.receipt("failed", "a2", failure="blocked").put("controls", "weibo:a9", b"nonsense")
    tape.wait(HOUR).control("reissue", "a2").wait(HOUR).receipt(account="a2")
    tape.switch("answers_paused", True).wait(HOUR).switch("answers_paused", False)
    tape.answer("declined", "a2").answer("granted", "a3").change("exempted", "a4").wait(HOUR)
    tape.answer("granted", "a2").change("closed", "a3").wait(HOUR).answer("withdrawn", "a2")
    return tuple(tape.days(60).records())


def good_day() -> DayEvidence:
    """A day on which everything holds: each account's storyline tells what happened to it."""
    day = DayEvidence({}, recorded(), Counter(), [], {"weibo": frozenset({"财经"})}, partitions=1)
    tally = DemoTally()
    for item in day.events:
        tally.saw(0.0, item, None)
    stories = {
        key: Storyline(
            name=f"story-of-{key.partition(':')[2]}",
            platform="weibo",
            account_id=key.partition(":")[2],
            live=collapse(tally.tokens(key, Mode.ENFORCE)),
        )
        for key, _ in tally.lives
    }
    stories[NOBODY] = Storyline(name="exempt", platform="weibo", account_id="nobody")
    letters = day.of("dead-letters")
    return replace(
        day,
        stories=stories,
        refusals=Counter(value(letter)["reason"] for letter in letters),
        texts=[("the log worker-1.log", b"ready"), ("/metrics of worker-1", b"byline_x 1")],
    )


def spoilt(plant: Plant) -> Callable[[DayEvidence], DayEvidence]:
    """Another day: something is wrong in what was written."""
    return lambda evidence: replace(evidence, records=plant(list(evidence.records)))
