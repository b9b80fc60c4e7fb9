"""What random histories found once, told as examples, so that it stays found."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from schemas.enums import Mode, Surface
from streams.core.model.ids import invitation_id
from tests.core.given import DAY, HOUR, MINUTE, Day, policy, stability
from tests.core.invariants.bugs import FREED_BUG, planted
from tests.core.invariants.properties import check
from tests.core.invariants.world import WorldRun


def _delivered() -> Day:
    day = Day(policy(stability=stability(dwell=0)))
    day.label("财经").reads(1500).receipt()
    day.said()
    return day


def test_no_restriction_is_renewed_after_its_end() -> None:
    day = _delivered().wait(3 * DAY)
    day.said()
    day.now += 30 * DAY  # the worker was away past every review and the end
    assert day.run_timers().said() == ["lifted recommend-feed ended", "lifted tips ended"]


def test_a_receipt_counts_once_whatever_came_between() -> None:
    day = _delivered()
    first = day.now
    day.wait(HOUR).receipt("failed").wait(HOUR).receipt().wait(HOUR).receipt("failed")
    assert day.said() == [
        "undeliverable other",
        "delivered receipt",
        "undeliverable other",
    ]
    assert day.wait(MINUTE).receipt(at=first).said() == []


@pytest.mark.parametrize("broken", [False, True], ids=["sound", "mistaken"])
def test_a_surface_that_a_milder_policy_freed_is_not_restricted_again_in_its_cycle(
    broken: bool,
) -> None:
    """The property of invariant 9 speaks where the core makes that mistake, and not elsewhere."""
    quick = stability(dwell=0)
    surfaces = policy().consequence.surfaces or {}
    fewer = {it: surfaces[it] for it in surfaces if it is not Surface.TIPS}
    milder = replace(policy().consequence, surfaces=fewer)
    with planted(FREED_BUG) if broken else nullcontext():
        run = WorldRun(policy(stability=quick))
        _told(run, "category-changes", "observed_at", category="财经")
        _told(run, "follower-counts", "observed_at", followers=1500)
        _told(run, "notice-receipts", "occurred_at", outcome="delivered")
        run.wait(5 * DAY)
        run.open(policy(version=2, stability=quick, consequence=milder))
        run.run_timers()
        run.wait(HOUR)
        run.open(policy(version=3, stability=quick))
        _told(run, "notice-receipts", "occurred_at", outcome="failed")
        run.wait(HOUR)
        again = {"control_id": "c1", "command": "reissue", "actor": "op", "reason": "test"}
        _told(run, "controls", "issued_at", **again)
        run.wait(HOUR)
        _told(run, "notice-receipts", "occurred_at", outcome="delivered")
        run.wait(5 * DAY)
    events = [event for step in run.trace for _, event in step.events]
    applied = [event["surface"] for event in events if event["event"] == "throttle.applied"]
    assert applied == ["recommend-feed", "tips", "recommend-feed"] + ["tips"] * broken
    breaches = [(it.number, it.what) for it in check(run.trace)]
    assert breaches == [(9, "tips was freed by a milder policy")] * broken


def _told(run: WorldRun, topic: str, clock: str, **value: Any) -> None:
    if topic == "notice-receipts":
        value["invitation_id"] = invitation_id("weibo", "a", Mode.ENFORCE, 1)
    about = {"platform": "weibo", "account_id": "a", clock: run.now}
    run.put(topic, "weibo:a", {**about, **value})
