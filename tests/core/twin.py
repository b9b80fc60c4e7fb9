"""One life told twice: to the shipped core and to the independent model of tests/oracle.

`Twin` hands both the same inputs at the same instants and compares what they say after every step:
the events, and at the end of a step the adverse events that wait and what for. A sleeping worker
gets what came in meanwhile as one batch, then its timers. What the guard writes to the switches is
handed back like any record of that topic.

Where the contract leaves a choice and the two read it differently, the histories stay away from it:

* Policies that change mode have neither cool-down nor dwell here, and no count lies between the
  two lines: what a life carries over into the next one is not said (READINGS 46).
* A stop of an account whose last record is stamped up to five minutes ahead reaches into a cycle
  that is issued meanwhile in the model, not in the core. What ends one is not stamped ahead here.
* A worker sleeps for an hour and a half at most: which of several reviews it leaves out is open.
* A late worker that reads a hold which is over by then, and behind it an operator's extension that
  reaches further, says of the pause nothing in the core where something else was due before, and
  says it first in the model: the deadline is the same. No hold is over here before it is read.
* A policy that turns `keep` into `close`, or moves a line, is none of these: an invited account
  below the exit line is LEAVING from then on in the model, cancelled at once in the core.
* Which phase is said is not compared, and no policy withdraws one (READINGS 21).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from schemas.enums import Refused
from schemas.inputs import INPUT_MODELS
from streams.core.model import policy as core
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from tests.core.given import ACCOUNT, DAY, MINUTE, PLATFORM, Day, GivenRecord
from tests.oracle import policy as oracle
from tests.oracle.guard import WORDS, OracleRefusalGuard, certain
from tests.oracle.model import OracleLife

ORDER = list(INPUT_MODELS)
TIMES = ("deadline_at", "delivered_at", "answered_at", "review_at", "expires_at")
TEXTS = ("notice_version", "level", "field")


def instant(milliseconds: int) -> datetime:
    """Milliseconds UTC as the model's datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def length(milliseconds: int) -> timedelta:
    """Milliseconds as the model's timedelta."""
    return timedelta(milliseconds=milliseconds)


