"""The demo's own checks, each shown failing on a day that was spoilt; how their word is shown."""

import io
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from schemas.enums import Event
from streams.local.demo import closing
from streams.local.demo.chance import Chance
from streams.local.demo.checks import CHECKS, DayEvidence, DemoCheck
from streams.local.demo.day import PLANTED, PlannedDay
from streams.local.demo.display import Display
from streams.local.demo.policies import ShortPolicy
from streams.local.demo.script import Storyline
from streams.local.demo.tally import DemoTally
from streams.operate.audit.records import Record
from tests.local.good_day import NOBODY, spoilt
from tests.operate.planted import (
    Plant,
    Records,
    drop,
    edit,
    find,
    moved_to,
    put,
    relog,
    repeated,
    reword,
    setting,
    sooner,
    unsay,
    value,
)

LABELS = "exempt and unlabelled accounts untouched"
TYPES = "every event type seen"
STORIES = "every storyline ended as told"
GARBAGE = "all garbage refused, each with its reason"
NAMES = "planted names found nowhere"
AUDIT = "byline audit finds no breach and no break in the chain"

Spoil = Callable[[DayEvidence], DayEvidence]


def checked(evidence: DayEvidence) -> list[DemoCheck]:
    return [check(evidence) for check in CHECKS]


def failing(evidence: DayEvidence) -> set[str]:
    return {check.statement for check in checked(evidence) if not check.passed}


def test_a_good_day_passes_every_check(good: DayEvidence) -> None:
    assert [fault for check in checked(good) for fault in check.faults] == []
    assert failing(good) == set()


def test_an_empty_day_passes_no_check(good: DayEvidence) -> None:
    assert len(failing(replace(good, records=[], texts=[], stories={}))) == len(CHECKS)


def without(kind: Event) -> Plant:
    return lambda records: [it for it in records if value(it).get("event") != kind.value]


def headed(name: str, text: bytes) -> Plant:
    """The first event with another header."""

    def plant(records: Records) -> Records:
        at = find(records, "invitation.issued")
        headers = tuple((it, text if it == name else was) for it, was in records[at].headers)
        return [*records[:at], records[at]._replace(headers=headers), *records[at + 1 :]]

    return plant


def lettered(**more: object) -> Plant:
    """The dead letter with more in it."""

    def plant(records: Records) -> Records:
        at = next(at for at, it in enumerate(records) if it.topic == "dead-letters")
        return [*records[:at], put(records[at], {**value(records[at]), **more}), *records[at + 1 :]]

    return plant


def renamed(evidence: DayEvidence) -> DayEvidence:
    """An account that no storyline speaks of."""
    return replace(
        evidence, stories={k: it for k, it in evidence.stories.items() if k != "weibo:a1"}
    )


def untouched(evidence: DayEvidence) -> DayEvidence:
    """An account whose storyline expects nothing, for instance as its label is exempt."""
    exempt = Storyline(name="exempt", platform="weibo", account_id="a1")
    return replace(evidence, stories={**evidence.stories, "weibo:a1": exempt})


def garbage_kept(evidence: DayEvidence) -> DayEvidence:
    return replace(evidence, refusals=evidence.refusals + Counter(too_large=1))


def garbage_doubled(records: Records) -> Records:
    letter = next(it for it in records if it.topic == "dead-letters")
    return [*records, letter._replace(offset=letter.offset + 1)]


def text(what: bytes) -> Spoil:
    return lambda evidence: replace(evidence, texts=[("the log", what)])


def named(topic: str) -> Plant:
    """A planted name in a record of this topic."""
    wrong = Record(topic, 0, 999, 0, b"k", json.dumps({"a": PLANTED[0]}).encode())
    return lambda records: [*records, wrong]


