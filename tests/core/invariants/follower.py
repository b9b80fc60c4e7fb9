"""A distrustful reader of one partition: inputs go in, events come out, and it keeps its own books.

It follows the brakes, the guards, the facts of each account and each cycle by the events alone;
`properties` holds each event and each step against these books.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from streams.core.model.instants import day_of, hour_of, milliseconds
from streams.core.model.policy import Policy
from tests.core.invariants.facts import INFINITY, FollowedFacts, Stop
from tests.core.invariants.unclear import FollowedUnclear
from tests.core.invariants.watching import InvariantWatch
from tests.core.invariants.words import SKEW, word_time
from tests.core.invariants.world import WorldStep

ADVERSE = frozenset(
    {
        "invitation.issued",
        "invitation.reminded",
        "invitation.expired",
        "throttle.applied",
        "throttle.renewed",
    }
)
Event = dict[str, Any]
ANSWER_FIELDS = ("answer", "occurred_at", "invitation_id", "notice_version")


@lru_cache(maxsize=4096)
def instant(text: str) -> int:
    """A time on the wire as milliseconds."""
    return milliseconds(datetime.fromisoformat(text))


class FollowedCycle:
    """One invitation as its events tell it."""

    def __init__(self, issued: Event, policy: Policy) -> None:
        self.issued, self.policy = issued, policy
        self.first_issued_at = instant(issued["decided_at"])
        self.state = "issued"
        self.delivered_at: int | None = None
        self.deadline: int | None = None
        self.expired: Event | None = None
        self.receipts: set[str] = set()
        self.answers: set[str] = set()
        self.declined = self.restriction_waived = False
        self.throttles: dict[str, Event] = {}
        self.freed: set[str] = set()
        """Surfaces that a milder policy freed: the cycle restricts them no more."""
        self.expired_at: int | None = None
        self.notices: set[str] = {policy.notice.version}
        """Versions of the notice that were in force since the issue."""

    @property
    def max_age(self) -> int | None:
        """How old the facts may be by the terms."""
        return self.policy.stability.max_age

    def ends_by_itself(self, present: Policy) -> int | None:
        """When an expired cycle that restricts nothing is over; None: it does not end so."""
        if self.expired_at is None or self.throttles or self.restriction_waived:
            return None
        lasts = min(self.policy.consequence.expires_after, present.consequence.expires_after)
        return self.expired_at + lasts

    @property
    def open(self) -> bool:
        """Neither over nor granted."""
        return self.state not in ("over", "granted")

    def is_asked(self, value: Mapping[str, Any]) -> bool:
        """Whether a grant or a refusal is one to this invitation, and to this notice."""
        named = value.get("invitation_id")
        if named is None and value["occurred_at"] < self.first_issued_at - SKEW:
            return False
        if named not in (None, self.issued["invitation_id"]):
            return False
        notice = value.get("notice_version")
        return value["answer"] == "declined" or notice is None or notice in self.notices


class FollowedLife:
    """The cycles of an account in one mode."""

    def __init__(self) -> None:
        self.number = self.sequence = 0
        self.cycle: FollowedCycle | None = None
        self.cool_until = 0

    @property
    def current(self) -> FollowedCycle | None:
        """The cycle that is open or granted."""
        return self.cycle if self.cycle is not None and self.cycle.state != "over" else None

    @property
    def is_open(self) -> bool:
        """Whether the cycle is neither over nor granted."""
        return self.cycle is not None and self.cycle.open


class Owner:
    """An account: its facts, its lives, the answers that counted, and the unclear words."""

    def __init__(self) -> None:
        self.facts = FollowedFacts()
        self.lives = {"enforce": FollowedLife(), "shadow": FollowedLife()}
        self.answered: tuple[int, str] | None = None
        self.answered_before: tuple[int, str] | None = None
        """As it was before the step at hand."""
        self.protected_at: int | None = None
        """Of the newest refusal or withdrawal that counted."""
        self.withdrawn_at: int | None = None
        self.heard_protecting_at: int | None = None
        """The same, also of those that nobody had to remember: no cycle had been issued yet."""
        self.told: set[tuple[str, ...]] = set()
        """Every answer that came in, by what makes it a repeat."""
        self.unclear = FollowedUnclear()
        self.label_ran_out = False
        """Its label's end is due, and has not acted: a newer label waits for that."""

    def life_of(self, event: Event) -> FollowedLife:
        """The life that an event belongs to; shadow surfaces of a live cycle to the live one."""
        live = self.lives["enforce"]
        if event["mode"] == "shadow" and event["event"].startswith("throttle"):
            issued = live.cycle.issued if live.cycle else None
            if issued is not None and issued["invitation_id"] == event["invitation_id"]:
                return live
        return self.lives[event["mode"]]