def for_model(policy: core.Policy) -> oracle.OraclePolicy:
    """The core's policy as the model's."""
    stable, notice, consequence = policy.stability, policy.notice, policy.consequence
    return oracle.OraclePolicy(
        platform=policy.platform,
        version=policy.version,
        mode=policy.mode,
        phases=tuple(
            oracle.OraclePhase(
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


@dataclass(frozen=True)
class TwinInput:
    """A record on its way to both; `refused`: it is no JSON."""

    topic: str
    key: str | None
    value: dict[str, Any] | None
    entered: int
    refused: bool = False


@dataclass
class TwinEvent:
    """An event, as both say it."""

    words: tuple[Any, ...]
    times: dict[str, str | None]

    @classmethod
    def by_core(cls, event: dict[str, Any]) -> "TwinEvent":
        words = (event["event"], event["reason"], event.get("surface"), event["mode"])
        words += (event["cycle"], event["sequence"], event["decided_at"])
        return cls(words, {name: event[name] for name in TIMES + TEXTS if name in event})

    @classmethod
    def by_model(cls, event: dict[str, Any]) -> "TwinEvent":
        words = (event["event"], event["reason"], event.get("surface"), event["mode"])
        words += (event["cycle"], event["sequence"], _wire(event["decided_at"]))
        times = {name: _wire(event[name]) for name in TIMES if name in event}
        return cls(words, times | {name: event[name] for name in TEXTS if name in event})

    def agrees(self, other: "TwinEvent") -> bool:
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
        self.life = OracleLife(
            for_model(policy),
            invitation_id=lambda mode, cycle: invitation_id(PLATFORM, ACCOUNT, mode, cycle),
        )
        self.life.clock = instant(self.day.now)
        self.guard = OracleRefusalGuard([PLATFORM])
        self.history: list[str] = []
        self.told = 0
        self.controls = 0
        self.unread: list[TwinInput] | None = None
        self.written = self.decided = self.slept_at = 0

    @property
    def now(self) -> int:
        """The instant of both."""
        return self.day.now

    def wait(self, milliseconds: int) -> None:
        """Time passes; timers before the new instant act, those at it after its input."""
        if self.unread is not None:
            self.day.now += milliseconds
            return
        self.day.wait(milliseconds - 1)
        self.day.now += 1

    def sleep(self) -> None:
        """The worker is away from now on."""
        self._step(lambda: None)
        self.history.append(f"{rfc3339(self.now)} sleeps")
        self.unread, self.slept_at = [], self.now

    def wake(self) -> None:
        """It reads what came in, topic by topic in the contract's order, then its timers act."""
        unread, self.unread = self.unread or [], None
        self.history.append(f"{rfc3339(self.now)} wakes")
        self._read(sorted(unread, key=lambda one: ORDER.index(one.topic)), late=True)

    def input(self, topic: str, value: dict[str, Any] | None, entered: int | None = None) -> None:
        """The same input for both, then all that is due. `entered`: by default now."""
        filled = None if value is None else {**value}
        key = f"{PLATFORM}:{ACCOUNT}"
        if topic == "switches":
            assert filled is not None
            key = f"{filled['scope']}:{filled['switch']}"
            filled = {"actor": "op", "reason": "test"} | filled
        elif filled is not None:
            filled |= {"platform": PLATFORM, "account_id": ACCOUNT}
        if topic == "controls":
            assert filled is not None
            self.controls += 1
            filled = {"control_id": f"c{self.controls}", "actor": "op", "reason": "test"} | filled
        self._send(TwinInput(topic, key, filled, self.now if entered is None else entered))

    def refuse(self, topic: str, key: str | None = f"{PLATFORM}:{ACCOUNT}", count: int = 1) -> None:
        """Records that are no JSON."""
        for _ in range(count):
            self._send(TwinInput(topic, key, None, self.now, refused=True))

    def under(self, policy: core.Policy) -> None:
        """A new policy for both."""
        self.history.append(f"{rfc3339(self.now)} policy {policy.version} {policy.mode}")
        self.policy = policy
        self.day.open(policy)

        def act() -> None:
            # To take up a policy is a new start, which ends a changed cluster as well.
            self.life.run_timers(instant(self.now), inclusive=False)
            # What the changed cluster held back is looked at from now on, under the new policy.
            self.life.clock = max(self.life.clock, instant(self.now))
            self.life.brakes.cluster(instant(self.now), changed=False)
            self.life.apply(instant(self.now), "policy", for_model(policy))

        self._step(act)

    def cluster_changed(self) -> None:
        """The cluster is seen to have changed; from here on the core holds back."""
        self.history.append(f"{rfc3339(self.now)} cluster changed")
        self.day.partition.cluster_changed(self.now)
        self._step(lambda: self.life.apply(instant(self.now), "cluster", True))

    def restart(self) -> None:
        """A new worker takes over."""
        self.history.append(f"{rfc3339(self.now)} restarted")
        self.day.open(self.policy)

        def act() -> None:
            # What ends at this very instant comes before the pause is made good (READINGS 83).
            self.life.run_timers(instant(self.now), inclusive=True)
            self.life.apply(instant(self.now), "cluster", False)

        self._step(act)

    def end(self) -> None:
        """A long time in which nothing comes in."""
        if self.unread is not None:
            self.wake()
        self.day.wait(3 * DAY)
        self._step(lambda: None)

    def _send(self, one: TwinInput) -> None:
        entry = "" if one.entered == self.now else f" entered {rfc3339(one.entered)}"
        what = f"refused, key {one.key}" if one.refused else one.value
        self.history.append(f"{rfc3339(self.now)} {one.topic} {what}{entry}")
        if self.unread is None:
            self._read([one])
        else:
            self.unread.append(one)

    def _read(self, batch: list[TwinInput], late: bool = False) -> None:
        """One batch for both. `late`: by a worker that has let no timer act meanwhile."""
        offsets, topics = self.day._offsets, dict[str, list[GivenRecord]]()
        for one in batch:
            raw = b"{" if one.refused else one.value and json.dumps(one.value).encode()
            key = None if one.key is None else one.key.encode()
            record = GivenRecord(offsets[one.topic], one.entered, key, raw or None)
            topics.setdefault(one.topic, []).append(record)
            offsets[one.topic] += 1
        if batch:
            spans = list(topics.items())
            self.day.partition.step(self.day.tables, self.now, spans)  # type: ignore[arg-type]
            self.day.partition.before_commit(self.day.tables, self.now, dict(offsets))
        take = self.life.receive if late else self.life.apply

        def act() -> None:
            self.life.patient = late
            for one in batch:
                self._tell(one, take)
            if late:
                self.life.round(instant(self.now), instant(self.now))
            self.life.patient = False

        self._step(act)
        self._hand_back()

    def _tell(self, one: TwinInput, take: Callable[..., None]) -> None:
        now, entered, topic = instant(self.now), instant(one.entered), one.topic
        if not one.refused:
            self.guard.good(topic, one.key)
            if topic == "switches" and one.value and one.value["switch"] == "refusals_settled":
                self.guard.switch(now, one.value, entered)
                tripped = PLATFORM in self.guard.tripped
                take(now, "refusals", tripped, entered)
            else:
                take(now, topic, one.value, entered)
            return
        reason = Refused.NOT_JSON
        if self.guard.refused(now, topic, one.key, reason, entered):
            take(now, "refusals", True, now)
        if topic in WORDS and certain(one.key, reason):
            take(now, "refused", topic, entered)

    def _hand_back(self) -> None:
        """Records that the guard wrote come in through the topic of switches."""
        written = [raw for topic, _, raw, _ in self.day.tables.raw if topic == "switches"]
        said = [(PLATFORM, now) for _, now in self.guard.written]
        assert len(written) == len(said), f"{self.history}: guard records {written}, not {said}"
        fresh, self.written = written[self.written :], len(written)
        for raw in fresh:
            self.input("switches", json.loads(raw or b""))

    def _step(self, act: Callable[[], None]) -> None:
        self.day.run_timers()
        act()
        self.life.advance(instant(self.now))
        core_said = [TwinEvent.by_core(event) for event in self.day.fresh()]
        model_said = [TwinEvent.by_model(event) for event in self.life.events[self.told :]]
        self.told = len(self.life.events)
        same = len(core_said) == len(model_said) and all(
            map(TwinEvent.agrees, core_said, model_said)
        )
        assert same, self._difference(core_said, model_said)
        waits = {(event, tuple(map(str, by))) for event, by in self.life.deferrals()}
        more = self._deferrals() - waits
        assert not more, "\n".join([*self.history, f"the core defers {more}, the model {waits}"])

    def _deferrals(self) -> set[tuple[str, tuple[str, ...]]]:
        """What waits by the core's last decision of this step; it says so once, not each time."""
        outputs = self.day.tables.outputs
        fresh, self.decided = outputs[self.decided :], len(outputs)
        decisions = [value for topic, _, value, _ in fresh if topic == "decisions"]
        own = [value for value in decisions if value["kind"] == "decision"]
        if not own or own[-1]["now"] != rfc3339(self.now):
            return set()
        return {(one["event"], tuple(one["by"])) for one in own[-1]["deferrals"]}

    def _difference(self, core_said: list[TwinEvent], model_said: list[TwinEvent]) -> str:
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
