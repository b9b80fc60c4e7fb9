"""Applies readings and labels, the two busy topics, and skips accounts that need no evaluation.

A reading is one follower count; a label is the platform's category text of an account.
"""

from bisect import bisect_right
from collections.abc import Mapping

from schemas.inputs import InputName
from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount
from streams.core.inputs.entry import entry_of
from streams.core.inputs.intake import Intake
from streams.core.lifecycle import Eligibility
from streams.core.limits.partition_limits import PartitionLimits
from streams.core.model.account import Account, AccountRef, Label, encode
from streams.core.model.instants import milliseconds
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS, CATEGORIES, InputRecord, Records, Transaction
from streams.core.model.step_effects import StepEffects
from streams.core.rules.eligibility import conditions_fail
from streams.core.rules.facts import (
    ended,
    new_label,
    pass_over_count,
    pass_over_label,
    read_count,
    removed_label,
    undone,
)
from streams.core.rules.milder import same_side
from streams.core.rules.waiting import (
    count_waits,
    dips_before_dwell,
    gap_before_dwell,
    keep_count,
    label_breaks,
    label_keeps,
    reading_breaks,
    restart_dwell,
)
from streams.core.state.account_store import AccountStore, at_rest, idle
from streams.core.state.evaluator import Evaluator

TOPIC_NUMBERS: dict[str, int] = {
    "account-changes": 1,
    "controls": 2,
    "category-changes": 3,
    "follower-counts": 4,
    "notice-receipts": 5,
    "consent-answers": 6,
}
"""The number under which the state refers to each input topic."""

_COUNTS, _LABELS = TOPIC_NUMBERS["follower-counts"], TOPIC_NUMBERS["category-changes"]


