"""Random lives keep the rules that the audit knows, so that neither oracle argues alone."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.oracle.audit import check_accounts
from tests.oracle.given import ENFORCE, Story, at, expired
from tests.oracle.policy import OraclePolicy
from tests.oracle.sample import PARTITIONS, records_of, values_of
from tests.oracle.wire import check_outputs

FAIR = ENFORCE.but(
    dwell=timedelta(minutes=3),
    exit_ratio=Decimal("0.9"),
    leave_after=timedelta(minutes=8),
    cool_down=timedelta(minutes=15),
    reminders=(timedelta(minutes=40), timedelta(minutes=10)),
)
POLICIES = {
    "plain": ENFORCE,
    "fair": FAIR,
    "keep": FAIR.but(keep=True),
    "aging": FAIR.but(max_age=timedelta(minutes=45)),
    "refusal alone": FAIR.but(on=frozenset({"declined"})),
    "shadow": FAIR.but(mode="shadow"),
    "shadow surface": FAIR.but(surfaces={"tips": ("off", "shadow"), "hot-search": ("off", None)}),
}
NEXT = [
    FAIR,
    FAIR.but(mode="shadow"),
    FAIR.but(mode="off"),
    FAIR.but(surfaces={"tips": ("limited", None)}),
    FAIR.but(window=timedelta(minutes=90)),
    FAIR.but(notice_version="2", renew=True),
    FAIR.but(labels={"法律": "law"}),
]


def live(seed: int, policy: OraclePolicy, steps: int = 60) -> Story:
    """A random life: mostly inside, with every input there is."""
    draw = random.Random(seed)
    story = Story(policy).label(0).reads(0, 1500)
    minute = 5.0
    for _ in range(steps):
        act = draw.randrange(24)
        earlier = at(minute - draw.choice([0, 0, 0, 1, 30]))
        if act < 6:
            count = draw.choice([1500, 1500, 1000, 950, 800, 20])
            story.reads(minute, count, observed_at=earlier)
        elif act < 10:
            story.receipt(minute, draw.choice(["delivered"] * 3 + ["failed"]), occurred_at=earlier)
        elif act < 13:
            answer = draw.choice(["granted", "declined", "withdrawn"])
            story.answers(minute, answer, occurred_at=earlier)
        elif act < 15:
            story.label(minute, draw.choice(["财经", "财经", "法律", "娱乐", None]))
        elif act < 17:
            changes = ["closed", "reopened", "owner_changed", "exempted", "exemption_ended"]
            story.change(minute, draw.choice([*changes[1:2] * 3, *changes, *changes[4:] * 3]))
        elif act < 21:
            _control(story, minute, draw)
        elif act < 23:
            switches = ["adverse_off", "invitations_off", "throttles_off", "answers_paused"]
            story.switch(minute, draw.choice(switches), draw.random() < 0.3)
        elif draw.random() < 0.2:
            story.policy(minute, draw.choice(NEXT))
        minute += draw.choice([0, 1, 3, 9, 20, 61])
    return story.until(minute + 500)


def _control(story: Story, minute: float, draw: random.Random) -> None:
    commands = ["hold", "unhold", "unhold", "lift", "extend", "reissue", "reissue"]
    commands += ["appeal_opened", "appeal_upheld", "appeal_rejected", "appeal_rejected"]
    command, more = draw.choice(commands), {}
    if command == "hold":
        more = {"expires_at": at(minute + 30)}
    if command == "extend":
        more = {"until": at(minute + draw.choice([5, 50, 80]))}
    story.control(minute, command, **more)


@pytest.mark.parametrize("name", list(POLICIES))
@pytest.mark.slow
def test_random_lives_have_no_breach(name: str) -> None:
    seen: set[str] = set()
    for seed in range(120):
        values = values_of(live(seed, POLICIES[name]).life)
        seen |= {f"{value['event']} {value['reason']}" for value in values}
        breaches = check_outputs(records_of(values), partitions=PARTITIONS)
        assert breaches == [], (seed, breaches)
    assert len(seen) > (12 if name == "shadow" else 25), seen


def test_of_one_instant_nobody_says_whether_a_shadow_surface_was_lifted_first() -> None:
    """A grant read after the withdrawal lifts what is restricted, then says withdrawn."""
    story = expired(POLICIES["shadow surface"].but(dwell=timedelta(0)))
    story.answers(70, "withdrawn").answers(71, "granted", occurred_at=at(69))
    assert story.then() == [
        "lifted granted hot-search",
        "shadow lifted granted tips",
        "withdrawn answer",
    ]
    assert check_accounts(values_of(story.life)) == []
