"""The same history on another number of partitions: what an account is told does not depend on it.

The accounts of a recorded partition are dealt out anew, each group to a core of its own that knows
itself as one of so many partitions. It is led along the recorded steps: the same inputs at the same
instants, and in a round of timers its share of the accounts that were looked at. What each account
is sent must be the same, byte for byte. Caps are shared out by the number of partitions, and guards
count per partition: from where one of them holds something back nothing is compared any more.
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
from streams.replay.following import Batches, Order, Tables
from streams.replay.records import Difference, Sent, in_words
from streams.replay.written import EVENTS

_BINDING = {Deferral.CAP.value, Deferral.GUARD.value}
_MARKS = (b'"cap"', b'"guard"', b'"refusal_guard"')
"""One of these stands in every decision that tells of a cap or guard; they may stand in others."""

_Said = Mapping[bytes | None, Sequence[tuple[str, bytes | None]]]


class _Group:
    """The accounts of a recorded partition that one of the other partitions would have."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tables = Tables()
        self.core: Partition | None = None

    def do(self, act: Callable[[Partition, Tables], object]) -> list[Sent]:
        """Let the core act; what it sent."""
        assert self.core is not None
        act(self.core, self.tables)
        sent, self.tables.sent = self.tables.sent, []
        self.tables.asked.clear()
        return sent


class Elsewhere:
    """Is led beside the replay of one partition. `count`: the other number of partitions.

    `events` were compared; `binds` says where a cap or guard ended that; `difference` is the first.
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
        """Whether nothing is compared any more."""
        return self.binds is not None or self.difference is not None

    def opened(
        self, policies: Mapping[str, Policy], at: int, reads: Mapping[InputName, int]
    ) -> None:
        """The partition was opened anew, on the state that it had."""
        environment = self._environment._replace(
            policies=policies,
            rescan=frozenset(policies),
            partition_count=self._count,
            partition_of=self._partition_of,
        )
        for group in self._groups.values():
            group.core = Partition(environment, group.number, group.tables, at)

            def take_up(core: Partition, tables: Tables) -> None:
                core.take_up(tables, at)
                core.rewind(tables, reads)

            group.do(take_up)

    def stepped(self, at: int, batches: Batches, order: Order, sent: Sequence[Sent]) -> None:
        """Inputs were applied."""
        if self.over:
            return
        dealt = self._dealt(batches)
        made: list[Sent] = []
        for number, own in dealt.items():
            group = self._groups[number]
            made += group.do(
                lambda core, tables, own=own: core.step(tables, at, own, order)  # type: ignore[misc]
            )
        self._compare(sent, made)

    def timers_ran(
        self, at: int, as_of: int, looked: Sequence[bytes], favourable: bool, sent: Sequence[Sent]
    ) -> None:
        """A round of timers looked at these accounts, in this order."""
        if self.over:
            return
        shares = Counter(self._partition_of(key) for key in looked)
        made: list[Sent] = []
        for group in self._groups.values():
            share = shares[group.number]
            made += group.do(
                lambda core, tables, share=share: core.run_timers(  # type: ignore[misc]
                    tables, at, as_of, share, favourable
                )
            )
        self._compare(sent, made)

    def cluster_changed(self, at: int) -> None:
        """The cluster was seen to have changed."""
        for group in self._groups.values():
            group.do(lambda core, _: core.cluster_changed(at))

    def closed(self, at: int) -> None:
        """A transaction ended."""
        if not self.over:
            for group in self._groups.values():
                group.do(lambda core, tables: core.before_commit(tables, at, {}))

    def _dealt(self, batches: Batches) -> dict[int, Batches]:
        """Each record to the group of its account; switches to all.

        One whose key is not of this partition is refused wherever it lies, and told to nobody.
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

    def _compare(self, sent: Sequence[Sent], made: Sequence[Sent]) -> None:
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


def _by_account(sent: Sequence[Sent]) -> _Said:
    found: dict[bytes | None, list[tuple[str, bytes | None]]] = defaultdict(list)
    for it in sent:
        if it.topic in EVENTS:
            found[it.key].append((it.topic, it.value))
    return found


def _binding(sent: Sequence[Sent]) -> str | None:
    """Where a cap or guard has held something back, in words."""
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