class InputReader:
    """Applies the readings and labels of one partition."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        store: AccountStore,
        limits: PartitionLimits,
        intake: Intake,
        evaluator: Evaluator,
        effects: StepEffects,
    ) -> None:
        self._policies = policies
        self._store = store
        self._limits = limits
        self._intake = intake
        self._evaluator = evaluator
        self._effects = effects
        self._counts = effects.counts

    def read_counts(self, transaction: Transaction, now: int, records: Records) -> None:
        """Applies a batch of `follower-counts`."""
        before = self._store.rescan.get(_COUNTS, 0)
        read = self._reading
        for record, reading in self._intake.readings(transaction, now, records, before):
            read(transaction, now, record, reading, record.offset < before)

    def read_labels(self, transaction: Transaction, now: int, records: Records) -> None:
        """Applies a batch of `category-changes`."""
        tracked = transaction.present(ACCOUNTS, [record.key for record in records])
        known_nowhere_else = not (self._store.has_remains or self._store.rescan)
        policies = self._policies
        before = self._store.rescan.get(_LABELS, 0)
        for record, value in self._intake.inputs(
            transaction, now, "category-changes", records, before
        ):
            assert value is None or type(value) is DecodedCategoryChange
            key = record.key
            assert key is not None
            if value is not None and known_nowhere_else and key not in tracked:
                # Most labels are of accounts of which nothing else is kept.
                known = self._store.label(transaction, key)
                # The first label of an account follows on nothing, whenever it entered.
                entry = 0 if known is None else entry_of(record, now)
                label = new_label(known, value, policies[value.platform], entry)
                if label is not None:
                    transaction.put(CATEGORIES, key, encode(label))
                    self._effects.state_changed = True
                    continue
            self._label(transaction, now, record, value, key in tracked)

    def _reading(
        self,
        transaction: Transaction,
        now: int,
        record: InputRecord,
        reading: DecodedFollowerCount,
        is_rescan: bool,
    ) -> None:
        """Applies one reading. `is_rescan`: the offset was read before, under an older policy."""
        key, policy = record.key, self._policies[reading.platform]
        assert key is not None
        followers = reading.followers
        account = self._store.load(transaction, key, reading.platform, followers >= policy.floor)
        if account is None:
            return
        if account.closed:
            # One below the floor may not get here at all (checker.candidates): it leaves nothing.
            observed_at = milliseconds(reading.observed_at)
            if followers >= policy.floor and pass_over_count(account, observed_at):
                self._store.note_applied(account, _COUNTS, record.offset)
                self._store.save_closed(transaction, account, key)
            return
        if is_rescan and ended(account, milliseconds(reading.observed_at)):
            return
        before, run_count = account.followers, len(account.above_line_since)
        fresh = before is None and account.never_applied
        if account.eligibility is Eligibility.LEAVING and count_waits(
            account, entry_of(record, now), policy
        ):
            keep_count(account, reading, policy)
            self._store.note_applied(account, _COUNTS, record.offset)
            transaction.put(ACCOUNTS, key, encode(account))
            return
        if not read_count(account, reading, policy, is_rescan):
            self._counts["stale", "follower-counts", reading.platform] += 1
            if reading_breaks(account, reading, self._evaluator.policy_since(reading.platform)):
                self._store.note_applied(account, _COUNTS, record.offset)
                self._break_dwell(transaction, account, now, "follower-counts", record)
            elif dips_before_dwell(account, reading):
                self._store.note_applied(account, _COUNTS, record.offset)
                transaction.put(ACCOUNTS, key, encode(account))
            return
        self._store.note_applied(account, _COUNTS, record.offset)
        if len(account.above_line_since) == run_count and _unmoved(
            account, before, followers, policy
        ):
            transaction.put(ACCOUNTS, key, encode(account))
            return
        self._limits.count_reading(policy, before, followers, now)
        if before is None and not fresh:
            account.label = self._store.label(transaction, key)
        if self._at_rest(account, key, policy):
            transaction.put(ACCOUNTS, key, encode(account))
            return
        cause = {"topic": "follower-counts", "offset": record.offset}
        ref = AccountRef(reading.platform, reading.account_id)
        self._evaluator.evaluate(transaction, account, ref, now, cause, reading=True)

    def _break_dwell(
        self,
        transaction: Transaction,
        account: Account,
        now: int,
        name: InputName,
        record: InputRecord,
    ) -> None:
        """Restarts the dwell of an account because of a stale reading or label inside it.

        No invitation was issued from the dwell yet.
        """
        assert record.key is not None
        restart_dwell(account)
        broken = conditions_fail(account)
        cause, ref = {"topic": name, "offset": record.offset}, AccountRef.of(record.key)
        self._evaluator.evaluate(transaction, account, ref, now, cause, changes=[broken])

    def _at_rest(self, account: Account, key: bytes, policy: Policy) -> bool:
        """Whether an evaluation would change nothing: below every line, and nothing pending."""
        followers = account.followers
        if followers is None or followers < policy.floor:
            return False
        return idle(account) or (at_rest(account) and not self._evaluator.expects(key))

    def _label(
        self,
        transaction: Transaction,
        now: int,
        record: InputRecord,
        value: DecodedCategoryChange | None,
        tracked: bool,
    ) -> None:
        """Applies a label or a tombstone (`value` None).

        The label of every account is stored; that of a tracked account (one with state) is copied
        into its state.
        """
        assert record.key is not None
        key = record.key
        platform = AccountRef.of(key).platform if value is None else value.platform
        policy = self._policies[platform]
        known_here = tracked or self._store.has_remains
        account = self._store.load(transaction, key, platform, False) if known_here else None
        number = _LABELS
        if account is not None and account.closed:
            if value is not None and pass_over_label(account, value):
                self._store.note_applied(account, number, record.offset)
                self._store.save_closed(transaction, account, key)
            return
        is_rescan = record.offset < self._store.rescan.get(number, 0)
        if value is None and is_rescan:
            return  # A tombstone that was read before must not remove a label that came after it.
        known = self._store.label(transaction, key)
        if (
            is_rescan
            and value is not None
            and undone(account, known, milliseconds(value.observed_at))
        ):
            return
        label: Label | None
        if value is None:
            label = removed_label(known) if known is not None else None
        else:
            label = new_label(known, value, policy, entry_of(record, now), is_rescan)
        if label is None:
            self._counts["stale", "category-changes", platform] += 1
            if value is None:
                return
            since = self._evaluator.policy_since(platform)
            if account is not None and label_breaks(account, value, policy, since):
                self._store.note_applied(account, number, record.offset)
                self._break_dwell(transaction, account, now, "category-changes", record)
                return
            label = gap_before_dwell(account, known, value, policy)
            if label is None:
                return
        self._effects.state_changed = True
        transaction.put(CATEGORIES, key, encode(label))
        if account is None or account.followers is None:
            return
        self._store.note_applied(account, number, record.offset)
        keeps = account.eligibility is not Eligibility.OUTSIDE and label_keeps(
            account, entry_of(record, now)
        )
        if keeps:
            account.kept_label = label
        else:
            account.label = label
        if keeps or self._at_rest(account, key, policy):
            transaction.put(ACCOUNTS, key, encode(account))
            return
        cause = {"topic": "category-changes", "offset": record.offset}
        self._evaluator.evaluate(transaction, account, AccountRef.of(key), now, cause)


def _unmoved(account: Account, before: int | None, after: int, policy: Policy) -> bool:
    """Whether two readings lie between the same lines, so that no evaluation is needed."""
    if before is None or account.deferred is not None:
        return False
    if after * 2 < before or after < policy.floor:
        return False
    lines = policy.lines
    if bisect_right(lines, before) != bisect_right(lines, after):
        return False
    if account.live.cycle is None and account.shadow.cycle is None:
        return True
    return account.eligibility is not Eligibility.LEAVING and same_side(
        account, before, after, policy
    )
