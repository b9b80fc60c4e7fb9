"""The guards as `streams/core/limits/guards.py` describes them, counted from what is seen.

Of the core nothing is taken but the policy. What came in is read off the inputs, what was issued,
bounced or came inside off the decision log.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from streams.core.model.policy import Guards, Policy
from tests.core.invariants.world import WorldStep

PARTS = 12
CHANCE = 3
"""Fewer bad cases are chance, unless the policy asks for fewer cases at all."""


class InvariantWatch:
    """What one partition has counted, and until when it holds a platform's adverse events back.

    `held`: of the last step, each event that went out under a closed guard, and until when it was.
    """

    def __init__(self, partition_count: int = 1) -> None:
        self.tracked: Counter[str] = Counter()
        self.closed: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self._seen: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
        self._count = partition_count

    def opened(self, kept: Iterable[str]) -> None:
        """A worker took the partition up and found an account of each of these platforms."""
        self.tracked = Counter(kept)

    def heard(
        self, policy: Policy, step: WorldStep, applied: bool, before: int | None, more: int
    ) -> None:
        """An input about an account whose count was `before`; `more`: so many more are tracked."""
        value, now = step.value or {}, step.now
        self.tracked[policy.platform] += more
        if not applied:
            return
        if step.topic == "follower-counts" and before is not None:
            # Below the floor a count is not always remembered, so what follows it may be no fall.
            if before >= policy.floor and 2 * value["followers"] < before:
                self._case(policy, "sudden_drop", now, 0, 1)
        elif step.topic == "controls" and value["command"] in ("appeal_upheld", "appeal_rejected"):
            self._case(policy, "overturned", now, 1, value["command"] == "appeal_upheld")

    def logged(self, policies: Mapping[str, Policy], step: WorldStep) -> None:
        """What the step decided, account by account: the later ones are held by the earlier."""
        self.held = {}
        if not any(policy.guards for policy in policies.values()):
            return
        for topic, _, raw, _ in step.raw:
            decision = json.loads(raw or b"{}") if topic == "decisions" else {}
            if decision.get("kind") == "decision" and decision["platform"] in policies:
                self._decision(policies[decision["platform"]], decision, step.now)

    def _decision(self, policy: Policy, decision: dict[str, Any], now: int) -> None:
        until = self._closed(policy.platform, now)
        for taken in decision["transitions"]:
            if (taken["from_state"], taken["to_state"]) == ("DWELLING", "INSIDE"):
                self._case(policy, "sudden_eligible", now, 0, 1)
        inside = self._closed(policy.platform, now)
        for event in decision["events"]:
            name = event["event"]
            # Whoever comes inside is counted before anything is issued to him.
            held = inside if name == "invitation.issued" else until
            if held is not None:
                self.held[event["event_id"]] = held
            if name == "invitation.issued":
                self._case(policy, "undelivered", now, 1, 0)
            elif name == "invitation.undeliverable":
                self._case(policy, "undelivered", now, 0, 1)

    def _closed(self, platform: str, now: int) -> int | None:
        until = self.closed.get(platform, now)
        return until if until > now else None

    def _case(self, policy: Policy, guard: str, now: int, cases: int, bad: int) -> None:
        guards = policy.guards
        rate = None if guards is None else getattr(guards, f"{guard}_ppm")
        if guards is None or rate is None:
            return
        seen = self._seen[policy.platform, guard]
        seen.append((now, cases, bad))
        part = max(1, guards.window // PARTS)
        # What a window has left behind does not come back under a longer one.
        seen[:] = inside = [one for one in seen if one[0] // part > now // part - PARTS]
        all_cases, all_bad = (sum(one[which] for one in inside) for which in (1, 2))
        if guard.startswith("sudden"):
            all_cases = self.tracked[policy.platform]
        if bad and self._too_many(guards, all_cases, all_bad, rate):
            self.closed[policy.platform] = now + guards.window

    def _too_many(self, guards: Guards, cases: int, bad: int, rate: int) -> bool:
        enough = cases * self._count >= guards.minimum
        return enough and bad >= min(CHANCE, guards.minimum) and bad * 1_000_000 > rate * cases
