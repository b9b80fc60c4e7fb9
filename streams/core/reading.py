"""How counts and labels are read: the two busy topics, and who needs no look at all."""

from bisect import bisect_right
from collections.abc import Mapping

from schemas.inputs import InputName
from streams.core.account import Account, AccountRef, Label, encode
from streams.core.book import Book, at_rest, idle
from streams.core.clock import milliseconds
from streams.core.decode import CategoryChange, FollowerCount
from streams.core.eligibility import conditions_fail
from streams.core.entry import entry_of
from streams.core.examiner import Examiner
from streams.core.facts import ended, new_label, read_count, removed_label, undone
from streams.core.intake import Intake
from streams.core.ledger import ACCOUNTS, CATEGORIES, InputRecord, Ledger, Records
from streams.core.lifecycle import Eligibility
from streams.core.milder import same_side
from streams.core.permits import PartitionPermits
from streams.core.policy import Policy
from streams.core.progress import Progress
from streams.core.waiting import (
    count_waits,
    keep_count,
    label_breaks,
    label_keeps,
    reading_breaks,
    restart_dwell,
)

TOPIC_NUMBERS: dict[str, int] = {
    "account-changes": 1,
    "controls": 2,
    "category-changes": 3,
    "follower-counts": 4,
    "notice-receipts": 5,
    "consent-answers": 6,
}
"""The numbers by which input topics are named in the state."""

_COUNTS, _LABELS = TOPIC_NUMBERS["follower-counts"], TOPIC_NUMBERS["category-changes"]


class Reader:
    """Reads the counts and labels of one partition."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        book: Book,
        permits: PartitionPermits,
        intake: Intake,
        examiner: Examiner,
        progress: Progress,
    ) -> None:
        self._policies = policies
        self._book = book
        self._permits = permits
        self._intake = intake
        self._examiner = examiner
        self._progress = progress
        self._counts = progress.counts

    def read_counts(self, ledger: Ledger, now: int, records: Records) -> None:
        """A batch of follower-counts."""
        before = self._book.rescan.get(_COUNTS, 0)
        read = self._reading
        for record, reading in self._intake.readings(ledger, now, records, before):
            read(ledger, now, record, reading, record.offset < before)

    def read_labels(self, ledger: Ledger, now: int, records: Records) -> None:
        """A batch of category-changes."""
        tracked = ledger.present(ACCOUNTS, [record.key for record in records])
        known_nowhere_else = not (self._book.has_remains or self._book.rescan)
        policies = self._policies
        before = self._book.rescan.get(_LABELS, 0)
        for record, value in self._intake.inputs(ledger, now, "category-changes", records, before):
            assert value is None or type(value) is CategoryChange
            key = record.key
            assert key is not None
            if value is not None and known_nowhere_else and key not in tracked:
                # Nearly every label, which is all that is kept of its account.
                label = new_label(self._book.label(ledger, key), value, policies[value.platform])
                if label is not None:
                    ledger.put(CATEGORIES, key, encode(label))
                    self._progress.moved = True
                    continue
            self._label(ledger, now, record, value, key in tracked)

    def _reading(
        self, ledger: Ledger, now: int, record: InputRecord, reading: FollowerCount, again: bool
    ) -> None:
        """One reading; `again`: it is read once more."""
        key, policy = record.key, self._policies[reading.platform]
        assert key is not None
        followers = reading.followers
        account = self._book.load(ledger, key, reading.platform, followers >= policy.floor)
        if account is None or account.closed:
            return
        if again and ended(account, milliseconds(reading.observed_at)):
            return
        before, run_count = account.followers, len(account.runs)
        fresh = before is None and account.fresh
        if account.eligibility is Eligibility.LEAVING and count_waits(
            account, entry_of(record, now), policy
        ):
            keep_count(account, reading)
            self._book.mark(account, _COUNTS, record.offset)
            ledger.put(ACCOUNTS, key, encode(account))
            return
        if not read_count(account, reading, policy):
            self._counts["stale", "follower-counts", reading.platform] += 1
            if reading_breaks(account, reading):
                self._book.mark(account, _COUNTS, record.offset)
                self._break_dwell(ledger, account, now, "follower-counts", record)
            return
        self._book.mark(account, _COUNTS, record.offset)
        if len(account.runs) == run_count and _unmoved(account, before, followers, policy):
            ledger.put(ACCOUNTS, key, encode(account))
            return
        self._permits.count_reading(policy, before, followers, now)
        if before is None and not fresh:
            account.label = self._book.label(ledger, key)
        if self._at_rest(account, key, policy):
            ledger.put(ACCOUNTS, key, encode(account))
            return
        cause = {"topic": "follower-counts", "offset": record.offset}
        ref = AccountRef(reading.platform, reading.account_id)
        self._examiner.look(ledger, account, ref, now, cause, reading=True)

    def _break_dwell(
        self, ledger: Ledger, account: Account, now: int, name: InputName, record: InputRecord
    ) -> None:
        """A stale reading or label lies inside a dwell from which nothing has been issued yet."""
        assert record.key is not None
        restart_dwell(account)
        broken = conditions_fail(account)
        cause, ref = {"topic": name, "offset": record.offset}, AccountRef.of(record.key)
        self._examiner.look(ledger, account, ref, now, cause, changes=[broken])

    def _at_rest(self, account: Account, key: bytes, policy: Policy) -> bool:
        """Whether a look at the account would change nothing: below every line, and unbound."""
        followers = account.followers
        if followers is None or followers < policy.floor:
            return False
        return idle(account) or (at_rest(account) and not self._examiner.expects(key))

    def _label(
        self,
        ledger: Ledger,
        now: int,
        record: InputRecord,
        value: CategoryChange | None,
        tracked: bool,
    ) -> None:
        """A label in, or out by a tombstone; kept for every account, copied where it is tracked."""
        assert record.key is not None
        key = record.key
        platform = AccountRef.of(key).platform if value is None else value.platform
        policy = self._policies[platform]
        known_here = tracked or self._book.has_remains
        account = self._book.load(ledger, key, platform, False) if known_here else None
        if account is not None and account.closed:
            return
        number = _LABELS
        again = record.offset < self._book.rescan.get(number, 0)
        if value is None and again:
            return  # An old removal, read once more: what was removed then may have come back.
        known = self._book.label(ledger, key)
        if again and value is not None and undone(account, known, milliseconds(value.observed_at)):
            return
        label: Label | None
        if value is None:
            label = removed_label(known) if known is not None else None
        else:
            label = new_label(known, value, policy, again)
        if label is None:
            self._counts["stale", "category-changes", platform] += 1
            if account is not None and value is not None and label_breaks(account, value, policy):
                self._book.mark(account, number, record.offset)
                self._break_dwell(ledger, account, now, "category-changes", record)
            return
        self._progress.moved = True
        ledger.put(CATEGORIES, key, encode(label))
        if account is None or account.followers is None:
            return
        self._book.mark(account, number, record.offset)
        keeps = account.eligibility is not Eligibility.OUTSIDE and label_keeps(
            account, entry_of(record, now)
        )
        if keeps:
            account.kept_label = label
        else:
            account.label = label
        if keeps or self._at_rest(account, key, policy):
            ledger.put(ACCOUNTS, key, encode(account))
            return
        cause = {"topic": "category-changes", "offset": record.offset}
        self._examiner.look(ledger, account, AccountRef.of(key), now, cause)


def _unmoved(account: Account, before: int | None, after: int, policy: Policy) -> bool:
    """Whether a reading lies between the same lines as the one before: nothing changes."""
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
