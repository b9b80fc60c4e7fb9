"""One history told twice, under another worker or another policy, and what must not get worse.

A history is a list of inputs, each with its moment of entry. `punctual` plays it as a worker does
that is never late, and writes the inputs down as it goes (receipts and answers name the cycles of
that run). `play` plays the same inputs again: by a worker that sleeps through stretches of time, or
under a policy that changes. Caps and guards are left out: they share out what is scarce, so that
another account's luck changes this one's.
"""

from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from schemas.enums import Mode
from streams.core.model.ids import invitation_id
from streams.core.model.policy import Policy
from tests.core.given import DAY, HOUR, MINUTE, GivenRecord
from tests.core.invariants.policies import LATE
from tests.core.invariants.world import WorldRun, wire

HORIZON = 40 * DAY
"""After the last input: long enough for every deadline and every end of a restriction."""

_COUNTS = (1500, 1500, 1000, 999, 960, 940, 850, 810, 700, 500, 480, 100, 5000)
_CAUSES = (None,) * 8 + ("owner_purge", "platform_purge", "correction")
_LABELS = ("财经", "财经", "法律", "军事", "日常生活", "unknown")
_CHANGES = ("closed", "reopened", "reopened", "owner_changed", "exempted", "exemption_ended")
_COMMANDS = (
    *("hold", "hold", "unhold", "lift", "extend", "extend", "reissue", "reissue", "settle"),
    *("appeal_opened", "appeal_upheld", "appeal_rejected"),
)
_SWITCHES = ("adverse_off", "invitations_off", "throttles_off", "answers_paused")
_GAPS = (1, 1, MINUTE, 4 * MINUTE, HOUR, HOUR, 6 * HOUR, 20 * HOUR, 30 * HOUR, 3 * DAY)


class PairedInput(NamedTuple):
    """An input as it entered Kafka; times in `value` are milliseconds."""

    entry: int
    topic: str
    key: str
    value: dict[str, Any] | None


class Teller:
    """Draws a history while a punctual worker plays it."""

    def __init__(self, draw: Random, policy: Policy) -> None:
        self.draw = draw
        self.run = WorldRun(policy)
        self.platform = policy.platform
        self.account = "a"
        self.told: list[PairedInput] = []
        self.controls = 0

    def tell(self, length: int) -> list[PairedInput]:
        """Lead the account to an open cycle, then let so many random things happen."""
        draw, run = self.draw, self.run
        self.put("category-changes", category="财经", observed_at=run.now)
        self.put("follower-counts", followers=draw.choice((1500, 1000, 600)), observed_at=run.now)
        self.wait(run.policies[self.platform].stability.dwell + draw.choice((0, 0, HOUR)))
        if draw.random() < 0.85:
            self.receipt("delivered", run.now)
        acts, weights = zip(*_ACTS, strict=True)
        for act in draw.choices(acts, weights, k=length):
            if draw.random() < 0.8:
                self.wait(self.gap())
            act(self)
        return self.told

    def gap(self) -> int:
        """Some time, or until about the next timer."""
        due = self.run.partition.due()
        if due is not None and due > self.run.now and self.draw.random() < 0.4:
            return max(0, due - self.run.now + self.draw.choice((-MINUTE, -1, 0, 1, MINUTE)))
        return self.draw.choice(_GAPS)

    def wait(self, milliseconds: int) -> None:
        """A punctual worker waits."""
        self.run.wait(milliseconds, hops=60)

    def put(self, topic: str, **value: Any) -> None:
        """An input of the account enters Kafka now and is read at once."""
        self.send(topic, f"{self.platform}:{self.account}", self.named(value))

    def named(self, value: dict[str, Any]) -> dict[str, Any]:
        """A value with whom it is about."""
        return {"platform": self.platform, "account_id": self.account, **value}

    def send(self, topic: str, key: str, value: dict[str, Any] | None) -> None:
        """A record enters Kafka now and is read at once."""
        advance(self.run, self.run.now + 1)
        self.run.now += 1
        self.told.append(PairedInput(self.run.now, topic, key, value))
        step(self.run, self.run.now, [self.told[-1]])

    def at(self) -> int:
        """When something happened that is told now."""
        return self.run.now - LATE[self.draw.randrange(len(LATE))]

    def cycle(self) -> str:
        """The id of the last live invitation, or now and then of another."""
        number = self.run.cycles
        if self.draw.random() < 0.06:
            number += self.draw.choice((-1, 1))
        return invitation_id(self.platform, self.account, Mode.ENFORCE, max(1, number))

    def receipt(self, outcome: str, at: int) -> None:
        """The notifier's word."""
        value = {"invitation_id": self.cycle(), "outcome": outcome, "occurred_at": at}
        self.put("notice-receipts", **value)


def _reading(teller: Teller) -> None:
    draw = teller.draw
    value = {"followers": draw.choice(_COUNTS), "observed_at": teller.at()}
    cause = draw.choice(_CAUSES)
    if cause is not None:
        value["cause"] = cause
    teller.put("follower-counts", **value)


def _label(teller: Teller) -> None:
    draw, at = teller.draw, teller.at()
    if draw.random() < 0.12:
        teller.send("category-changes", f"{teller.platform}:{teller.account}", None)
        return
    value = {"category": draw.choice(_LABELS), "observed_at": at}
    if draw.random() < 0.35:
        value["valid_until"] = at + draw.choice((HOUR, 20 * HOUR, 3 * DAY, 9 * DAY))
    teller.put("category-changes", **value)


def _change(teller: Teller) -> None:
    teller.put("account-changes", change=teller.draw.choice(_CHANGES), observed_at=teller.at())


