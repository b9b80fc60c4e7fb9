"""The evaluation of one account.

To evaluate an account is to make every change that its facts and the time require, to save it, to
send the events, and to log the decision. An account has something *at stake* if it is not OUTSIDE
or has a cycle. The *agenda* of an account lists its timers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from streams.core.limits.cluster import ClusterChange
from streams.core.limits.partition_limits import PartitionLimits
from streams.core.limits.switches import Switches
from streams.core.log.decisions import Cause, DecisionLog
from streams.core.log.events import PublishedEvent, publish
from streams.core.model.account import Account, AccountRef, decode_account
from streams.core.model.change import RowChange
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS, Snapshot, Transaction
from streams.core.model.step_effects import StepEffects
from streams.core.rules import agenda as agendas
from streams.core.rules.context import DecisionContext
from streams.core.rules.decide import decide, settle
from streams.core.rules.evolve import evolve
from streams.core.rules.facts import begin_above_line, forget_count
from streams.core.state.account_store import AccountStore, binds, has_stake
from streams.core.state.adoption import Adopted, Adoption, refuse_missing
from streams.core.state.schedule import Schedule

POLICIES = b"#policies"


class Evaluator:
    """Evaluates the accounts of a partition, after inputs and when their timers are due.

    `relook`: the keys of accounts that were not yet evaluated under a new policy.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        adoption: Adoption,
        switches: Switches,
        limits: PartitionLimits,
        store: AccountStore,
        decisions: DecisionLog,
        effects: StepEffects,
        cluster: ClusterChange,
        id_key: bytes | None = None,
    ) -> None:
        self._cluster = cluster
        self._policies = policies
        self.adoption = adoption
        self._adopted: dict[str, Adopted] = adoption.adopted
        self._switches = switches
        self._limits = limits
        self._store = store
        self._decisions = decisions
        self._effects = effects
        self._id_key = id_key
        self.schedule = Schedule()
        self.relook: set[bytes] = set()

    def open(self, snapshot: Snapshot, now: int) -> None:
        """Reads every account of the partition once, and schedules its timers.

        Timers are computed as of each account's last evaluation, not as of `now`. So a timer that
        became due meanwhile keeps its own instant, and the inputs before it are read first.

        Raises:
            StopWorker: a platform with open invitations or consents has no policy.
        """
        entries: list[tuple[int, int, bytes]] = []
        passed: dict[bytes, int] = {}
        orphans: Counter[str] = Counter()
        for key, raw in snapshot.items(ACCOUNTS):
            if key[:1] == b"#":
                continue
            if key[:1] == b"~":
                self._store.add_remains()
                continue
            account = decode_account(raw)
            ref = AccountRef.of(key)
            self._store.add(key, account, ref.platform)
            has_stakes = has_stake(account)
            until = now if account.evaluated_until is None else min(account.evaluated_until, now)
            if has_stakes and ref.platform not in self._policies:
                orphans[ref.platform] += binds(account)
            if ref.platform in self.adoption.changed:
                self.relook.add(key)
                entries.append((now, 0, key))
                passed[key] = until
            elif has_stakes or account.above_line_since or account.hold is not None:
                context = self.context(ref, now, None, time=until)
                agenda = agendas.agenda_of(account, context)
                next_at = agenda.next_at
                at = now if next_at == 0 or decide(account, context) else next_at
                if at is not None:
                    entries.append((at, agenda.since(next_at), key))
                    if at <= until or at != next_at:
                        passed[key] = until
        for platform, count in orphans.items():
            if count:
                before = self._adopted.get(platform)
                raise refuse_missing(platform, count, before.since if before else None)
        self.schedule.fill(entries, passed)

    def evaluate(
        self,
        transaction: Transaction,
        account: Account,
        ref: AccountRef,
        now: int,
        cause: Cause,
        as_of: int | None = None,
        changes: Sequence[RowChange] = (),
        ignored: str | None = None,
        reading: bool = False,
        favourable_only: bool = False,
    ) -> None:
        """Applies the changes of an input, then all that facts and time require; saves and logs.

        `cause`: the input or timer, for the decision log. `as_of`: set in a round of timers; only
        timers due until then act. `ignored`: why the input does not count. `reading`: the input is
        a follower count that was applied. `favourable_only`: adverse timers do not act.
        """
        key = ref.key
        relook = key in self.relook
        if relook and as_of is not None:
            self.relook.discard(key)
            self._new_lines(account, ref)
        context = self.context(
            ref, now, as_of, policy_changed=relook, reading=reading, favourable_only=favourable_only
        )
        taken: list[RowChange] = []
        events: list[PublishedEvent] = []

        def take(change: RowChange) -> None:
            taken.append(change)
            self._take(transaction, key, account, change, context, events)

        for change in changes:
            take(change)
        agenda = settle(account, context, take)
        policy = context.policy
        below = policy is not None and (account.followers or 0) < policy.floor
        if below and not account.remembered:
            forget_count(account)
            agenda = agendas.agenda_of(account, context)
        deferred = Account.waiting_text(agenda.deferred) if agenda.deferred else None
        news = agenda.deferred if deferred != account.deferred else []
        account.deferred, account.evaluated_until = deferred, context.time
        if "timer" in cause and taken:
            cause["timer"] = str(taken[0].input)
        if taken or news or ignored is not None:
            self._decisions.decision(
                transaction, account, context, cause, taken, events, news, ignored
            )
        for event, by in news:
            for ground in by:
                self._effects.counts["deferred", ref.platform, event, ground] += 1
        self._store.save(transaction, account, ref)
        if account.closed:
            self.gone(key)
        next_at = agenda.next_at
        at = now if next_at == 0 else next_at
        if as_of is not None and next_at is not None and next_at <= as_of:
            if not agenda.adverse_waits(context) or agenda.to_do(context):
                raise RuntimeError(f"a timer of {ref.platform} is due again: {agenda.items}")
            assert at is not None
            since, passing = agenda.since(next_at), agenda.favourable_at
            self.schedule.park(key, at, since, evaluated_until=context.time, favourable_at=passing)
            return
        self.schedule.set(key, at, agenda.since(next_at), evaluated_until=context.time)

    def _take(
        self,
        transaction: Transaction,
        key: bytes,
        account: Account,
        change: RowChange,
        context: DecisionContext,
        events: list[PublishedEvent],
    ) -> None:
        """Applies a change, sends its events (added to `events`), counts it for caps and guards."""
        effects, platform = self._effects, context.ref.platform
        evolve(account, change)
        for draft in change.drafts:
            event = publish(account, change, draft, context)
            events.append(event)
            transaction.send(event.topic, key, event.value, event.headers)
            effects.counts["events", platform, draft.event, draft.reason, draft.mode] += 1
            effects.commit_soon = True
        effects.took(platform, change)
        if change.ends_cycle:
            account.life(change.life_mode).cycle = None
        if context.policy is not None:
            self._limits.count(context.policy, change, context.now)

    def _new_lines(self, account: Account, ref: AccountRef) -> None:
        """Prepares an account for the lines of a new policy, and notes when it was the last one."""
        policy, adopted = self._policies.get(ref.platform), self._adopted.get(ref.platform)
        if policy is not None and adopted is not None:
            lines = self.adoption.changed.get(ref.platform, frozenset(policy.lines))
            begin_above_line(account, policy, lines, adopted.since)
        self._all_looked_at()

    def _all_looked_at(self) -> None:
        if not self.relook:
            for name in self.adoption.changed:
                self._adopted[name].looking = False
            self._effects.pending[POLICIES] = self._adopted

    def expects(self, key: bytes) -> bool:
        """Whether a key has a timer, or was not yet evaluated under a new policy."""
        return key in self.relook or key in self.schedule

    def run_due(
        self, transaction: Transaction, now: int, as_of: int, limit: int, favourable_only: bool
    ) -> int:
        """Evaluates up to `limit` accounts that are due by `as_of`. Returns their number."""
        for done in range(limit):
            entry = self.schedule.take(as_of)
            if entry is None:
                return done
            at, key = entry
            raw = transaction.get(ACCOUNTS, key)
            if raw is None:
                self.gone(key)
                continue
            account, ref = decode_account(raw), AccountRef.of(key)
            cause = {"timer": "look", "due_at": rfc3339(at)}
            self._effects.counts["timers", ref.platform] += 1
            self.evaluate(
                transaction, account, ref, now, cause, as_of=as_of, favourable_only=favourable_only
            )
        return limit

    def gone(self, key: bytes) -> None:
        """Notes that the account of a key is no longer kept and needs no evaluation."""
        if key in self.relook:
            self.relook.discard(key)
            self._all_looked_at()

    def context(
        self,
        ref: AccountRef,
        now: int,
        as_of: int | None,
        policy_changed: bool = False,
        time: int | None = None,
        reading: bool = False,
        favourable_only: bool = False,
    ) -> DecisionContext:
        """Returns the context for a decision about an account at `now` (rules/context.py)."""
        adopted = self._adopted.get(ref.platform)
        if time is None:
            time = self.schedule.bound(ref.key, now) if as_of is None else as_of
        return DecisionContext(
            ref=ref,
            now=now,
            as_of=as_of,
            time=time,
            policy=self._policies.get(ref.platform),
            policy_since=adopted.since if adopted else 0,
            policy_changed=policy_changed,
            switches=self._switches,
            limits=self._limits,
            cluster=self._cluster,
            reading=reading,
            favourable_only=favourable_only,
            notices=adopted.notices if adopted else (),
            id_key=self._id_key,
        )

    def policy_since(self, platform: str) -> int:
        """Returns when this partition began to use the present policy of a platform.

        Milliseconds UTC; 0 for the first policy of the platform.
        """
        adopted = self._adopted.get(platform)
        return adopted.since if adopted else 0
