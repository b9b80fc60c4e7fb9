"""Runs one partition of accounts: takes inputs and timers, writes state, events and decisions.

Everything about an account lies in one partition, so partitions do not depend on each other. This
file puts the parts of the core together; the rules themselves are in `rules`. A topic name in this
file has no prefix unless it is called full.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from schemas.enums import Ignored, Switch
from schemas.inputs import INPUT_MODELS, InputName
from streams.core.inputs.batches import offset_after
from streams.core.inputs.checker import Checker, Partitioner
from streams.core.inputs.decode import (
    DecodedSwitchChange,
)
from streams.core.inputs.entry import entry_of
from streams.core.inputs.heard import word_of
from streams.core.inputs.intake import Intake
from streams.core.inputs.refusal_guard import RefusalCounts
from streams.core.limits.caps import Caps
from streams.core.limits.cluster import CLUSTER, ClusterChange
from streams.core.limits.guards import GuardBook
from streams.core.limits.partition_limits import CAPS, GUARDS, PartitionLimits
from streams.core.limits.switches import BRAKES, Switches
from streams.core.log.chain import Chain
from streams.core.log.decisions import DecisionLog
from streams.core.model.account import (
    AccountRef,
    encode,
)
from streams.core.model.instants import milliseconds
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS, Records, Snapshot, Transaction
from streams.core.model.step_effects import StepEffects
from streams.core.state.account_store import AccountStore
from streams.core.state.adoption import Adopted, adopt
from streams.core.state.evaluator import POLICIES, Evaluator
from streams.core.state.hearing import Hearing
from streams.core.state.reading import TOPIC_NUMBERS, InputReader
from streams.core.state.refusals import REFUSALS, PartitionRefusals

_CHAIN, _RESCAN = b"#chain", b"#rescan"
ORDER: tuple[InputName, ...] = tuple(INPUT_MODELS)
"""The order in which topics are applied within one step."""

RESCANNED: frozenset[InputName] = frozenset({"category-changes", "follower-counts"})
"""Topics to read again if a policy changes: Byline keeps only what the present policy can use."""


class PartitionEnvironment(NamedTuple):
    """What all partitions of a worker share.

    `policies`: by platform. `full_name` adds the prefix to a topic's name.
    """

    policies: Mapping[str, Policy]
    partition_count: int
    partition_of: Partitioner
    require_approvals: bool
    full_name: Callable[[str], str]
    rescan: frozenset[str] = frozenset()
    """Platforms for which the operator allows that `RESCANNED` is read again."""
    id_key: bytes | None = None
    """The setting `ID_KEY` (model/ids.py)."""


class Partition:
    """Applies inputs and timers of one partition number. It is not safe for concurrent calls.

    The caller reads and clears `counts` for the metrics (see step_effects.py). All instants are
    milliseconds UTC.

    Raises:
        StopWorker: at opening, if a policy is older than the one in use, needs a rescan that the
            operator has not allowed, or is missing for a platform with open invitations or
            consents.
    """

    def __init__(
        self, environment: PartitionEnvironment, partition: int, snapshot: Snapshot, now: int
    ) -> None:
        self._environment = environment
        self._policies = environment.policies
        self._number = partition
        self._effects = StepEffects()
        self.counts = self._effects.counts
        self._store = AccountStore(partition, self._effects)
        raw = snapshot.get(ACCOUNTS, _RESCAN)
        self._store.rescan = msgspec.msgpack.decode(raw, type=dict[int, int]) if raw else {}
        self._switches = _load(snapshot, BRAKES, Switches)
        self._cluster = _load(snapshot, CLUSTER, ClusterChange)
        if self._cluster.restart(now):
            self._effects.pending[CLUSTER] = self._cluster
        self._limits = _limits(environment, partition, snapshot, self._store, self._effects)
        known = snapshot.get(ACCOUNTS, POLICIES)
        adopted = msgspec.msgpack.decode(known, type=dict[str, Adopted]) if known else {}
        self.adoption = adopt(adopted, environment.policies, partition, now, environment.rescan)
        self._adopted = self.adoption.adopted
        self._decisions = DecisionLog(partition, _load(snapshot, _CHAIN, Chain), now)
        self._policies_told = adopted == self._adopted
        self._evaluator = Evaluator(
            environment.policies,
            self.adoption,
            self._switches,
            self._limits,
            self._store,
            self._decisions,
            self._effects,
            self._cluster,
            environment.id_key,
        )
        self.schedule = self._evaluator.schedule
        self._hasten = partial(self.schedule.hasten_all, self._store.active_keys)
        self._refusals = PartitionRefusals(
            environment.policies,
            _load(snapshot, REFUSALS, RefusalCounts),
            self._switches,
            self._decisions,
            self._effects,
            self._hasten,
        )
        self._hearing = Hearing(
            environment.policies, self._store, self._evaluator, self._limits, self._effects
        )
        floors = {name: policy.floor for name, policy in environment.policies.items()}
        self._intake = Intake(
            partition,
            Checker(partition, environment.partition_of, floors, environment.require_approvals),
            environment.full_name,
            self._refusals.guard,
            self._effects,
            self._hearing.refused,
            environment.id_key,
        )
        self._reader = InputReader(
            environment.policies,
            self._store,
            self._limits,
            self._intake,
            self._evaluator,
            self._effects,
        )
        self._evaluator.open(snapshot, now)

    def take_up(self, transaction: Transaction, now: int) -> None:
        """Writes what changed when the partition was opened.

        That is: the policies, if one is new to the partition, and the end of a period in which the
        cluster had changed.
        """
        if not self._policies_told:
            self._policies_told = True
            self._effects.pending[POLICIES] = self._adopted
            self._decisions.policies(transaction, now, self._policies)
        self._effects.flush(transaction)

    def made_anew(self, before: Mapping[InputName, int]) -> None:
        """Notes topics that were deleted and created again since the partition last read them.

        `before` holds, by topic, the offset at which reading of the old topic had stopped. Below
        it, an offset of the new topic does not show that a record was applied before.
        """
        for name, offset in before.items():
            # No account keeps an offset of the topic `switches`, so it needs no entry.
            if name in TOPIC_NUMBERS:
                self._store.made_anew[TOPIC_NUMBERS[name]] = offset

    def rewind(
        self, transaction: Transaction, reads: Mapping[InputName, int]
    ) -> frozenset[InputName]:
        """Returns the topics to read again from their beginning because a new policy needs it.

        `reads` holds, by topic, the offset at which reading would go on. A reading or label that
        was applied before changes nothing when it is read again, because it is not newer.
        """
        if not self.adoption.rescans:
            return frozenset()
        for name in RESCANNED:
            self._store.rescan[TOPIC_NUMBERS[name]] = reads.get(name, 0)
        transaction.put(ACCOUNTS, _RESCAN, encode(self._store.rescan))
        return RESCANNED

    # ---- inputs --------------------------------------------------------------------------------

    def step(
        self,
        transaction: Transaction,
        now: int,
        batches: Iterable[tuple[InputName, Records]],
        order: Sequence[InputName] = ORDER,
    ) -> bool:
        """Applies batches of records, topic by topic.

        Returns True if an event or dead letter was written, so that the caller commits soon.
        `batches` may come in any order. `order` is the order of topics to apply; a replay gives
        that of the edition in which the decision log was written. A compressed batch that cannot be
        unpacked is one of the records (see batches.py).
        """
        self._effects.begin()
        reads: dict[str, tuple[int, int]] = {}
        for name, records in sorted(batches, key=lambda batch: order.index(batch[0])):
            if not records:
                continue
            self.counts["inputs", name] += len(records)
            topic = self._environment.full_name(name)
            first = reads[topic][0] if topic in reads else records[0].offset
            reads[topic] = (first, offset_after(records[-1]))
            if name == "follower-counts":
                self._reader.read_counts(transaction, now, records)
            elif name == "category-changes":
                self._reader.read_labels(transaction, now, records)
            elif name == "switches":
                self._read_switches(transaction, now, records)
            else:
                for record, value in self._intake.inputs(transaction, now, name, records):
                    self._hearing.hear(transaction, now, name, record, value)
        self._effects.flush(transaction)
        self._decisions.step(now, reads, self._effects.state_changed)
        return self._effects.commit_soon

    def _read_switches(self, transaction: Transaction, now: int, records: Records) -> None:
        for record, value in self._intake.inputs(transaction, now, "switches", records):
            assert isinstance(value, DecodedSwitchChange)
            if value.switch is Switch.REFUSALS_SETTLED:
                self._refusals.settling(transaction, now, record, value)
                continue
            word = word_of(milliseconds(value.issued_at), entry_of(record, now))
            ignored = self._switches.turn(value.scope, value.switch, value.on, word)
            if word.replaced:
                self.counts["time_replaced", "switches"] += 1
            if ignored is not Ignored.REPEAT:
                self._effects.pending[BRAKES] = self._switches
                self._effects.state_changed = True
            if ignored is not None:
                self.counts["ignored", "switches", ignored] += 1
                continue
            cause = {"topic": "switches", "offset": record.offset}
            self._decisions.switch(
                transaction, now, value, word.at if value.on else word.until, cause
            )
            self._hasten(value.scope, now)

    # ---- time ----------------------------------------------------------------------------------

    def due(self) -> int | None:
        """Returns the instant of the earliest timer, None if there is none."""
        return self.schedule.due()

    def cluster_changed(self, now: int) -> None:
        """Notes that the Kafka cluster has changed under this worker.

        From now on no adverse event is decided, and the answer windows of owners stand still, until
        the partition is opened again.
        """
        if self._cluster.change(now):
            self._effects.pending[CLUSTER] = self._cluster
            self._decisions.cluster_changed(now)

    def run_timers(
        self,
        transaction: Transaction,
        now: int,
        as_of: int,
        limit: int,
        favourable_only: bool = False,
    ) -> bool:
        """Evaluates up to `limit` accounts whose timers are due by `as_of`.

        Returns True if more accounts are due. With `favourable_only` adverse timers stay due, and
        their accounts are not evaluated again before a round without `favourable_only`.
        """
        self._effects.begin()
        if not favourable_only:
            self.schedule.unpark()
        looked = self._evaluator.run_due(transaction, now, as_of, limit, favourable_only)
        self._effects.flush(transaction)
        more = self.schedule.due_by(as_of)
        if looked or not favourable_only:
            self._decisions.timers_run(now, as_of, looked, more, favourable_only)
        return more

    def before_commit(self, transaction: Transaction, now: int, reads: Mapping[str, int]) -> None:
        """Adds the closing record of a transaction to the decision log, and stores the chain's end.

        `reads` holds, by topic, the offset to read next.
        """
        self._decisions.transaction(transaction, now, reads)
        transaction.put(ACCOUNTS, _CHAIN, encode(self._decisions.chain))

    @property
    def waiting(self) -> int:
        """The number of accounts with a timer."""
        return len(self.schedule)

    def guard_tripped_until(self, platform: str, now: int) -> int | None:
        """Returns until when a guard defers a platform's adverse events; None if no guard does."""
        return self._limits.guard_tripped_until(platform, now)

    def switches_on(self) -> list[tuple[str, str]]:
        """Returns scope and switch of each switch that is on."""
        return self._switches.turned_on()

    def refusals_tripped(self, platform: str) -> bool:
        """Whether a platform's adverse events are deferred because of refused records."""
        return self._switches.settling.is_open(platform)

    def unconfirmed(self, before: int) -> Counter[str]:
        """Counts, by platform, the invitations issued up to `before` that have no receipt yet."""
        waiting = (key for key, since in self._store.unconfirmed.items() if since <= before)
        return Counter(AccountRef.of(key).platform for key in waiting)

    @property
    def tracked(self) -> Mapping[str, int]:
        """The number of accounts whose state is kept, by platform."""
        return self._store.tracked


def _limits(
    environment: PartitionEnvironment,
    partition: int,
    snapshot: Snapshot,
    store: AccountStore,
    effects: StepEffects,
) -> PartitionLimits:
    """Returns the caps and guards of a partition as they were stored."""
    return PartitionLimits(
        partition,
        environment.partition_count,
        _load(snapshot, CAPS, Caps),
        _load(snapshot, GUARDS, GuardBook),
        lambda platform: store.tracked[platform],
        effects,
    )


_S = TypeVar("_S", bound=msgspec.Struct)


def _load(snapshot: Snapshot, key: bytes, kind: type[_S]) -> _S:
    raw = snapshot.get(ACCOUNTS, key)
    return msgspec.msgpack.decode(raw, type=kind) if raw is not None else kind()