class Follower:
    """All accounts and the brakes of one partition."""

    def __init__(self) -> None:
        self.policies: Mapping[str, Policy] = {}
        self.owners: dict[tuple[str, str], Owner] = {}
        self.levers: dict[tuple[str, str], int] = {}
        self.lever_at: dict[tuple[str, str], int] = {}
        self.pauses: list[tuple[str, Stop]] = []
        self.tripped: dict[str, bool] = {}
        """What the last record of the refusal guard said, by scope."""
        self.cluster_changed = False
        self.event_ids: set[str] = set()
        self.used: Counter[tuple[str, str, str, int]] = Counter()
        self.watch = InvariantWatch()
        self.step: WorldStep
        self.owner: Owner
        self.owner_applied = False
        self.policy: Policy
        self.more = False
        self.opened_at = 0
        """When the worker took the partition up, and looks at everything anew."""

    @property
    def time(self) -> int:
        """What limits in time are held against."""
        return self.step.now if self.step.as_of is None else self.step.as_of

    def begin(self, step: WorldStep) -> None:
        """Take in what a step brought, before its events."""
        self.step, self.owner_applied = step, False
        if step.cluster_changed:
            self.cluster_changed = True
        if step.refused:
            self._refused(step)
            return
        if step.kind == "open" and step.policies is not None:
            self.opened_at, self.cluster_changed = step.now, False
            self._policies(step.policies, step.now)
        elif step.topic == "switches" and step.value is not None:
            self._switch(step.value, step.now)
        elif step.kind == "input":
            platform, _, account = step.key.partition(":")
            owner = self.of(platform, account)
            policy = self.policies[platform]
            value = None if step.value is None else dict(step.value)
            facts = owner.facts
            if step.topic == "category-changes" and step.now > (facts.label_until or INFINITY):
                owner.label_ran_out = True
            before, known = facts.followers, facts.kept
            invited = any(life.is_open for life in owner.lives.values())
            self.owner_applied = facts.apply(step.topic, value, policy, step.now, invited)
            more = facts.kept - known
            self.watch.heard(policy, step, self.owner_applied, before, more)
            self._input(owner, step)
            if policy.stability.dwell == 0 or not owner.facts.touchable(policy, step.now):
                owner.facts.settle(policy, step.now, invited)
        else:
            for (platform, _), owner in self.owners.items():
                invited = any(life.is_open for life in owner.lives.values())
                owner.facts.settle(self.policies[platform], self.time, invited)
                self._ended(owner, self.policies[platform])
                owner.label_ran_out = owner.label_ran_out and self.more
        self.watch.logged(self.policies, step)

    def of(self, platform: str, account: str) -> Owner:
        """The books of an account."""
        owner = self.owners.get((platform, account))
        if owner is None:
            owner = self.owners[platform, account] = Owner()
        self.owner, self.policy = owner, self.policies[platform]
        return owner

    def _input(self, owner: Owner, step: WorldStep) -> None:
        cycle = owner.lives["enforce"].current
        if step.value is None:
            return
        if step.topic == "consent-answers":
            self._answer(owner, cycle, step.value)
        elif step.topic == "account-changes" and self.owner_applied:
            owner.unclear.end("account-changes", step.now)
        elif step.topic == "controls" and self.owner_applied:
            owner.unclear.end("controls", step.now)
            if step.value["command"] == "settle":
                owner.unclear.settle(word_time(step.value["issued_at"], step.now).at)
        if cycle is None:
            return
        if step.topic == "notice-receipts":
            if step.value["invitation_id"] == cycle.issued["invitation_id"]:
                cycle.receipts.add(step.value["outcome"])
        elif step.topic == "consent-answers":
            cycle.answers.add(step.value["answer"])
        elif step.topic == "controls" and self.owner_applied and cycle.state == "expired":
            cycle.restriction_waived |= step.value["command"] in ("lift", "appeal_upheld")

    def _answer(self, owner: Owner, cycle: FollowedCycle | None, value: Mapping[str, Any]) -> None:
        """The newest word to the cycle at hand counts, whether or not it changed anything."""
        at, answer = word_time(value["occurred_at"], self.step.now).at, value["answer"]
        owner.answered_before = owner.answered
        if answer != "granted":
            owner.heard_protecting_at = max(at, owner.heard_protecting_at or at)
        if answer == "withdrawn":
            meant = any(life.number for life in owner.lives.values())
        else:
            meant = cycle is not None and cycle.is_asked(value)
        told = tuple(str(value.get(name)) for name in ANSWER_FIELDS)
        again = told in owner.told
        owner.told.add(told)
        if not meant:
            if cycle is not None and not again:
                owner.unclear.add("consent-answers", at, self.step.now, timed=True)
            return
        if answer == "granted":
            if owner.protected_at is not None and at < owner.protected_at:
                return
        elif owner.answered is not None and at < owner.answered[0] - SKEW:
            return
        newest = owner.answered is None or at >= owner.answered[0]
        owner.answered = (at, answer) if newest else owner.answered
        if answer != "granted":
            owner.protected_at = max(at, owner.protected_at or at)
        if answer != "withdrawn":
            owner.unclear.answered(at, self.step.now)
        if answer == "withdrawn" and (cycle is None or cycle.state != "granted"):
            owner.withdrawn_at = max(at, owner.withdrawn_at or at)

    def _policies(self, policies: Mapping[str, Policy], now: int) -> None:
        for (platform, _), owner in self.owners.items():
            if policies[platform] is not self.policies[platform]:
                owner.facts.new_policy(self.policies[platform], policies[platform], now)
        self.policies = policies
        for (platform, _), owner in self.owners.items():
            for life in owner.lives.values():
                if life.current is not None:
                    life.current.notices.add(policies[platform].notice.version)
        self.watch.opened(
            platform for (platform, _), owner in self.owners.items() if owner.facts.kept
        )

    def _switch(self, value: Mapping[str, Any], now: int) -> None:
        lever = (value["scope"], value["switch"])
        at, stated, _ = word_time(value["issued_at"], now)
        if lever[1] == "refusals_settled":
            self._settled(lever[0], value["on"])
            return
        if value["on"]:
            self.levers[lever] = min(at, self.levers.get(lever, at))
            self.lever_at[lever] = max(at, self.lever_at.get(lever, at))
        elif lever in self.levers and at >= self.lever_at[lever]:
            since = self.levers.pop(lever)
            until = stated if now < stated <= now + SKEW else now
            if lever[1] in ("adverse_off", "answers_paused"):
                self.pauses.append((lever[0], (since, until)))

    def _settled(self, scope: str, on: bool) -> None:
        """A record of the refusal guard: of a platform the last one for it or for all counts."""
        if scope == "*":
            self.tripped.clear()
        self.tripped[scope] = not on

    def refusal_guard(self, platform: str) -> bool:
        """Whether it is tripped for the platform."""
        return self.tripped.get(platform, self.tripped.get("*", False))

    def _refused(self, step: WorldStep) -> None:
        """A refused word: of a known account an unclear one, else the guard of all trips."""
        if step.topic not in ("consent-answers", "account-changes", "controls"):
            return
        platform, _, account = step.key.partition(":")
        if platform not in self.policies or not account:
            self.tripped.update(dict.fromkeys(self.policies, True))
            return
        owner = self.of(platform, account)
        if step.topic == "consent-answers":
            if owner.lives["enforce"].current is not None:
                owner.unclear.add("consent-answers", step.now, step.now, timed=False)
            return
        owner.unclear.add(step.topic, step.now, step.now, timed=False)

    def _ended(self, owner: Owner, policy: Policy) -> None:
        """An expired cycle that restricts nothing ends by itself, without a word."""
        for life in owner.lives.values():
            if life.cycle is None or life.cycle.state != "expired":
                continue
            at = life.cycle.ends_by_itself(policy)
            if at is not None and at <= self.time:
                self._over(owner, life, life.cycle, self.step.now, policy)

    def on(self, platform: str, switch: str) -> bool:
        """Whether a switch is on for a platform."""
        return ("*", switch) in self.levers or (platform, switch) in self.levers

    def stops(self, platform: str, owner: Owner) -> list[Stop]:
        """Every stretch in which the clock of an owner's answer stood still."""
        stops = owner.facts.stopped()
        stops += [stop for scope, stop in self.pauses if scope in ("*", platform)]
        for (scope, switch), since in self.levers.items():
            if scope in ("*", platform) and switch in ("adverse_off", "answers_paused"):
                stops.append((since, INFINITY))
        return stops

    def used_in(self, platform: str, mode: str, kind: str, now: int) -> int:
        """How many events of a kind the day or hour of an instant has seen."""
        window = day_of(now) if kind == "day" else hour_of(now)
        return self.used[platform, mode, kind, window]

    # ---- events --------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Enter an event that has been checked."""
        owner = self.owner
        self.event_ids.add(event["event_id"])
        owner.lives[event["mode"]].sequence = event["sequence"]
        life, name = owner.life_of(event), event["event"]
        now = instant(event["decided_at"])
        platform, mode = event["platform"], event["mode"]
        if name == "invitation.issued":
            self.used[platform, mode, "day", day_of(now)] += 1
            owner.facts.issued_from_dwell = True
            if event["reason"] == "over_line":
                life.number = event["cycle"]
                life.cycle = FollowedCycle(event, self.policy)
            elif life.cycle is not None:
                life.cycle.state = "issued"
        cycle = life.cycle
        if cycle is None:
            return
        if name == "invitation.expired":
            cycle.state, cycle.expired, cycle.expired_at = "expired", event, now
        elif name == "throttle.applied":
            if mode == cycle.issued["mode"] and not any(
                other["mode"] == mode for other in cycle.throttles.values()
            ):
                self.used[platform, mode, "hour", hour_of(now)] += 1
            cycle.throttles[event["surface"]] = event
        elif name == "throttle.renewed" and event["surface"] in cycle.throttles:
            cycle.throttles[event["surface"]] |= {"review_at": event["review_at"]}
        elif name == "throttle.lifted":
            cycle.throttles.pop(event["surface"], None)
            if event["reason"] == "policy":
                cycle.freed.add(event["surface"])
            if event["reason"] == "ended" and not cycle.throttles:
                self._over(owner, life, cycle, now, self.policy)
            else:
                self._ended(owner, self.policy)
        else:
            self._told(owner, life, cycle, event, now)

    def _told(
        self, owner: Owner, life: FollowedLife, cycle: FollowedCycle, event: Event, now: int
    ) -> None:
        name = event["event"].split(".")[1]
        if event.get("deadline_at"):
            cycle.deadline = instant(event["deadline_at"])
        if name == "delivered":
            cycle.state, cycle.delivered_at = "delivered", instant(event["delivered_at"])
        elif name == "undeliverable":
            cycle.state, cycle.delivered_at = "undeliverable", None
            cycle.expired, cycle.expired_at = None, None
        elif name in ("granted", "declined", "withdrawn"):
            at = instant(event["answered_at"])
            answer = self.step.value["answer"] if self.step.value else name
            newest = owner.answered is None or at >= owner.answered[0]
            owner.answered = (at, answer) if newest else owner.answered
            if name == "withdrawn":
                owner.withdrawn_at = max(at, owner.withdrawn_at or at)
                self._over(owner, life, cycle, now, self.policy)
            else:
                cycle.state, cycle.declined = name, cycle.declined or name == "declined"
        elif name == "voided":
            cool = event["reason"] != "notice"
            self._over(owner, life, cycle, now, self.policy, cool)
        elif name == "cancelled":
            self._over(owner, life, cycle, now, self.policy)

    def _over(
        self,
        owner: Owner,
        life: FollowedLife,
        cycle: FollowedCycle,
        now: int,
        policy: Policy,
        cool: bool = True,
    ) -> None:
        cycle.state = "over"
        life.cool_until = now + policy.stability.cool_down if cool else 0
        if life is owner.lives["enforce"]:
            owner.unclear.forget_answers()
        followers = owner.facts.followers
        owner.facts.stable = {line for line in owner.facts.stable if line <= (followers or 0)}
