"""Runs the core on a copy of one account's state, to see what would happen.

The core is the one that workers run. Inputs are given to it as records, and its clock moves from
one due timer to the next.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.inputs import InputName
from streams.core.limits.cluster import CLUSTER
from streams.core.model.account import AccountRef
from streams.core.model.instants import DAY
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS
from streams.core.partition import Partition, PartitionEnvironment
from streams.explain.material import Material
from streams.lives.partition import SimulatedRecord, SimulatedState
from streams.operate.audit.records import millis
from streams.stop_worker import ExitCode, StopWorker

HORIZON = 400 * DAY
"""How far ahead (ms) timers are run."""
MOST_LOOKS = 200
_NOT_EVENTS = frozenset({"decisions", "dead-letters", "switches"})
DECISIVE = frozenset(
    {
        "invitation.issued",
        "invitation.expired",
        "invitation.cancelled",
        "consent.granted",
        "consent.withdrawn",
        "consent.voided",
        "throttle.applied",
        "throttle.lifted",
    }
)
"""The events that count as an outcome; a reminder does not."""


class SandboxOutcome(NamedTuple):
    """The first decisive events, all of one instant `at` (ms); none: nothing would happen.

    Each event is given as name, reason, surface and mode.
    """

    at: int | None
    events: tuple[tuple[str, str, str | None, str], ...]

    def same(self, other: "SandboxOutcome") -> bool:
        """Returns whether the same events would happen, even if at another time."""
        return self.events == other.events


class _Events:
    """A sink that keeps the events, decoded."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []

    def __call__(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic not in _NOT_EVENTS and value is not None:
            self.sent.append(json.loads(value))


class Sandbox:
    """A partition with one account, whose clock stands at `now` (ms).

    Raises StopWorker if the policy is not known or the core cannot read the state.
    """

    def __init__(self, material: Material, now: int) -> None:
        part = material.states.part(material.partition)
        policies: dict[str, Policy] = {
            name: policy for name, policy in part.policies.items() if policy is not None
        }
        platform = material.ref.platform
        if platform not in policies:
            raise StopWorker(f"the policy of {platform} is not known", ExitCode.PERSON)
        state = dict(material.states.reserved(material.partition))
        for record in (material.state, material.remains):
            if record is not None and record.key is not None and record.value is not None:
                state[record.key] = record.value
        self.ref: AccountRef = material.ref
        self.policy = policies[platform]
        self.now = now
        self._offset = 1 << 60
        self._events = _Events()
        self._tables = SimulatedState(self._events)
        self._tables.state[ACCOUNTS] = dict(state)
        world = PartitionEnvironment(
            policies=policies,
            partition_count=material.states.partition_count,
            partition_of=lambda _: material.partition,
            require_approvals=False,
            full_name=str,
        )
        self._partition = Partition(world, material.partition, self._tables, now)
        if CLUSTER in state and part.cluster.since is not None:
            self._partition.cluster_changed(now)

    def put(self, topic: InputName, at: int, **value: Any) -> "Sandbox":
        """Applies an input about the account, stated and appended at `at` (ms; at least `now`)."""
        # An answer that enters at the instant of a deadline is read before the deadline acts, so
        # only timers before `at` run first.
        self._run(at - 1)
        self.now = max(self.now, at)
        self._offset += 1
        filled = {"platform": self.ref.platform, "account_id": self.ref.account_id, **value}
        record = SimulatedRecord(self._offset, at, self.ref.key, json.dumps(filled).encode())
        self._partition.step(self._tables, at, [(topic, [record])])
        return self

    def _run(self, until: int, decisive: bool = False) -> None:
        """Runs the timers that are due up to `until` (ms).

        `decisive`: stop after the first event in DECISIVE.
        """
        for _ in range(MOST_LOOKS):
            due = self._partition.due()
            if due is None or due > until:
                return
            self.now = max(self.now, due)
            self._partition.run_timers(self._tables, self.now, self.now, 100)
            if decisive and any(it["event"] in DECISIVE for it in self._events.sent):
                return

    def outcome(self) -> SandboxOutcome:
        """Runs timers until the first decisive event, and returns the outcome."""
        if not any(it["event"] in DECISIVE for it in self._events.sent):
            self._run(self.now + HORIZON, decisive=True)
        decisive = [it for it in self._events.sent if it["event"] in DECISIVE]
        if not decisive:
            return SandboxOutcome(None, ())
        first = decisive[0]["decided_at"]
        events = tuple(
            (it["event"], it["reason"], it.get("surface"), it["mode"])
            for it in decisive
            if it["decided_at"] == first
        )
        return SandboxOutcome(millis(first), events)