def _receipt(teller: Teller) -> None:
    teller.receipt(teller.draw.choice(("delivered", "delivered", "failed")), teller.at())


def _answer(teller: Teller) -> None:
    draw = teller.draw
    value: dict[str, Any] = {
        "answer": draw.choice(("granted", "granted", "declined", "declined", "withdrawn")),
        "occurred_at": teller.at(),
    }
    if draw.random() < 0.5:
        value["invitation_id"] = teller.cycle()
    if draw.random() < 0.3:
        value["notice_version"] = draw.choice(("1", "1", "2"))
    teller.put("consent-answers", **value)


def _control(teller: Teller) -> None:
    draw, at = teller.draw, teller.at()
    teller.controls += 1
    command = draw.choice(_COMMANDS)
    value = {"control_id": f"c{teller.controls}", "command": command, "actor": "op"}
    value |= {"issued_at": at, "reason": draw.choice(("test", "test", "appeal"))}
    if command == "hold" and draw.random() < 0.6:
        value["expires_at"] = at + draw.choice(_GAPS)
    if command == "extend":
        value["until"] = teller.run.now + draw.choice((HOUR, 30 * HOUR, 4 * DAY))
    if command.startswith("appeal") and draw.random() < 0.6:
        value["appeal_id"] = draw.choice(("p1", "p2"))
    teller.put("controls", **value)


def _switch(teller: Teller) -> None:
    draw = teller.draw
    scope, name = draw.choice(("*", teller.platform)), draw.choice(_SWITCHES)
    value = {"scope": scope, "switch": name, "on": draw.random() < 0.55, "actor": "op"}
    value |= {"reason": "incident", "issued_at": teller.at()}
    teller.send("switches", f"{scope}:{name}", value)


def _nothing(teller: Teller) -> None:
    """Time alone."""


_ACTS = (
    (_reading, 20),
    (_label, 8),
    (_change, 5),
    (_receipt, 12),
    (_answer, 10),
    (_control, 10),
    (_switch, 6),
    (_nothing, 14),
)


def uncapped(policy: Policy) -> Policy:
    """The policy without what is scarce."""
    return replace(
        policy,
        invitations_per_day=10**6,
        throttles_per_hour=10**6,
        rollout_percent=100,
        guards=None,
    )


def step(run: WorldRun, now: int, told: list[PairedInput]) -> None:
    """Apply inputs that are read together at `now`."""
    run.now = now
    batches: dict[str, list[GivenRecord]] = {}
    for item in told:
        offset = run.offsets[item.topic]
        run.offsets[item.topic] = offset + 1
        record = GivenRecord(offset, item.entry, item.key.encode(), wire(item.value), 1)
        batches.setdefault(item.topic, []).append(record)
    run.partition.step(run.memory, now, batches.items())  # type: ignore[arg-type]
    run.note()


def advance(run: WorldRun, until: int) -> None:
    """Let a worker that is awake act on every timer that is due before an instant."""
    for _ in range(200):
        due = run.partition.due()
        if due is None or due >= until:
            break
        run.now = max(run.now, due)
        run.run_timers()


def finish(run: WorldRun) -> None:
    """Let all that is open come to its end."""
    advance(run, run.now + HORIZON)


def nights(draw: Random, told: list[PairedInput]) -> list[tuple[int, int]]:
    """The stretches through which a late worker sleeps: one to three, in order, apart."""
    first, last = told[0].entry, told[-1].entry
    chosen: list[tuple[int, int]] = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        begin = draw.randrange(first, last + 2 * HOUR)
        if draw.random() < 0.5:
            begin = draw.choice(told).entry - draw.choice((1, MINUTE, HOUR))
        chosen.append(
            (begin, begin + draw.choice((MINUTE, HOUR, 8 * HOUR, 2 * DAY, 6 * DAY, 12 * DAY)))
        )
    chosen.sort()
    apart: list[tuple[int, int]] = []
    for begin, end in chosen:
        if not apart or begin > apart[-1][1]:
            apart.append((begin, end))
    return apart


def play_late(draw: Random, policy: Policy, told: list[PairedInput], start: int) -> WorldRun:
    """The same inputs, by a worker that sleeps; what it missed it reads in one or several goes."""
    run = WorldRun(policy)
    run.now = start
    waiting = list(told)
    for begin, end in nights(draw, told):
        waiting = _awake(run, waiting, begin)
        missed = [item for item in waiting if item.entry <= end]
        waiting = waiting[len(missed) :]
        if not missed:
            run.now = max(run.now, end)
            run.run_timers()
            continue
        if draw.random() < 0.3:
            run.open()
        for part in _goes(draw, missed):
            step(run, max(run.now, end), part)
        run.run_timers()
    _awake(run, waiting, None)
    finish(run)
    return run


def _awake(run: WorldRun, waiting: list[PairedInput], until: int | None) -> list[PairedInput]:
    """Read on time what enters before an instant; returns what is left."""
    for number, item in enumerate(waiting):
        if until is not None and item.entry >= until:
            advance(run, until)
            return waiting[number:]
        advance(run, item.entry)
        step(run, max(run.now, item.entry), [item])
    if until is not None:
        advance(run, until)
    return []


def _goes(draw: Random, missed: list[PairedInput]) -> list[list[PairedInput]]:
    """How a worker catches up: all at once, one by one, or topic by topic as they come."""
    how = draw.randrange(3)
    if how == 0:
        return [missed]
    if how == 1:
        return [[item] for item in missed]
    topics = list(dict.fromkeys(item.topic for item in missed))
    draw.shuffle(topics)
    return [[item for item in missed if item.topic == topic] for topic in topics]
