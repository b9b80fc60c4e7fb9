"""The demo's own checks, each shown failing on a day that was spoilt; how their word is shown."""

import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from schemas.enums import Event
from streams.local.demo import closing
from streams.local.demo.checks import CHECKS, run_checks
from streams.local.demo.display import Display
from streams.local.demo.evidence import Evidence
from streams.local.demo.garbage import PLANTED
from streams.local.demo.tally import Tally
from tests.local.good_day import DEAD_LETTER, at, event, raw
from tests.operate.planted import Plant, drop, edit, relog, setting


def failing(evidence: Evidence) -> set[str]:
    return {check.statement for check in run_checks(evidence) if not check.passed}


def changed(evidence: Evidence, number: int, **values: Any) -> Evidence:
    """The evidence with other values in one event."""
    events = list(evidence.events)
    events[number] = replace(events[number], value={**events[number].value, **values})
    return replace(evidence, events=events)


def test_a_good_day_passes_every_check(good: Evidence) -> None:
    faults = [fault for check in run_checks(good) for fault in check.faults]
    assert faults == []
    assert failing(good) == set()


def test_an_empty_day_passes_no_check(good: Evidence) -> None:
    empty = replace(
        good, events=[], dead_letters=[], decisions=[], texts=[], stories={}, records=[]
    )
    assert len(failing(empty)) == len(CHECKS)


def early(evidence: Evidence) -> Evidence:
    """The fifth event of the first account is its restriction."""
    return changed(evidence, 4, effective_at=at(4.9))


def short(evidence: Evidence) -> Evidence:
    shorter = changed(evidence, 1, deadline_at=at(4))
    return changed(changed(shorter, 2, deadline_at=at(4)), 3, deadline_at=at(4))


def unheard(evidence: Evidence) -> Evidence:
    return replace(evidence, events=[*evidence.events[:1], *evidence.events[2:]])


def hurried(evidence: Evidence) -> Evidence:
    return changed(evidence, 2, deadline_at=at(5.5))


def before_the_date(evidence: Evidence) -> Evidence:
    return changed(evidence, 0, answer_by=at(30))


def without(evidence: Evidence, kind: Event) -> Evidence:
    return replace(evidence, events=[it for it in evidence.events if it.event != kind])


def twice(evidence: Evidence) -> Evidence:
    return replace(evidence, events=[*evidence.events, evidence.events[0]])


def gap(evidence: Evidence) -> Evidence:
    return changed(evidence, 6, sequence=8)


def exempt_touched(evidence: Evidence) -> Evidence:
    labels = {**evidence.labels, "weibo:6": frozenset({"财经"})}
    return replace(
        evidence, events=[*evidence.events, event("6", 1, "issued:over_line")], labels=labels
    )


def unlabelled_touched(evidence: Evidence) -> Evidence:
    return replace(evidence, labels={**evidence.labels, "weibo:1": frozenset({"玄学"})})


def shadow_on_live(evidence: Evidence) -> Evidence:
    return changed(evidence, 0, mode="shadow")


def wrong_reason(evidence: Evidence) -> Evidence:
    return changed(evidence, 0, reason="because")


def wrong_header(evidence: Evidence) -> Evidence:
    events = list(evidence.events)
    events[0] = replace(events[0], headers={**events[0].headers, "ce_type": "byline.x.v1"})
    return replace(evidence, events=events)


def garbage_kept(evidence: Evidence) -> Evidence:
    return replace(evidence, refusals={"not_json": 1, "too_large": 1})


def garbage_doubled(evidence: Evidence) -> Evidence:
    return replace(evidence, dead_letters=[*evidence.dead_letters] * 2)


def name_in_log(evidence: Evidence) -> Evidence:
    return replace(evidence, texts=[("the log", f"refused {PLANTED[0]}".encode())])


def name_escaped(evidence: Evidence) -> Evidence:
    return replace(evidence, texts=[("a record", json.dumps({"a": PLANTED[0]}).encode())])


def payload_copied(evidence: Evidence) -> Evidence:
    letter = {**DEAD_LETTER, "value": "the payload"}
    return replace(evidence, dead_letters=[raw("byline.dead-letters", 0, letter)])


