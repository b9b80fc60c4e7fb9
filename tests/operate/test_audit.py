"""The auditor: silent on what a sound core wrote, and each planted breach found by its name."""

import functools
import random

import pytest
from prometheus_client import CollectorRegistry

from streams.operate.audit.auditor import Auditor, audit
from streams.operate.audit.records import Record
from streams.operate.audit.rules import RULES
from streams.operate.audit.service import AuditMetrics
from tests.core.invariants.bugs import FREED_BUG, planted
from tests.operate.breaches import PLANTED
from tests.operate.doubts import DOUBTS
from tests.operate.planted import Planted, value
from tests.operate.recording import RECORDINGS, freed

DAY = 86_400_000
AUDITED = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15}
"""Fourteen, as the README says; 8 is held by tests of the core alone."""


SOUND = {**RECORDINGS, **DOUBTS}


@functools.cache
def recording(name: str) -> tuple[Record, ...]:
    return tuple(SOUND[name]().records())


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_history_has_no_breach(name: str) -> None:
    auditor = Auditor()
    for record in recording(name):
        auditor.feed(record)
    assert auditor.finish() == []
    events = [it for it in recording(name) if "event_id" in value(it)]
    assert auditor.events_seen == len(events)


FIRST = {it.breach: it for it in reversed(PLANTED)}
"""The first that is planted of each breach; `sh tests/run.sh --quick` leaves out the others."""


def _marked(it: Planted) -> object:
    return pytest.param(it, id=it.what, marks=() if FIRST[it.breach] is it else pytest.mark.slow)


@pytest.mark.parametrize("it", [*map(_marked, PLANTED)])
def test_a_planted_breach_is_found_by_name(it: Planted) -> None:
    found = audit(it.plant(list(recording(it.recording))), **it.options)
    assert it.breach in {breach.name for breach in found}
    assert all(breach.places for breach in found)


def test_a_surface_that_a_milder_policy_freed_and_the_cycle_restricts_again_is_found() -> None:
    """What a core writes that keeps such a surface at stake: nothing else is wrong with it."""
    with planted(FREED_BUG):
        found = audit(freed().records())
    assert [(it.name, it.detail) for it in found] == [
        ("surface_not_at_stake", "throttle.applied: tips, which a milder policy had freed")
    ]


def test_two_people_are_asked_for_only_where_approvals_are_required() -> None:
    sound = [value(it)["event"] for it in recording("approved") if "event_id" in value(it)]
    assert {"invitation.issued", "throttle.applied"} <= set(sound)
    assert audit(recording("approved"), require_approvals=True) == []
    assert "unapproved_policy" not in {it.name for it in audit(recording("clean"))}


def test_every_rule_has_a_planted_breach() -> None:
    """The test above finds each of them by name."""
    assert {it.breach for it in PLANTED} == set(RULES)
    assert {rule.invariant for rule in RULES.values()} == AUDITED


def test_an_older_grant_that_arrives_after_a_withdrawal_ends_the_cycle_and_is_no_consent() -> None:
    told = [value(it) for it in recording("withdrawn") if it.topic == "consents"]
    ended = {it["account_id"] for it in told if it["event"] == "consent.withdrawn"}
    assert {"e1", "e3"} <= ended
    assert not [it for it in told if it["event"] == "consent.granted" and it["account_id"] == "e1"]
    assert audit(recording("withdrawn")) == []


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_topics_are_read_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    waiting = {}
    for record in recording("clean"):
        waiting.setdefault(record.topic, []).append(record)
    auditor, found = Auditor(), []
    for record in waiting.pop("policies"):
        auditor.feed(record)
    for record in waiting.pop("dead-letters"):
        auditor.feed(record)
    while waiting:
        topic = chance.choice(sorted(waiting))
        for _ in range(chance.randint(1, 40)):
            if waiting[topic]:
                auditor.feed(waiting[topic].pop(0))
        if not waiting[topic]:
            del waiting[topic]
        found += auditor.breaches()
    assert found + auditor.finish() == []


def test_read_from_the_middle_on_it_judges_what_it_can() -> None:
    middle = [it for it in recording("clean") if it.topic == "policies" or it.timestamp > _MIDDLE]
    assert audit(middle, whole=False) == []


_MIDDLE = 1_704_067_200_000 + 6 * DAY


def test_a_batch_that_does_not_unpack_and_is_no_dead_letter_is_found() -> None:
    def unreadable(record: Record) -> bool:
        return record.topic == "dead-letters" and value(record)["reason"] == "unreadable_batch"

    letter = next(value(it) for it in recording("refused") if unreadable(it))
    for told, breaches in ((True, set()), (False, {"refused_unsaid"})):
        auditor = Auditor()
        auditor.cannot_read("account-changes", 0, letter["offset"], letter["last_offset"], 0)
        for record in recording("refused"):
            if told or not (unreadable(record) and value(record)["offset"] == letter["offset"]):
                auditor.feed(record)
        assert letter["topic"] == "byline.account-changes"
        assert {it.name for it in auditor.finish()} == breaches


def test_a_followed_audit_counts_each_breach_and_shows_how_far_it_is() -> None:
    registry = CollectorRegistry()
    metrics = AuditMetrics(registry)
    auditor = Auditor()
    for record in recording("clean"):
        if record.topic != "notice-receipts":
            auditor.feed(record)
    metrics.found(auditor.finish())
    metrics.progress(auditor)
    wanted = {"invariant": "1", "breach": "delivery_without_word"}
    assert (registry.get_sample_value("byline_audit_breaches_total", wanted) or 0) > 10
    assert registry.get_sample_value("byline_audit_events") == auditor.events_seen
    quiet = {"invariant": "7", "breach": "event_twice"}
    assert registry.get_sample_value("byline_audit_breaches_total", quiet) == 0
