"""Shadow lives, shadow surfaces of a live cycle, and changes between off, shadow and enforce."""

from dataclasses import replace

import pytest

from schemas.enums import Level, Mode, Surface
from streams.core.model.policy import Policy, Restriction
from tests.core.given import DAY, HOUR, START, Day, policy
from tests.core.states import ISSUED, WINDOW, begun, brief, delivered, expired, granted, invited

SHADOW = policy(mode=Mode.SHADOW)
BEGUN = ["issued over_line (shadow)", "delivered projected (shadow)"]
RUN = [
    "reminded reminder (shadow)",
    "expired no_answer (shadow)",
    "applied recommend-feed no_answer (shadow)",
    "applied tips no_answer (shadow)",
]
LIFTED = ["lifted recommend-feed {} (shadow)", "lifted tips {} (shadow)"]


def next_version(mode: Mode, version: int = 2, **changes: object) -> Policy:
    """The same policy in another mode."""
    return policy(mode=mode, version=version, **changes)


def live_topics(day: Day) -> set[str]:
    """Topics of events that were written to."""
    names = {topic for topic, _, _, _ in day.tables.outputs}
    return names - {"decisions", "dead-letters"}


def test_a_shadow_life_is_delivered_by_projection_and_runs_to_its_end() -> None:
    day = begun(SHADOW).wait(HOUR)
    assert day.said() == BEGUN
    assert day.wait(WINDOW).said() == RUN
    said = day.wait(20 * DAY).said()
    assert said[0] == "renewed recommend-feed review (shadow)"
    assert said[-2:] == [words.format("ended") for words in LIFTED]
    assert live_topics(day) == {"shadow.invitations", "shadow.throttles"}


def test_a_null_window_stays_delivered_and_its_deadline_is_null() -> None:
    nothing = replace(policy().notice, answer_window=None, reminders=())
    day = begun(policy(mode=Mode.SHADOW, notice=nothing)).wait(HOUR)
    assert day.said() == BEGUN
    assert day.events[-1]["deadline_at"] is None
    assert day.events[0]["answer_window_seconds"] is None
    assert day.wait(400 * DAY).said() == []
    assert day.account().shadow.state.name == "DELIVERED"


@pytest.mark.parametrize("cycle", [1, 2])
def test_nobody_answers_a_shadow_notice(cycle: int) -> None:
    day = invited(SHADOW)
    day.receipt("failed", cycle=cycle).answer("granted").answer("declined").answer("withdrawn")
    assert day.said() == []
    assert day.account().shadow.state.name == "DELIVERED"


def test_a_shadow_life_ends_as_a_live_one_would() -> None:
    assert invited(SHADOW).change("exempted").said() == ["cancelled exempted (shadow)"]
    day = invited(SHADOW).wait(WINDOW)
    day.said()
    assert day.control("lift").said() == [words.format("operator") for words in LIFTED]


def test_a_shadow_life_is_deferred_and_extended_alike() -> None:
    day = invited(SHADOW).control("hold").wait(DAY).control("unhold")
    assert day.said() == ["extended pause (shadow)"]


def test_a_shadow_surface_of_a_live_cycle_writes_to_the_shadow_topic_alone() -> None:
    surfaces = {
        Surface.SEARCH: Restriction(Level.LIMITED, None),
        Surface.TIPS: Restriction(Level.OFF, Mode.SHADOW),
    }
    rule = policy(consequence=replace(policy().consequence, surfaces=surfaces))
    day = delivered(rule).wait(WINDOW)
    assert day.said()[1:] == [
        "expired no_answer",
        "applied search no_answer",
        "applied tips no_answer (shadow)",
    ]
    tips = day.events[-1]
    assert (tips["cycle"], tips["sequence"]) == (1, 1)
    assert tips["invitation_id"] == day.events[0]["invitation_id"]
    by_topic = {topic: value for topic, _, value, _ in day.tables.outputs}
    assert by_topic["shadow.throttles"]["surface"] == "tips"
    assert by_topic["throttles"]["surface"] == "search"
    assert day.wait(1).answer("granted").said() == [
        "granted late",
        "lifted search granted",
        "lifted tips granted (shadow)",
    ]


@pytest.mark.parametrize("to", [Mode.SHADOW, Mode.OFF])
def test_leaving_enforce_cancels_and_lifts_what_is_open(to: Mode) -> None:
    day = expired()
    day.open(next_version(to))
    said = day.run_timers().said()
    assert said[:3] == [
        "cancelled policy",
        "lifted recommend-feed policy",
        "lifted tips policy",
    ]
    assert all("(shadow)" in words for words in said[3:])
    assert day.wait(100 * DAY).said() == [] or to is Mode.SHADOW


def test_leaving_enforce_keeps_a_consent_and_its_withdrawal_is_told_in_every_mode() -> None:
    for mode in (Mode.SHADOW, Mode.OFF):
        day = granted()
        day.open(next_version(mode))
        assert day.wait(30 * DAY).said() == []
        assert day.account().live.state.name == "GRANTED"
        assert day.answer("withdrawn").run_timers().said()[0] == "withdrawn answer"


def test_from_shadow_to_enforce_the_live_life_starts_from_none() -> None:
    day = invited(SHADOW).wait(WINDOW)
    day.said()
    day.open(next_version(Mode.ENFORCE))
    said = day.run_timers().said()
    assert said == ["cancelled policy (shadow)", *(w.format("policy") for w in LIFTED), ISSUED]
    live = day.events[-1]
    assert (live["cycle"], live["sequence"], live["mode"]) == (1, 1, "enforce")


def test_from_shadow_to_off_everything_of_it_ends() -> None:
    day = invited(SHADOW)
    day.open(next_version(Mode.OFF))
    assert day.run_timers().said() == ["cancelled policy (shadow)"]
    assert day.wait(100 * DAY).said() == []


def test_off_does_nothing_and_going_on_from_it_does() -> None:
    day = begun(policy(mode=Mode.OFF)).wait(30 * DAY)
    assert day.said() == []
    day.open(next_version(Mode.ENFORCE))
    assert day.wait(HOUR).said() == [ISSUED]


def test_the_numbers_of_a_mode_go_on_after_the_other() -> None:
    day = Day(brief(mode=Mode.SHADOW)).label("财经").reads(1500)
    day.open(brief(version=2))
    day.run_timers().wait(DAY)
    day.open(brief(version=3, mode=Mode.SHADOW))
    day.wait(30 * DAY)
    for mode in ("shadow", "enforce"):
        numbers = [event["sequence"] for event in day.events if event["mode"] == mode]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_phase_may_shadow_while_another_enforces() -> None:
    first = policy().phases[0]
    wider = replace(first, name="wider", followers=500, starts_at=START, mode=Mode.SHADOW)
    rule = policy(phases=(first, wider))
    assert begun(rule).wait(HOUR).said() == [ISSUED]
    day = Day(rule).label("财经").reads(600).wait(HOUR)
    assert day.said() == BEGUN
    assert day.events[0]["phase"] == "wider"


def test_a_phase_that_is_off_is_not_in_force() -> None:
    dark = replace(policy().phases[0], mode=Mode.OFF)
    assert begun(policy(phases=(dark,))).wait(10 * DAY).said() == []
