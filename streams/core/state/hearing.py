"""Applies words, that is, account changes, receipts, answers and controls, to their accounts."""

from collections.abc import Mapping

from schemas.enums import Ignored
from streams.core.inputs.decode import (
    DecodedAccountChange,
    DecodedConsentAnswer,
    DecodedControl,
    DecodedNoticeReceipt,
    Value,
)
from streams.core.inputs.entry import entry_of
from streams.core.lifecycle import Invitation
from streams.core.limits.partition_limits import PartitionLimits
from streams.core.model.account import Account, AccountRef
from streams.core.model.policy import Policy
from streams.core.model.ports import InputRecord, Transaction
from streams.core.model.step_effects import StepEffects
from streams.core.rules.controls import reused_id
from streams.core.rules.dispatch import decide_input, stated_time
from streams.core.rules.unclear import unclear_answer, unclear_word
from streams.core.state.account_store import AccountStore
from streams.core.state.evaluator import Evaluator
from streams.core.state.reading import TOPIC_NUMBERS

WORDS = (DecodedAccountChange, DecodedNoticeReceipt, DecodedConsentAnswer, DecodedControl)


class Hearing:
    """Applies the words about the accounts of one partition."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        store: AccountStore,
        evaluator: Evaluator,
        limits: PartitionLimits,
        effects: StepEffects,
    ) -> None:
        self._policies = policies
        self._store = store
        self._evaluator = evaluator
        self._limits = limits
        self._counts = effects.counts

    def hear(
        self,
        transaction: Transaction,
        now: int,
        name: str,
        record: InputRecord,
        value: Value | None,
    ) -> None:
        """Applies the word `value`, read from topic `name`, and evaluates its account.

        If the account's state is not kept, an account change or a control creates it; a receipt or
        an answer is ignored.
        """
        assert record.key is not None
        assert isinstance(value, WORDS)
        key, ref = record.key, AccountRef.of(record.key)
        policy = self._policies[ref.platform]
        creates = isinstance(value, DecodedAccountChange | DecodedControl)
        account = self._store.load(transaction, key, policy.platform, creates)
        if account is None:
            self._counts["ignored", name, Ignored.UNTRACKED] += 1
            return
        self._store.note_applied(account, TOPIC_NUMBERS[name], record.offset)
        word = stated_time(value, entry_of(record, now))
        if word.replaced:
            self._counts["time_replaced", name] += 1
        decided = decide_input(account, self._evaluator.context(ref, now, None), value, word)
        ignored = decided if isinstance(decided, Ignored) else None
        changes = [] if isinstance(decided, Ignored) else decided
        stale = any(change.stale for change in changes)
        self._count(name, account, value, Ignored.STALE if stale else ignored, policy, now)
        cause = {"topic": name, "offset": record.offset}
        self._evaluator.evaluate(
            transaction, account, ref, now, cause, changes=changes, ignored=ignored
        )

    def refused(
        self, transaction: Transaction, now: int, name: str, key: bytes, entry: int, offset: int
    ) -> None:
        """Records an unclear word: a record that was refused for its form, of a certain account.

        schemas/CONTRACT.md, "Answers, receipts, unclear words".

        A refused answer has an effect only while the account has a live cycle; an account change or
        a control has it at any time. `entry`: when the record was appended to Kafka.
        """
        ref = AccountRef.of(key)
        answers = name == "consent-answers"
        account = self._store.load(transaction, key, ref.platform, create=not answers)
        if account is None:
            return
        if not answers:
            unclear_word(account, name, entry)
        elif account.live.cycle is None or not unclear_answer(account.live.cycle, entry, None):
            return
        self._store.note_applied(account, TOPIC_NUMBERS[name], offset)
        self._count_unclear(name, account, ref.platform)
        cause = {"topic": name, "offset": offset}
        self._evaluator.evaluate(transaction, account, ref, now, cause, ignored=Ignored.UNCLEAR)

    def _count(
        self,
        name: str,
        account: Account,
        value: Value,
        ignored: Ignored | None,
        policy: Policy,
        now: int,
    ) -> None:
        """Counts a word for the metrics and for the guard `overturned`."""
        if ignored is not None:
            self._counts["ignored", name, ignored] += 1
        if ignored is Ignored.UNCLEAR:
            self._count_unclear(name, account, policy.platform)
        if isinstance(value, DecodedControl) and ignored is not Ignored.REPEAT:
            self._limits.count_verdict(policy, value.command, now)
            if reused_id(account, value):
                self._counts["control_id_reused", policy.platform] += 1

    def _count_unclear(self, name: str, account: Account, platform: str) -> None:
        consent = "yes" if account.live.state is Invitation.GRANTED else "no"
        self._counts["unclear", platform, name, consent] += 1
