"""A partition of the core with its clock, fast enough for a million small histories.

`WorldRun` plays inputs, time, restarts and changes of policy, and keeps a trace of what went in and
what came out, step by step. It is to `tests.core.given.Day` what a recorder is to a stage.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from streams.core.model.instants import rfc3339
from streams.core.model.memory import StateInMemory
from streams.core.model.policy import Policy
from streams.core.model.ports import Headers
from streams.core.partition import Partition, PartitionEnvironment
from tests.core.given import START, GivenRecord

TIMES = frozenset({"observed_at", "occurred_at", "issued_at", "valid_until", "expires_at", "until"})
SIDE_TOPICS = frozenset({"decisions", "dead-letters", "switches"})
_encode = msgspec.json.Encoder().encode


Output = tuple[str, bytes | None, bytes | None, Headers]
"""Topic, key, value and headers as they go out."""


class WorldStep(NamedTuple):
    """What happened at one instant and what came of it. Times in `value` are milliseconds.

    `kind`: input, fire (timers due by `as_of` acted) or open (restart, or new policies).
    """

    kind: str
    now: int
    as_of: int | None
    topic: str
    key: str
    value: Mapping[str, Any] | None
    events: list[tuple[str, dict[str, Any]]]
    raw: list[Output]
    redelivered: bool = False
    policies: Mapping[str, Policy] | None = None
    refused: bool = False
    cluster_changed: bool = False
    favourable_only: bool = False


class WorldMemory(StateInMemory):
    """State in dictionaries; outputs as raw records since the last `take`."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: list[Output] = []

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        self.raw.append((topic, key, value, headers))


def wire(value: Mapping[str, Any] | None) -> bytes | None:
    """An input as JSON, its times in RFC 3339."""
    if value is None:
        return None
    return _encode(
        {
            name: rfc3339(field) if name in TIMES and field is not None else field
            for name, field in value.items()
        }
    )


class WorldRun:
    """A partition, its clock, and the trace of its steps.

    `sealed_after`: so many steps make a transaction; None: they are not sealed, which is faster.
    """

    def __init__(
        self,
        *policies: Policy,
        partition: int = 0,
        partition_count: int = 1,
        sealed_after: int | None = None,
    ) -> None:
        self.memory = WorldMemory()
        self.now = START
        self.offsets: dict[str, int] = defaultdict(int)
        self.records: dict[str, list[GivenRecord]] = defaultdict(list)
        self.trace: list[WorldStep] = []
        self._sealed_after, self._unsealed = sealed_after, 0
        self._partition, self._count = partition, partition_count
        self._taken = 0
        self.policies: dict[str, Policy] = {}
        self.open(*policies)

    def open(self, *policies: Policy) -> None:
        """Open the partition anew on its state: a restart, or with other policies."""
        self.before_commit()
        if policies:
            self.policies = {policy.platform: policy for policy in policies}
        world = PartitionEnvironment(
            policies=self.policies,
            partition_count=self._count,
            partition_of=lambda _: self._partition,
            require_approvals=False,
            full_name=_full_name,
            rescan=frozenset(self.policies),
        )
        self.partition = Partition(world, self._partition, self.memory, self.now)
        self.partition.take_up(self.memory, self.now)
        self._record("open", None, "", "", None, policies=self.policies)

    def put(
        self, topic: str, key: str, value: Mapping[str, Any] | None, redelivered: bool = False
    ) -> WorldStep:
        """An input, its times in milliseconds."""
        offset = self.offsets[topic]
        self.offsets[topic] = offset + 1
        record = GivenRecord(offset, self.now, key.encode(), wire(value))
        self.records[topic].append(record)
        self.partition.step(self.memory, self.now, [(topic, [record])])  # type: ignore[list-item]
        step = self._record("input", None, topic, key, value, redelivered=redelivered)
        self._echo(step)
        return step

    def _echo(self, step: WorldStep) -> None:
        """Read back what the partition itself wrote to the switches."""
        for topic, key, raw, _ in step.raw:
            if topic != "switches" or key is None or raw is None:
                continue
            offset = self.offsets[topic]
            self.offsets[topic] = offset + 1
            record = GivenRecord(offset, self.now, key, raw)
            self.records[topic].append(record)
            self.partition.step(self.memory, self.now, [("switches", [record])])
            value = msgspec.json.decode(raw)
            value["issued_at"] = self.now
            self._record("input", None, topic, key.decode(), value)

    def run_timers(self, as_of: int | None = None, favourable_only: bool = False) -> None:
        """Let every timer that is due act, in as many rounds as it takes."""
        as_of = self.now if as_of is None else as_of
        while True:
            more = self.partition.run_timers(self.memory, self.now, as_of, 1000, favourable_only)
            self._record("fire", as_of, "", "", None, favourable_only=favourable_only)
            if not more:
                return

    def change_cluster(self) -> None:
        """The engine says that the cluster has changed."""
        self.partition.cluster_changed(self.now)
        self._record("cluster", None, "", "", None, cluster_changed=True)

    def before_commit(self) -> None:
        """End the transaction."""
        if self._unsealed:
            self.partition.before_commit(self.memory, self.now, dict(self.offsets))
            self._unsealed = 0

    def wait(self, milliseconds: int, hops: int = 40) -> None:
        """Time passes; a punctual worker acts at each instant that is due."""
        end = self.now + milliseconds
        for _ in range(hops):
            due = self.partition.due()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.run_timers()
        self.now = end

    def note(self) -> WorldStep:
        """Write down what inputs read together brought."""
        return self._record("input", None, "", "", None)

    @property
    def cycles(self) -> int:
        """The number of the last live cycle."""
        numbers = (
            event["cycle"]
            for step in self.trace
            for _, event in step.events
            if event["mode"] == "enforce"
        )
        return max(numbers, default=1)

    def _record(
        self,
        kind: str,
        as_of: int | None,
        topic: str,
        key: str,
        value: Mapping[str, Any] | None,
        redelivered: bool = False,
        policies: Mapping[str, Policy] | None = None,
        cluster_changed: bool = False,
        favourable_only: bool = False,
    ) -> WorldStep:
        if self._sealed_after is not None:
            self._unsealed += 1
            if self._unsealed >= self._sealed_after:
                self.before_commit()
        fresh = self.memory.raw[self._taken :]
        self._taken = len(self.memory.raw)
        events = [
            (out, msgspec.json.decode(raw or b"null"))
            for out, _, raw, _ in fresh
            if out not in SIDE_TOPICS
        ]
        refused = any(out == "dead-letters" for out, _, _, _ in fresh)
        step = WorldStep(
            kind,
            self.now,
            as_of,
            topic,
            key,
            value,
            events,
            fresh,
            redelivered,
            policies,
            refused,
            cluster_changed,
            favourable_only,
        )
        self.trace.append(step)
        return step


def _full_name(name: str) -> str:
    return "byline." + name
