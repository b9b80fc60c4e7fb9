"""One life told twice: to the shipped core and to the independent model of tests/oracle.

`Twin` hands both the same inputs at the same instants and compares what they say after every step.
Where the contract leaves a choice and the two read it differently, the histories stay away from it:

* A dwell begins when all conditions hold *by observed_at*: the core credits readings that were over
  the line before a late label; the model does not (READINGS 6). Labels here are observed when they
  arrive.
* The core counts a stop of the clock from `delivered_at` even if it was over when the receipt came
  in, and an `extend` during a stop by what remains of it; the model does neither (READINGS 41).
  Receipts here are fresh once there was a stop, and nobody extends during one.
* A cool-down is per life in the core, per account in the model (READINGS 50); `mode: off` is a
  phase not in force in the core, in the model eligibility runs on (READINGS 53). Policies that
  change mode have neither cool-down nor dwell here, and no count lies between the two lines.
* A new policy ends no LEAVING in the core; in the model every policy does (READINGS 20). None is
  taken up here while an account is below the exit line.
* A milder level frees a surface at once in the core; the model looks at levels when it applies
  (READINGS 47). Policies here change modes and surfaces, not levels.
* An account change older than the one applied is stale in the core, never in the model
  (READINGS 13). Account changes here are in order.
* Under `on_fall_below: keep` an invited account stays INSIDE in the core; in the model it goes
  OUTSIDE and only its cycle stays, which a correction over the line tells apart (READINGS 19).
* What was observed while an account was closed is no older than the last reading applied in the
  core; in the model every reading moves that instant (READINGS 16). None is older after `closed`.
* The phase of a cycle is the lowest in force in the core, the highest reached in the model
  (READINGS 21). Which phase is said is not compared, and no policy withdraws one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from streams.core import policy as core
from streams.core.clock import rfc3339
from streams.core.ids import invitation_id
from tests.core.given import ACCOUNT, DAY, MINUTE, PLATFORM, Day
from tests.oracle import policy as oracle
from tests.oracle.model import Life

TIMES = ("deadline_at", "delivered_at", "answered_at", "review_at", "expires_at")


def instant(milliseconds: int) -> datetime:
    """Milliseconds UTC as the model's datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def length(milliseconds: int) -> timedelta:
    """Milliseconds as the model's timedelta."""
    return timedelta(milliseconds=milliseconds)


def for_model(policy: core.Policy) -> oracle.Policy:
    """The core's policy as the model's."""
    stable, notice, consequence = policy.stability, policy.notice, policy.consequence
    return oracle.Policy(
        platform=policy.platform,
        version=policy.version,
        mode=policy.mode,
        phases=tuple(
            oracle.Phase(
                phase.name,
                phase.followers,
                None if phase.starts_at is None else instant(phase.starts_at),
                None if phase.answer_by is None else instant(phase.answer_by),
                phase.mode,
            )
            for phase in policy.phases
        ),
        labels={label: str(field) for label, field in policy.labels.items()},
        covered=None if policy.covered is None else frozenset(map(str, policy.covered)),
        exempt_labels=policy.exempt_labels,
        notice_id=notice.id,
        notice_version=notice.version,
        renew=notice.renew,
        window=None if notice.answer_window is None else length(notice.answer_window),
        reminders=tuple(map(length, notice.reminders)),
        dwell=length(stable.dwell),
        exit_ratio=Decimal(stable.exit_ratio_ppm) / 1_000_000,
        leave_after=length(stable.leave_after),
        cool_down=length(stable.cool_down),
        max_age=None if stable.max_age is None else length(stable.max_age),
        surfaces={
            str(surface): (str(one.level), one.mode)
            for surface, one in (consequence.surfaces or {}).items()
        },
        on=consequence.on,
        review_after=length(consequence.review_after),
        expires_after=length(consequence.expires_after),
        keep=policy.keep_on_fall_below,
    )


