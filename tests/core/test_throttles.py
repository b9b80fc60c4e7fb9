"""The throttle machine: applied, reviewed, renewed, lifted, ended, surface by surface."""

from dataclasses import replace

import pytest

from schemas.enums import Level, Mode, Surface
from streams.core.model.policy import Policy, Restriction
from tests.core.given import DAY, HOUR, MINUTE, Day, policy
from tests.core.states import ISSUED, WINDOW, delivered, expired, lifted

RENEWED = ["renewed recommend-feed review", "renewed tips review"]


def with_surfaces(surfaces: dict[Surface, Restriction], **changes: object) -> Policy:
    """The policy with other surfaces."""
    consequence = replace(policy().consequence, surfaces=surfaces)
    return policy(consequence=consequence, **changes)


def test_a_restriction_says_when_it_is_reviewed_and_when_it_ends() -> None:
    day = delivered().wait(WINDOW)
    applied = [event for event in day.events if event["event"] == "throttle.applied"]
    assert [(event["surface"], event["level"]) for event in applied] == [
        ("recommend-feed", "limited"),
        ("tips", "off"),
    ]
    for event in applied:
        assert event["effective_at"] == event["decided_at"] == "2024-01-04T01:01:00.000Z"
        assert event["review_at"] == "2024-01-09T01:01:00.000Z"
        assert event["expires_at"] == "2024-01-24T01:01:00.000Z"
        assert event["statement"]["facts"]["followers_band"] == "under-100000"
        assert event["statement"]["restriction"]["surface"] == event["surface"]


def test_a_review_renews_again_and_again_until_the_end() -> None:
    day = expired()
    assert day.wait(5 * DAY - 1).said() == []
    assert day.wait(1).said() == RENEWED
    assert day.wait(10 * DAY).said() == RENEWED * 2
    assert day.wait(5 * DAY).said() == ["lifted recommend-feed ended", "lifted tips ended"]
    assert day.account().live.state.name == "NONE"
    assert day.wait(10 * DAY - 1).said() == []
    assert day.wait(1).said() == [ISSUED], "a new cycle after the cool-down"


def test_a_renewal_moves_the_review_only() -> None:
    day = expired().wait(5 * DAY)
    renewed = day.events[-1]
    assert renewed["review_at"] == "2024-01-14T01:01:00.000Z"
    throttled = day.account().live.cycle.throttles[Surface.TIPS]  # type: ignore[union-attr]
    assert throttled.expires_at == throttled.effective_at + 20 * DAY


def test_applied_renewed_and_lifted_carry_one_throttle_id_and_each_its_own_event_id() -> None:
    day = delivered().wait(WINDOW + 5 * DAY).change("exempted")
    tips = [event for event in day.events if event.get("surface") == "tips"]
    assert [event["event"].split(".")[1] for event in tips] == ["applied", "renewed", "lifted"]
    assert len({event["throttle_id"] for event in tips}) == 1
    assert len({event["event_id"] for event in day.events}) == len(day.events)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda day: day.answer("granted"), "granted"),
        (lambda day: day.reads(10).wait(7 * DAY), "left"),
        (lambda day: day.change("exempted"), "exempted"),
        (lambda day: day.label("日常生活"), "label"),
        (lambda day: day.change("closed"), "closed"),
        (lambda day: day.change("owner_changed"), "owner_changed"),
        (lambda day: day.control("lift"), "operator"),
        (lambda day: day.control("appeal_upheld"), "appeal"),
        (lambda day: day.wait(20 * DAY), "ended"),
    ],
)
def test_every_way_out_frees_every_surface_once(end, reason: str) -> None:  # type: ignore[no-untyped-def]
    day = end(expired())
    said = [words for words in day.said() if words.startswith("lifted")]
    assert said == lifted(reason)
    day.wait(MINUTE).control("lift").run_timers()
    assert day.said() == [], "and never twice"


@pytest.mark.parametrize("surface", [Surface.RECOMMEND_FEED, Surface.TIPS])
def test_only_surfaces_that_the_present_policy_still_names_are_applied(surface: Surface) -> None:
    day = delivered()
    left = {surface: policy().consequence.surfaces[surface]}  # type: ignore[index]
    day.open(with_surfaces(left, version=2))
    assert day.wait(WINDOW).said()[-1] == f"applied {surface} no_answer"
    assert len(day.account().live.cycle.throttles) == 1  # type: ignore[union-attr]


def test_a_surface_that_a_new_policy_adds_needs_a_new_invitation() -> None:
    day = delivered()
    more = {
        **(policy().consequence.surfaces or {}),
        Surface.SEARCH: Restriction(Level.OFF, None),
    }
    day.open(with_surfaces(more, version=2))
    assert not any("search" in words for words in day.wait(WINDOW).said())
    day.control("lift").change("exempted").change("exemption_ended")


