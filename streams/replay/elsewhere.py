"""Replays the same history on another number of partitions: the events must be the same.

The accounts of a recorded partition are split into groups, one for each partition of the other
number. Each group has a core of its own, which is run along the recorded steps: the same inputs at
the same instants, and in a round of timers its share of the accounts that were looked at. The
events of each account must be equal, byte for byte. Caps are shared out by the number of
partitions, and guards count per partition: once one of them defers something, comparing stops.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from schemas.enums import Deferral
from schemas.inputs import InputName
from schemas.topics import DECISIONS
from streams.core.inputs.checker import Partitioner
from streams.core.model.policy import Policy
from streams.core.partition import Partition, PartitionEnvironment
from streams.replay.records import Difference, ReplayedRecord, in_words
from streams.replay.tables import Batches, Order, ReplayTables
from streams.replay.written import EVENTS

_BINDING = {Deferral.CAP.value, Deferral.GUARD.value}
_MARKS = (b'"cap"', b'"guard"', b'"refusal_guard"')
"""Each decision that a cap or guard defers contains one of these; other records may, too."""

_Said = Mapping[bytes | None, Sequence[tuple[str, bytes | None]]]


class _Group:
    """The accounts of a recorded partition that are in partition `number` of the other count."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tables = ReplayTables()
        self.core: Partition | None = None

    def do(self, act: Callable[[Partition, ReplayTables], object]) -> list[ReplayedRecord]:
        """Calls `act` on the core and its stores; returns the records that it sent."""
        assert self.core is not None
        act(self.core, self.tables)
        sent, self.tables.sent = self.tables.sent, []
        self.tables.asked.clear()
        return sent


class Elsewhere:
    """Runs the other number of partitions beside the replay of one partition.

    `count`: the other number. `events`: how many were compared. `binds`: where a cap or guard ended
    the comparison, in words, or None. `difference`: the first one, or None.
    """

    def __init__(
        self,
        environment: PartitionEnvironment,
        partition: int,
        count: int,
        partition_of: Partitioner,
    ) -> None:
        self.events = 0
        self.binds: str | None = None
        self.difference: Difference | None = None
        self._environment, self._partition = environment, partition
        self._count, self._partition_of = count, partition_of
        shared = math.gcd(environment.partition_count, count)
        numbers = range(partition % shared, count, shared)
        self._groups = {number: _Group(number) for number in numbers}

    @property
    def over(self) -> bool:
        """Whether the comparison has ended."""
        return self.binds is not None or self.difference is not None

    def opened(
        self, policies: Mapping[str, Policy], at: int, reads: Mapping[InputName, int]
    ) -> None:
        """Opens the core of each group, on the state that it had."""
        environment = self._environment._replace(
            policies=policies,
            rescan=frozenset(policies),
            partition_count=self._count,
            partition_of=self._partition_of,
        )
        for group in self._groups.values():
            group.core = Partition(environment, group.number, group.tables, at)

            def take_up(core: Partition, tables: ReplayTables) -> None:
                core.take_up(tables, at)
                core.rewind(tables, reads)

            group.do(take_up)

    def stepped(
        self, at: int, batches: Batches, order: Order, sent: Sequence[ReplayedRecord]
    ) -> None:
        """Applies the inputs to the groups and compares what they send."""
        if self.over:
            return
        dealt = self._dealt(batches)
        made: list[ReplayedRecord] = []
        for number, own in dealt.items():
            group = self._groups[number]
            made += group.do(
                lambda core, tables, own=own: core.step(tables, at, own, order)  # type: ignore[misc]
            )
        self._compare(sent, made)

    def timers_ran(
        self,
        at: int,
        as_of: int,
        looked: Sequence[bytes],
        favourable: bool,
        sent: Sequence[ReplayedRecord],
    ) -> None:
        """Runs each group's share of a round of timers and compares what they send."""
        if self.over:
            return
        shares = Counter(self._partition_of(key) for key in looked)
        made: list[ReplayedRecord] = []
        for group in self._groups.values():
            share = shares[group.number]
            made += group.do(
                lambda core, tables, share=share: core.run_timers(  # type: ignore[misc]
                    tables, at, as_of, share, favourable
                )
            )
        self._compare(sent, made)

    def cluster_changed(self, at: int) -> None:
        """Tells the core of each group that the cluster has changed."""
        for group in self._groups.values():
            group.do(lambda core, _: core.cluster_changed(at))

    def closed(self, at: int) -> None:
        """Closes the transaction of each group."""
        if not self.over:
            for group in self._groups.values():
                group.do(lambda core, tables: core.before_commit(tables, at, {}))

    def _dealt(self, batches: Batches) -> dict[int, Batches]:
        """Returns the inputs of each group: the records of its accounts, and all switches.

        A record whose key does not belong to this partition is left out: it is refused anyway.
        """
        dealt: dict[int, Batches] = defaultdict(list)
        home = self._environment.partition_of
        for name, records in batches:
            if name == "switches":
                for number in self._groups:
                    dealt[number].append((name, records))
                continue
            own: dict[int, list] = defaultdict(list)  # type: ignore[type-arg]
            for record in records:
                if record.key is not None and home(record.key) == self._partition:
                    own[self._partition_of(record.key)].append(record)
            for number, mine in own.items():
                dealt[number].append((name, mine))
        return dealt

    def _compare(self, sent: Sequence[ReplayedRecord], made: Sequence[ReplayedRecord]) -> None:
        self.binds = _binding(sent) or _binding(made)
        if self.binds is not None:
            return
        here, there = _by_account(sent), _by_account(made)
        self.events += sum(map(len, here.values()))
        for key in sorted(here.keys() | there.keys(), key=lambda it: it or b""):
            one, other = here.get(key, ()), there.get(key, ())
            if one != other:
                self.difference = self._different(key, one, other)
                return

    def _different(
        self,
        key: bytes | None,
        one: Sequence[tuple[str, bytes | None]],
        other: Sequence[tuple[str, bytes | None]],
    ) -> Difference:
        place = next(
            (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        mine = one[place] if place < len(one) else ("", None)
        theirs = other[place] if place < len(other) else ("", None)
        return Difference(
            self._environment.full_name(mine[0] or theirs[0]),
            self._partition,
            None,
            f"{in_words(key)} is told otherwise on {self._count} partitions",
            in_words(mine[1]),
            in_words(theirs[1]),
        )


def _by_account(sent: Sequence[ReplayedRecord]) -> _Said:
    found: dict[bytes | None, list[tuple[str, bytes | None]]] = defaultdict(list)
    for it in sent:
        if it.topic in EVENTS:
            found[it.key].append((it.topic, it.value))
    return found


def _binding(sent: Sequence[ReplayedRecord]) -> str | None:
    """Returns a text that says where a cap or guard deferred an event; None if nowhere."""
    for it in sent:
        if it.topic != DECISIONS.name or not any(mark in (it.value or b"") for mark in _MARKS):
            continue
        record = msgspec.json.decode(it.value or b"null")
        if record["kind"] == "refusal_guard":
            return f"the refusal guard of {record['platform']} tripped at {record['now']}"
        for deferral in record.get("deferrals", ()):
            held = sorted(_BINDING & set(deferral["by"]))
            if held:
                return f"a {held[0]} of {record['platform']} held back {deferral['event']}" + (
                    f" at {record['now']}"
                )
    return None