@dataclass
class Told:
    """An event, as both say it."""

    words: tuple[Any, ...]
    times: dict[str, str | None]

    @classmethod
    def by_core(cls, event: dict[str, Any]) -> "Told":
        words = (event["event"], event["reason"], event.get("surface"), event["mode"])
        words += (event["cycle"], event["sequence"], event["decided_at"])
        return cls(words, {name: event[name] for name in TIMES if name in event})

    @classmethod
    def by_model(cls, event: dict[str, Any]) -> "Told":
        words = (event["event"], event["reason"], event.get("surface"), event["mode"])
        words += (event["cycle"], event["sequence"], _wire(event["decided_at"]))
        times = {name: _wire(event[name]) for name in TIMES if name in event}
        return cls(words, times)

    def agrees(self, other: "Told") -> bool:
        """Whether all words are the same, and all instants that both name."""
        both = self.times.keys() & other.times.keys()
        return self.words == other.words and all(
            self.times[name] == other.times[name] for name in both
        )


def _wire(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Twin:
    """A day of the core and a life of the model, kept in step."""

    def __init__(self, policy: core.Policy) -> None:
        self.day = Day(policy)
        self.policy = policy
        self.life = Life(
            for_model(policy),
            invitation_id=lambda mode, cycle: invitation_id(PLATFORM, ACCOUNT, mode, cycle),
        )
        self.life.clock = instant(self.day.now)
        self.history: list[str] = []
        self.told = 0
        self.controls = 0
        self.closed_once = False

    @property
    def now(self) -> int:
        """The instant of both."""
        return self.day.now

    def wait(self, milliseconds: int) -> None:
        """Time passes; timers before the new instant act, those at it after its input."""
        self.day.wait(milliseconds - 1)
        self.day.now += 1

    def input(self, topic: str, value: dict[str, Any] | None) -> None:
        """The same input for both, then all that is due."""
        filled = None if value is None else {**value}
        key = f"{PLATFORM}:{ACCOUNT}"
        if topic == "switches":
            assert filled is not None
            key = f"{filled['scope']}:{filled['switch']}"
            filled |= {"actor": "op", "reason": "test"}
        elif filled is not None:
            filled |= {"platform": PLATFORM, "account_id": ACCOUNT}
        if topic == "controls":
            assert filled is not None
            self.controls += 1
            filled |= {"control_id": f"c{self.controls}", "actor": "op", "reason": "test"}
        self.history.append(f"{rfc3339(self.now)} {topic} {value}")
        self.closed_once |= filled is not None and filled.get("change") == "closed"
        self.day.put(topic, key, filled)
        self._step(lambda: self.life.apply(instant(self.now), topic, filled))

    def under(self, policy: core.Policy) -> None:
        """A new policy for both."""
        self.history.append(f"{rfc3339(self.now)} policy {policy.version} {policy.mode}")
        self.policy = policy
        self.day.open(policy)
        self._step(lambda: self.life.apply(instant(self.now), "policy", for_model(policy)))

    def end(self) -> None:
        """A long time in which nothing comes in."""
        self.day.wait(3 * DAY)
        self._step(lambda: None)

    def _step(self, act: Callable[[], None]) -> None:
        self.day.fire()
        act()
        self.life.advance(instant(self.now))
        core_said = [Told.by_core(event) for event in self.day.fresh()]
        model_said = [Told.by_model(event) for event in self.life.events[self.told :]]
        self.told = len(self.life.events)
        same = len(core_said) == len(model_said) and all(map(Told.agrees, core_said, model_said))
        assert same, self._difference(core_said, model_said)

    def _difference(self, core_said: list[Told], model_said: list[Told]) -> str:
        same = 0
        for one, other in zip(core_said, model_said, strict=False):
            if not one.agrees(other):
                break
            same += 1
        lines = [*self.history, f"after {same} events that agree, the core says"]
        lines += [f"  {told.words} {told.times}" for told in core_said[same:]]
        lines += ["and the model", *(f"  {told.words} {told.times}" for told in model_said[same:])]
        return "\n".join(lines)


def minutes(count: float) -> int:
    """Minutes in milliseconds."""
    return int(count * MINUTE)
