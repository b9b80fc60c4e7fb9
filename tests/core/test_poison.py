"""Whatever comes in, in whatever order and at whatever instant, a partition goes on and stays true.

Random days with absurd instants, late and stepping clocks, changing policies and restarts: nothing
but a refusal to go on (`Stop`) may be raised, and what is said keeps to the wire's models.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.enums import (
    Answer,
    Cause,
    Change,
    Command,
    ControlReason,
    Event,
    LabelSource,
    Mode,
    Switch,
)
from schemas.events import EVENT_MODELS
from schemas.records import RECORD_MODELS
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Guards, Phase
from tests.contracts.test_decode import TIMES
from tests.core.given import DAY, HOUR, MINUTE, NOT_EVENTS, PLATFORM, START, Day
from tests.core.states import delivered
from tests.core.test_model import FAIR, MODES, NEXT, POLICIES

RULES = [
    *POLICIES.values(),
    *NEXT,
    *MODES,
    replace(FAIR, invitations_per_day=1, throttles_per_hour=1),
    replace(FAIR, guards=Guards(DAY, 1, 1, 1, 1, 1)),
    replace(
        FAIR,
        phases=(
            Phase("first", 2000, START - DAY, None, None),
            Phase("second", 1000, START + HOUR, START + 5 * DAY, Mode.SHADOW),
            Phase("third", 500, None, None, None),
        ),
    ),
]
SECONDS_OFF = (0, 0, 0, -1, 1, -60, 60, -3600, -86_400, 300, -400 * 86_400)


class Chaos:
    """A day on which anything comes in."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.policy = self.draw.choice(RULES)
        self.day = Day(self.policy).label("财经").reads(1500)
        self.makers: list[Callable[[str], tuple[str, dict[str, Any] | None]]] = [
            *[self._reading] * 4,
            *[self._label] * 2,
            *[self._change] * 2,
            *[self._receipt] * 3,
            *[self._answer] * 3,
            *[self._control] * 4,
        ]

    def instant(self) -> str:
        """Near now, or absurd."""
        if self.draw.random() < 0.1:
            return self.draw.choice(TIMES)
        return rfc3339(self.day.now + 1000 * self.draw.choice(SECONDS_OFF))

    def run(self, steps: int) -> Day:
        """Inputs, time, policies and restarts."""
        for _ in range(steps):
            what = self.draw.random()
            if what < 0.03:
                version = self.policy.version + 1
                self.policy = replace(self.draw.choice(RULES), version=version)
                self.day.open(self.policy)
            elif what < 0.06:
                self.day.open(self.policy)
            else:
                self._input()
            self._time()
        return self.day.wait(30 * DAY)

    def _time(self) -> None:
        day, what = self.day, self.draw.random()
        if what < 0.6:
            day.wait(self.draw.choice([0, 1, MINUTE, HOUR, 5 * HOUR]))
        elif what < 0.7:
            day.now += self.draw.choice([1, HOUR, 3 * DAY])
        elif what < 0.75:
            day.now -= self.draw.choice([1, 1000, MINUTE])
        if self.draw.random() < 0.3:
            as_of = day.now - self.draw.choice([0, 0, 1, 1000, HOUR])
            while day.partition.run_timers(day.tables, day.now, as_of, 1):
                pass

    def _input(self) -> None:
        if self.draw.random() < 0.1:
            word, scope = self.draw.choice(list(Switch)), self.draw.choice(["*", PLATFORM])
            self.day.switch(word, self.draw.random() < 0.4, scope, at=self.day.now)
            return
        account = self.draw.choice(["a1", "a1", "b2"])
        topic, value = self.draw.choice(self.makers)(account)
        if value is not None:
            value |= {"platform": PLATFORM, "account_id": account}
        self.day.put(topic, f"{PLATFORM}:{account}", value)

    def _reading(self, _: str) -> tuple[str, dict[str, Any] | None]:
        count = self.draw.choice([0, 20, 899, 900, 999, 1000, 1500, 1500, 10**10])
        cause = self.draw.choice(list(Cause))
        value = {"followers": count, "cause": cause, "observed_at": self.instant()}
        return "follower-counts", value

    def _label(self, _: str) -> tuple[str, dict[str, Any] | None]:
        text = self.draw.choice(["财经", "财经", "法律", "日常生活", "旅游", None])
        if text is None:
            return "category-changes", None
        until = self.draw.choice([None, None, self.instant()])
        value = {"category": text, "observed_at": self.instant(), "valid_until": until}
        return "category-changes", {**value, "source": self.draw.choice(list(LabelSource))}

    def _change(self, _: str) -> tuple[str, dict[str, Any] | None]:
        change = self.draw.choice(list(Change))
        return "account-changes", {"change": change, "observed_at": self.instant()}

    def _receipt(self, account: str) -> tuple[str, dict[str, Any] | None]:
        cycle = self.draw.choice([1, 1, 2, 3])
        return "notice-receipts", {
            "invitation_id": invitation_id(PLATFORM, account, Mode.ENFORCE, cycle),
            "outcome": self.draw.choice(["delivered", "delivered", "failed"]),
            "occurred_at": self.instant(),
        }

    def _answer(self, _: str) -> tuple[str, dict[str, Any] | None]:
        answer = self.draw.choice(list(Answer))
        return "consent-answers", {"answer": answer, "occurred_at": self.instant()}

    def _control(self, _: str) -> tuple[str, dict[str, Any] | None]:
        return "controls", {
            "control_id": str(self.draw.randrange(40)),
            "command": self.draw.choice(list(Command)),
            "actor": "op",
            "reason": self.draw.choice(list(ControlReason)),
            "issued_at": self.instant(),
            "expires_at": self.draw.choice([None, self.instant()]),
            "until": self.draw.choice([None, self.instant()]),
        }


@pytest.mark.parametrize("seed", range(25))
def test_a_day_of_chaos_ends_well(seed: int) -> None:
    day = Chaos(seed).run(40)
    for topic, _, value, _ in day.tables.outputs:
        if topic == "decisions":
            RECORD_MODELS[value["kind"]].model_validate(value)
        elif topic not in NOT_EVENTS:
            EVENT_MODELS[Event(value["event"])].model_validate(value)
    ids = [event["event_id"] for event in day.events]
    assert len(ids) == len(set(ids))
    for account in ("a1", "b2"):
        for mode in ("shadow", "enforce"):
            mine = [event for event in day.events if event["account_id"] == account]
            numbers = [event["sequence"] for event in mine if event["mode"] == mode]
            assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00"])
def test_a_deadline_past_the_last_year_is_said_as_the_last_instant(until: str) -> None:
    day = delivered().control("extend", until=until).control("hold").wait(DAY).control("unhold")
    assert day.said() == ["extended operator", "extended pause"]
    assert day.events[-1]["deadline_at"] == "9999-12-31T23:59:59.999Z"
    assert day.wait(3 * DAY).answer("granted").said() == ["reminded reminder", "granted answer"][1:]


def test_a_reading_of_the_year_nought_is_a_sentinel_and_refused() -> None:
    day = (
        Day()
        .label("财经")
        .put(
            "follower-counts",
            "weibo:a1",
            {
                "platform": "weibo",
                "account_id": "a1",
                "followers": 1500,
                "observed_at": "0001-01-01T00:00:00+10:00",
            },
        )
    )
    assert day.wait(HOUR).said() == []
    assert [letter["reason"] for letter in day.dead_letters] == ["time_before_2005"]