def unknown_kind(evidence: Evidence) -> Evidence:
    return replace(evidence, decisions=[raw("byline.decisions", 1, {"kind": "rumour"})])


def chain_cut(evidence: Evidence) -> Evidence:
    return replace(evidence, decisions=[*evidence.decisions[:1], *evidence.decisions[2:]])


def chain_forged(evidence: Evidence) -> Evidence:
    value = {**evidence.decisions[3].json(), "now": at(0)}
    return replace(evidence, decisions=[*evidence.decisions[:3], raw("byline.decisions", 4, value)])


def audited(plant: Plant) -> Callable[[Evidence], Evidence]:
    """A breach in what the auditor reads."""
    return lambda e: replace(e, records=plant(list(e.records)))


def hidden(evidence: Evidence) -> Evidence:
    """The auditor is shown no log, and so has nothing to judge."""
    return replace(evidence, records=[it for it in evidence.records if it.topic != "decisions"])


AUDIT = "byline audit finds no breach and no break in the chain"
FAILURES: list[tuple[Callable[[Evidence], Evidence], str]] = [
    (early, "no restriction before its deadline"),
    (short, "no restriction before its deadline"),
    (unheard, "no restriction before its deadline"),
    (before_the_date, "no restriction before its deadline"),
    (hurried, "no restriction before its deadline"),
    (twice, "no event id twice"),
    (gap, "sequence rises by one per account and mode"),
    (exempt_touched, "exempt and unlabelled accounts untouched"),
    (unlabelled_touched, "exempt and unlabelled accounts untouched"),
    (lambda e: without(e, Event.CONSENT_VOIDED), "every event type seen"),
    (lambda e: without(e, Event.CONSENT_VOIDED), "every storyline ended as told"),
    (shadow_on_live, "shadow events only on shadow topics"),
    (wrong_reason, "values, keys and headers as the contract says"),
    (wrong_header, "values, keys and headers as the contract says"),
    (garbage_kept, "all garbage refused, each with its reason"),
    (garbage_doubled, "all garbage refused, each with its reason"),
    (name_in_log, "planted names found nowhere"),
    (name_escaped, "planted names found nowhere"),
    (payload_copied, "decisions and dead letters as the contract says"),
    (unknown_kind, "decisions and dead letters as the contract says"),
    (chain_cut, "the decisions' hash chain holds"),
    (chain_forged, "the decisions' hash chain holds"),
    (audited(edit("throttle.applied", setting(surface="commerce"))), AUDIT),
    (audited(drop("notice-receipts")), AUDIT),
    (audited(relog(setting(hash="0" * 64), number=3)), AUDIT),
    (hidden, AUDIT),
]


@pytest.mark.parametrize(("spoil", "statement"), FAILURES)
def test_a_spoilt_day_fails_its_check(
    good: Evidence, spoil: Callable[[Evidence], Evidence], statement: str
) -> None:
    assert statement in failing(spoil(good))


def test_every_check_is_shown_failing() -> None:
    assert {statement for _, statement in FAILURES} == {check[1] for check in CHECKS}


def test_the_order_in_which_partitions_are_read_does_not_matter(good: Evidence) -> None:
    events = list(good.events)
    random.Random(3).shuffle(events)
    assert failing(replace(good, events=events)) == set()


def test_the_pictures_can_be_drawn(good: Evidence) -> None:
    tally = Tally()
    for number, item in enumerate(good.events):
        tally.saw(number / 10, item, good.stories.get(item.key))
    for width in (80, 140):
        console = Console(width=width, height=40, record=True, file=io.StringIO())
        display = Display(console, tally, good.stories, {"weibo": "enforce"}, [], 28.0, 1)
        console.print(display.picture(3.0))
        closing.show(console, good, run_checks(good), ("weibo",), 40.0)
        text = console.export_text()
        assert "throttle.lifted" in text
        assert "✗" not in text


def test_the_summary_is_for_programs(good: Evidence) -> None:
    summary = closing.summary(good, run_checks(good), ("weibo",), {"seed": 1})
    assert json.loads(json.dumps(summary))["events"]["weibo"]["consent.voided"]["live"] == 1
    assert summary["passed"] is True