FAILURES: list[tuple[Spoil, str]] = [
    # What only the demo knows.
    (spoilt(reword("category-changes", setting(category="日常生活"), account_id="a2")), LABELS),
    (spoilt(reword("category-changes", setting(category="玄学"), account_id="a2")), LABELS),
    (spoilt(drop("category-changes", account_id="a2")), LABELS),
    (spoilt(without(Event.CONSENT_VOIDED)), TYPES),
    (spoilt(without(Event.CONSENT_VOIDED)), STORIES),
    (renamed, STORIES),
    (untouched, STORIES),
    (garbage_kept, GARBAGE),
    (spoilt(garbage_doubled), GARBAGE),
    (text(f"refused {PLANTED[0]}".encode()), NAMES),
    (text(json.dumps(PLANTED[0]).encode()), NAMES),
    (spoilt(named("decisions")), NAMES),
    (spoilt(named("accounts-changelog")), NAMES),
    # No restriction before its deadline.
    (spoilt(edit("throttle.applied", sooner("effective_at", 100))), AUDIT),
    (spoilt(edit("invitation.delivered", sooner("deadline_at", 1000))), AUDIT),
    (spoilt(unsay("invitation.delivered")), AUDIT),
    (spoilt(edit("invitation.issued", setting(answer_by="2030-01-01T00:00:00.000Z"))), AUDIT),
    (spoilt(edit("invitation.reminded", sooner("deadline_at", -500))), AUDIT),
    # No event twice; the sequence rises by one.
    (spoilt(repeated("", "invitation.issued")), AUDIT),
    (spoilt(edit("throttle.lifted", lambda it: it.update(sequence=it["sequence"] + 1))), AUDIT),
    # Shadow events only on shadow topics.
    (spoilt(edit("invitation.issued", setting(mode="shadow"))), AUDIT),
    (spoilt(moved_to("shadow.invitations", "invitation.issued")), AUDIT),
    # Values, keys and headers as the contract says.
    (spoilt(edit("invitation.issued", setting(reason="because"))), AUDIT),
    (spoilt(headed("ce_type", b"byline.x.v1")), AUDIT),
    (spoilt(headed("ce_specversion", b"0.3")), AUDIT),
    (spoilt(headed("content-type", b"text/plain")), AUDIT),
    # Decisions and dead letters as the contract says.
    (spoilt(lettered(value="the payload")), AUDIT),
    (spoilt(relog(setting(kind="rumour"), number=3)), AUDIT),
    # The chain, and what the decisions rest on.
    (spoilt(drop("decisions", number=2)), AUDIT),
    (spoilt(relog(setting(now="2026-11-22T12:00:00.000Z"), number=4)), AUDIT),
    (spoilt(relog(setting(hash="0" * 64), number=3)), AUDIT),
    (spoilt(edit("throttle.applied", setting(surface="commerce"))), AUDIT),
    (spoilt(drop("notice-receipts")), AUDIT),
    (spoilt(lambda records: [it for it in records if it.topic != "decisions"]), AUDIT),
]


@pytest.mark.parametrize(("spoil", "statement"), FAILURES)
def test_a_spoilt_day_fails_its_check(good: DayEvidence, spoil: Spoil, statement: str) -> None:
    assert statement in failing(spoil(good))


def test_every_check_is_shown_failing(good: DayEvidence) -> None:
    assert {statement for _, statement in FAILURES} == {it.statement for it in checked(good)}


def test_the_order_in_which_topics_are_read_does_not_matter(good: DayEvidence) -> None:
    topics = sorted({record.topic for record in good.records})
    random.Random(3).shuffle(topics)
    records = [record for topic in topics for record in good.of(topic)]
    assert failing(replace(good, records=records)) == set()


@pytest.mark.slow
def test_the_pictures_can_be_drawn(good: DayEvidence) -> None:
    tally = DemoTally()
    for number, item in enumerate(good.events):
        tally.saw(number / 10, item, good.stories.get(item.key))
    day = PlannedDay({"weibo": ShortPolicy("enforce", 1, (), ())}, Chance(1), good.stories, ())
    for width in (80, 140):
        console = Console(width=width, height=40, record=True, file=io.StringIO())
        console.print(Display(console, tally, day, []).picture(3.0))
        closing.show(console, good, checked(good), 40.0)
        shown = console.export_text()
        assert "throttle.lifted" in shown
        assert "✗" not in shown


def test_the_summary_is_for_programs(good: DayEvidence) -> None:
    summary = json.loads(json.dumps(closing.summary(good, checked(good), seed=1)))
    assert summary["events"]["weibo"]["consent.voided"]["live"] == 1
    assert summary["passed"] is True
    assert summary["seed"] == 1
    assert NOBODY not in json.dumps(summary)
