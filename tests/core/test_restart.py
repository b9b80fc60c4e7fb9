"""A restart in the middle of any life changes nothing that is said."""

import random
from collections.abc import Callable

import pytest

from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from tests.core.given import DAY, HOUR, MINUTE, Day, policy, stability
from tests.core.states import STATES

Act = Callable[[Day], object]
POLICY = policy(stability=stability(max_age=20 * DAY))


def acts(seed: int) -> list[Act]:
    """A random day: mostly inside, with every input there is."""
    draw = random.Random(seed)
    made: list[Act] = [lambda day: day.label("财经"), lambda day: day.reads(1500)]
    for number in range(40):
        made.append(_act(draw, number))
        gap = draw.choice([MINUTE, HOUR, DAY, 3 * DAY])
        made.append(lambda day, gap=gap: day.wait(gap))
    return made


def _act(draw: random.Random, number: int) -> Act:
    count = draw.choice([1500, 1500, 950, 100])
    label = draw.choice(["财经", "法律", "日常生活", None])
    cycle = draw.choice([1, 1, 2, 3])
    outcome = draw.choice(["delivered", "delivered", "failed"])
    answer = draw.choice(["granted", "declined", "withdrawn"])
    command = draw.choice(
        ["hold", "unhold", "lift", "reissue", "appeal_opened", "appeal_rejected", "appeal_upheld"]
    )
    change = draw.choice(["owner_changed", "exempted", "exemption_ended", "closed", "reopened"])
    switch = draw.choice(["adverse_off", "invitations_off", "throttles_off", "answers_paused"])
    on, days = draw.random() < 0.4, draw.randrange(1, 9)
    choices: list[Act] = [
        lambda day: day.reads(count),
        lambda day: day.reads(1500),
        lambda day: day.label(label),
        lambda day: day.label("财经"),
        lambda day: day.receipt(outcome, cycle=cycle),
        lambda day: day.answer(answer),
        lambda day: day.control(command, control_id=f"n{number}"),
        lambda day: day.control("unhold", control_id=f"n{number}"),
        lambda day: day.control("appeal_rejected", control_id=f"n{number}"),
        lambda day: day.control(
            "hold", control_id=f"n{number}", expires_at=rfc3339(day.now + days * DAY)
        ),
        lambda day: day.control(
            "extend", control_id=f"n{number}", until=rfc3339(day.now + days * DAY)
        ),
        lambda day: day.change(change),
        lambda day: day.change("exemption_ended"),
        lambda day: day.change("reopened"),
        lambda day: day.switch(switch, on),
        lambda day: day.switch(switch, False),
    ]
    return draw.choice(choices)


def told(seed: int, restarts: bool) -> tuple[list[object], Day]:
    """All events of a life, with or without restarts, and the day."""
    day = Day(POLICY)
    for act in acts(seed):
        act(day)
        if restarts:
            day.open(POLICY)
    day.wait(60 * DAY)
    return list(day.events), day


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(it, marks=pytest.mark.slow) for it in range(20, 60))]
)
def test_a_restart_after_every_step_changes_nothing(seed: int) -> None:
    straight, day = told(seed, restarts=False)
    assert told(seed, restarts=True)[0] == straight
    due = day.partition.due()
    assert due is None or due > day.now


@pytest.mark.parametrize("state", STATES)
def test_a_restart_in_each_state_keeps_every_timer(state: str) -> None:
    day, other = STATES[state](), STATES[state]()
    other.open(policy())
    assert other.partition.due() == day.partition.due()
    assert other.wait(60 * DAY).said() == day.wait(60 * DAY).said()


@pytest.mark.parametrize("policies", [(policy(), policy(version=2, rollout_percent=99))])
def test_a_restart_in_the_middle_of_taking_up_a_policy_finishes_it(
    policies: tuple[Policy, Policy],
) -> None:
    day = STATES["DELIVERED"]()
    for _ in range(3):
        day.open(policies[1])
    assert day.run_timers().wait(2 * DAY).said() == ["reminded reminder"]
