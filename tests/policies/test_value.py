"""A policy made in code refuses the same nonsense: each guard of the value shown failing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.enums import Field, Mode
from streams.core.model.policy import Policy
from streams.policies import load_policy
from tests.policies.given import HERE

POLICY = load_policy(HERE / "good.yaml")
NOTICE, STABILITY, CONSEQUENCE = POLICY.notice, POLICY.stability, POLICY.consequence
MILLION, HALF = POLICY.phases


def _guards(**change: Any) -> Policy:
    assert POLICY.guards is not None
    return replace(POLICY, guards=replace(POLICY.guards, **change))


NONSENSE: list[tuple[str, Callable[[], Any]]] = [
    ("a notice id or version is an id", lambda: replace(NOTICE, id="two words")),
    ("a notice id or version is an id", lambda: replace(NOTICE, version="1\n")),
    ("an answer window is longer than zero", lambda: replace(NOTICE, answer_window=0)),
    (
        "a notice has at most ten reminders",
        lambda: replace(NOTICE, reminders=tuple(range(1, 12))),
    ),
    ("a reminder is before the deadline", lambda: replace(NOTICE, reminders=(0,))),
    ("a reminder is within the window", lambda: replace(NOTICE, answer_window=1)),
    ("a phase's name is an id", lambda: replace(HALF, name="")),
    ("a line is 1 to 10^10 followers", lambda: replace(HALF, followers=0)),
    ("a line is 1 to 10^10 followers", lambda: replace(HALF, followers=10**10 + 1)),
    ("answer_by is after the phase's start", lambda: replace(HALF, answer_by=HALF.starts_at)),
    ("a duration is not negative", lambda: replace(STABILITY, dwell=-1)),
    ("a duration is not negative", lambda: replace(STABILITY, leave_after=-1)),
    ("a duration is not negative", lambda: replace(STABILITY, cool_down=-1)),
    ("an exit ratio is above 0", lambda: replace(STABILITY, exit_ratio_ppm=0)),
    ("an exit ratio is above 0", lambda: replace(STABILITY, exit_ratio_ppm=1_000_001)),
    ("max_age is longer than zero", lambda: replace(STABILITY, max_age=0)),
    ("a consequence follows declined", lambda: replace(CONSEQUENCE, on=frozenset({"silence"}))),
    ("reviewed before it expires", lambda: replace(CONSEQUENCE, review_after=0)),
    ("reviewed before it expires", lambda: replace(CONSEQUENCE, expires_after=1)),
    ("a guard's window is longer than zero", lambda: _guards(window=0)),
    ("a guard needs at least one case", lambda: _guards(minimum=0)),
    ("a guard's ratio is above 0", lambda: _guards(undelivered_ppm=0)),
    ("a guard's ratio is above 0", lambda: _guards(overturned_ppm=1_000_001)),
    ("a guard's ratio is above 0", lambda: _guards(sudden_eligible_ppm=0)),
    ("a guard's ratio is above 0", lambda: _guards(sudden_drop_ppm=0)),
    ("a platform is a slug", lambda: replace(POLICY, platform="weibo\n")),
    ("versions count from 1", lambda: replace(POLICY, version=0)),
    ("at least one phase", lambda: replace(POLICY, phases=())),
    ("one name a phase", lambda: replace(POLICY, phases=(MILLION, replace(HALF, name="million")))),
    (
        "two phases never start at once",
        lambda: replace(POLICY, phases=(MILLION, replace(HALF, starts_at=MILLION.starts_at))),
    ),
    (
        "a later phase has a lower line",
        lambda: replace(POLICY, phases=(MILLION, replace(HALF, followers=1_000_000))),
    ),
    (
        "a label is covered or exempt",
        lambda: replace(POLICY, exempt_labels=frozenset({"财经"})),
    ),
    ("a label is 1 to 64 characters", lambda: replace(POLICY, labels={"": Field.LAW})),
    ("a label is 1 to 64 characters", lambda: replace(POLICY, exempt_labels=frozenset({"x" * 65}))),
    ("an impact assessment is one word", lambda: replace(POLICY, impact_assessment=" ")),
    ("an impact assessment is one word", lambda: replace(POLICY, impact_assessment="by Li")),
    ("an impact assessment is one word", lambda: replace(POLICY, impact_assessment="a@b")),
    ("an impact assessment is one word", lambda: replace(POLICY, impact_assessment="x" * 129)),
    ("an impact assessment is one word", lambda: replace(POLICY, impact_assessment="\u3164")),
    (
        "an actor has one spelling",
        lambda: replace(POLICY, approvals=(("li.w", 1), ("Li.w", 2))),
    ),
    ("a cap is not negative", lambda: replace(POLICY, invitations_per_day=-1)),
    ("a cap is not negative", lambda: replace(POLICY, throttles_per_hour=-1)),
    ("a roll-out is 0 to 100 per cent", lambda: replace(POLICY, rollout_percent=101)),
    (
        "enforce needs impact_assessment",
        lambda: replace(POLICY, mode=Mode.ENFORCE, impact_assessment=None),
    ),
    (
        "enforce needs consequence.surfaces",
        lambda: replace(POLICY, mode=Mode.ENFORCE, consequence=replace(CONSEQUENCE, surfaces=None)),
    ),
    (
        "enforce needs notice.answer_window",
        lambda: replace(POLICY, mode=Mode.ENFORCE, notice=replace(NOTICE, answer_window=None)),
    ),
]


@pytest.mark.parametrize(("words", "make"), NONSENSE)
def test_nonsense_is_refused_when_it_is_made(words: str, make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=words.replace("^", r"\^")):
        make()


def test_the_policy_that_nonsense_differs_from_is_sound() -> None:
    assert replace(POLICY, mode=Mode.ENFORCE).missing_for_enforce == ()