def test_a_surface_that_a_new_policy_drops_is_freed_at_once() -> None:
    day = expired()
    kept = {Surface.TIPS: Restriction(Level.OFF, None)}
    day.open(with_surfaces(kept, version=2))
    assert day.run_timers().said() == ["lifted recommend-feed policy"]
    assert day.wait(5 * DAY).said() == ["renewed tips review"]


FEED = {Surface.RECOMMEND_FEED: Restriction(Level.LIMITED, None)}
MILDER: dict[str, Policy] = {
    "the surface is dropped": with_surfaces(FEED, version=2),
    "its level is milder": with_surfaces(
        {**FEED, Surface.TIPS: Restriction(Level.LIMITED, None)}, version=2
    ),
    "it is in shadow": with_surfaces(
        {**FEED, Surface.TIPS: Restriction(Level.OFF, Mode.SHADOW)}, version=2
    ),
}


@pytest.mark.parametrize("how", MILDER)
def test_a_freed_surface_needs_a_new_invitation_though_a_later_policy_names_it(how: str) -> None:
    """Seed 1519: the delivery of the expired cycle bounced, and another one expired, too."""
    day = expired()
    day.open(MILDER[how])
    assert day.run_timers().said() == ["lifted tips policy"]
    day.open(policy(version=3))
    day.wait(MINUTE).receipt("failed").control("reissue").wait(MINUTE).receipt()
    assert day.events[-2]["surfaces_at_stake"] == ["recommend-feed"], "it was issued anew"
    day.said()
    assert "applied recommend-feed no_answer" in day.wait(WINDOW + DAY).said()
    assert [event["surface"] for event in day.events if event["event"] == "throttle.applied"] == [
        "recommend-feed",
        "tips",
        "recommend-feed",
    ]


def test_the_milder_of_the_pinned_and_the_present_level_is_applied() -> None:
    day = delivered()
    changed = {
        Surface.RECOMMEND_FEED: Restriction(Level.OFF, None),
        Surface.TIPS: Restriction(Level.LIMITED, None),
    }
    day.open(with_surfaces(changed, version=2))
    day.wait(WINDOW)
    applied = [event for event in day.events if event["event"] == "throttle.applied"]
    assert [event["level"] for event in applied] == ["limited", "limited"]


def test_a_ground_that_the_present_policy_no_longer_names_restricts_nothing() -> None:
    day = delivered()
    milder = replace(policy().consequence, on=frozenset({"declined"}))
    day.open(policy(version=2, consequence=milder))
    assert day.wait(WINDOW).said() == ["reminded reminder", "expired no_answer"]


def test_a_throttle_off_surface_is_never_at_stake() -> None:
    surfaces = {
        Surface.TIPS: Restriction(Level.OFF, Mode.OFF),
        Surface.SEARCH: Restriction(Level.LIMITED, None),
    }
    day = delivered(with_surfaces(surfaces))
    assert day.events[0]["surfaces_at_stake"] == ["search"]
    assert day.wait(WINDOW).said()[-1] == "applied search no_answer"


def test_a_restriction_ends_at_expires_at_whatever_defers() -> None:
    day = expired().switch("adverse_off", True).control("hold").control("appeal_opened")
    said = day.wait(20 * DAY).said()
    assert said == ["lifted recommend-feed ended", "lifted tips ended"]


@pytest.mark.parametrize("brake", ["adverse_off", "throttles_off"])
def test_a_deferred_review_is_made_up_for_when_the_deferral_ends(brake: str) -> None:
    day = expired().switch(brake, True)
    assert day.wait(6 * DAY).said() == []
    assert day.switch(brake, False).run_timers().said() == RENEWED
    assert day.events[-1]["review_at"] == "2024-01-15T01:01:00.000Z"


def test_an_account_that_falls_while_restricted_is_not_renewed_but_freed_when_it_left() -> None:
    day = expired().wait(4 * DAY).reads(10)
    assert day.wait(7 * DAY).said() == ["cancelled left", *lifted("left")]


def test_after_an_upheld_appeal_the_same_cycle_never_restricts_again() -> None:
    day = expired().control("appeal_opened").wait(DAY).control("appeal_upheld")
    assert day.said() == lifted("appeal")
    assert day.wait(300 * DAY).said() == []


def test_a_day_without_restrictions_says_nothing_at_the_review() -> None:
    day = Day(with_surfaces({})).label("财经").reads(1500).wait(60 * MINUTE).receipt()
    assert day.wait(WINDOW).said()[-1] == "expired no_answer"
    assert day.wait(20 * DAY).said() == []


def test_the_statement_names_the_field_that_holds_when_the_restriction_begins() -> None:
    day = delivered().wait(HOUR).label("法律", source="verified")
    day.wait(WINDOW)
    said = next(event for event in day.events if event["event"] == "throttle.applied")
    assert day.events[0]["field"] == "finance"
    facts = said["statement"]["facts"]
    assert (facts["field"], facts["field_source"]) == ("law", "verified")
