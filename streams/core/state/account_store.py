"""Loads and saves the accounts of a partition: under the key; once closed, under its digest.

A *tracked* account is one whose state is kept. The *remains* of a closed account are what is kept
of it.
"""

from collections import Counter

import msgspec

from streams.core.lifecycle import OPEN, Eligibility, Invitation
from streams.core.model.account import (
    Account,
    AccountRef,
    Label,
    decode_account,
    decode_label,
    encode,
)
from streams.core.model.ids import pseudonym
from streams.core.model.ports import ACCOUNTS, CATEGORIES, Transaction
from streams.core.model.step_effects import StepEffects
from streams.core.rules.facts import remains
from streams.stop_worker import ExitCode, StopWorker, unreadable_state


class AccountStore:
    """Loads and saves accounts, and counts them.

    `active_keys`: the keys of accounts with something at stake (see `has_stake`). `tracked`: the
    number of accounts by platform.
    """

    def __init__(self, partition: int, effects: StepEffects) -> None:
        self._partition = partition
        self._effects = effects
        self.active_keys: set[bytes] = set()
        self.unconfirmed: dict[bytes, int] = {}
        """By key, since when a live invitation has no receipt; milliseconds UTC."""
        self.tracked: Counter[str] = Counter()
        self._closed = 0
        """The number of closed accounts. With none, no key is looked up by its digest."""
        self.rescan: dict[int, int] = {}
        """By topic number, the offset below which the topic is read a second time."""
        self.made_anew: dict[int, int] = {}
        """By number of a topic that was deleted and created again, where reading had stopped."""

    def add(self, key: bytes, account: Account, platform: str) -> None:
        """Registers an account that was read from the state at opening."""
        self.tracked[platform] += 1
        if has_stake(account):
            self.active_keys.add(key)
            self._confirm(key, account)

    def _confirm(self, key: bytes, account: Account) -> None:
        cycle = account.live.cycle
        if cycle is not None and account.live.state is Invitation.INVITED:
            self.unconfirmed[key] = cycle.issued_at
        elif self.unconfirmed:
            self.unconfirmed.pop(key, None)

    @property
    def has_remains(self) -> bool:
        """Whether there are closed accounts, which are stored under a digest of their key."""
        return self._closed > 0

    def add_remains(self) -> None:
        """Registers a closed account that was read from the state at opening."""
        self._closed += 1

    def load(
        self, transaction: Transaction, key: bytes, platform: str, create: bool
    ) -> Account | None:
        """Returns the account of a key. If it is not kept: a new one with `create`, else None.

        Raises:
            StopWorker: no worker wrote it.
        """
        raw = transaction.get(ACCOUNTS, key)
        if raw is None and self._closed:
            raw = transaction.get(ACCOUNTS, pseudonym(key))
        if raw is not None:
            try:
                return decode_account(raw)
            except msgspec.MsgspecError as error:
                raise unreadable_state(self._partition, "an account", error) from error
        if not create:
            return None
        self.tracked[platform] += 1
        account = Account()
        account.label = self.label(transaction, key)
        return account

    def label(self, transaction: Transaction, key: bytes) -> Label | None:
        """Returns the label that is kept for a key, whether the account is tracked or not.

        Raises:
            StopWorker: no worker wrote it.
        """
        raw = transaction.get(CATEGORIES, key)
        if raw is None:
            return None
        try:
            return decode_label(raw)
        except msgspec.MsgspecError as error:
            raise unreadable_state(self._partition, "a label", error) from error

    def note_applied(self, account: Account, topic: int, offset: int) -> None:
        """Notes that the input at `offset` of a topic (by number) is applied to an account.

        Raises:
            StopWorker: this or a later offset of the topic was already applied to it.
        """
        last_topic, last_offset = account.last_applied
        if topic == last_topic and offset <= last_offset and offset >= self._again_below(topic):
            raise StopWorker(
                f"partition {self._partition}: offset {offset} of input {topic} would be applied "
                f"to an account that offset {last_offset} has changed already; the state is ahead "
                "of the position, which must never be",
                exit_code=ExitCode.RESTART,
            )
        account.last_applied = (topic, offset)
        self._effects.state_changed = True

    def _again_below(self, topic: int) -> int:
        """Returns the offset below which an input of a topic may be applied a second time."""
        return max(self.rescan.get(topic, 0), self.made_anew.get(topic, 0))

    def save_closed(self, transaction: Transaction, account: Account, key: bytes) -> None:
        """Writes an account that was closed before, and of which nothing lies under its key."""
        transaction.put(ACCOUNTS, pseudonym(key), encode(remains(account)))

    def save(self, transaction: Transaction, account: Account, ref: AccountRef) -> None:
        """Writes an account; of a closed one only the fields that stay, under the key's digest."""
        key = ref.key
        if account.closed:
            digest = pseudonym(key)
            is_new = not transaction.contains(ACCOUNTS, digest)
            self.tracked[ref.platform] -= is_new
            self._closed += is_new
            transaction.put(ACCOUNTS, key, None)
            transaction.put(CATEGORIES, key, None)
            transaction.put(ACCOUNTS, digest, encode(remains(account)))
            self.active_keys.discard(key)
            self.unconfirmed.pop(key, None)
            return
        if account.opened_at is not None:
            digest = pseudonym(key)
            closed = transaction.contains(ACCOUNTS, digest)
            self.tracked[ref.platform] += closed
            self._closed -= closed
            transaction.put(ACCOUNTS, digest, None)
            if closed and account.label is not None:
                # The time of the label that the closing deleted: the same one is not a new one.
                transaction.put(CATEGORIES, key, encode(account.label))
        transaction.put(ACCOUNTS, key, encode(account))
        self._confirm(key, account)
        if has_stake(account):
            self.active_keys.add(key)
        else:
            self.active_keys.discard(key)


def has_stake(account: Account) -> bool:
    """Whether an account has something at stake: it is not OUTSIDE, or it has a cycle."""
    return (
        account.eligibility is not Eligibility.OUTSIDE
        or account.live.cycle is not None
        or account.shadow.cycle is not None
    )


def idle(account: Account) -> bool:
    """Whether no reading can change anything: no label, no hold and nothing at stake."""
    return account.label is None and account.hold is None and not has_stake(account)


def at_rest(account: Account) -> bool:
    """Whether a reading below every line, or a label, can change nothing: nothing is pending.

    The caller checks that the count is known and at or above the floor.
    """
    return (
        not account.above_line_since
        and account.hold is None
        and account.deferred is None
        and not has_stake(account)
    )


def binds(account: Account) -> bool:
    """Whether an account has an open invitation or a consent in force."""
    states = (account.live.state, account.shadow.state)
    return any(state in OPEN or state is Invitation.GRANTED for state in states)
