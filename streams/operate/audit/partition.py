"""The auditor's state of one partition: accounts, switches, policies in force, what is due."""

from collections.abc import Iterator

from streams.operate.audit.account_state import AuditedAccount
from streams.operate.audit.chain import CHAIN_BROKEN, START, AuditedChain, Break
from streams.operate.audit.guard import AuditedRefusalGuard
from streams.operate.audit.overdue import Overdue
from streams.operate.audit.records import Breach, Record
from streams.operate.audit.replay_order import ReplayOrder
from streams.operate.audit.switch_log import NEVER, SwitchLog
from streams.operate.audit.switches import AuditedSwitches
from streams.operate.audit.terms import AuditedTerms

RESCANNED = frozenset({"category-changes", "follower-counts"})
"""Inputs that a worker may read again after a change of policy: the old one dropped some."""


class AuditedPartition:
    """One partition of every topic, under one number: they hold the same accounts.

    `unsaid`: refused inputs whose dead letter has not been read. `acted_for`: the latest due
    instant (ms) for which an adverse timer acted, and the place of its decision; `acted_before`:
    the same before the transaction at hand. `changed_at`: since when a worker has noted a change of
    the cluster. `touched`: the accounts of the transaction at hand. `newest`: the last input read,
    by topic. `rescan`: the inputs that may be read again now.
    """

    def __init__(self, number: int) -> None:
        self.whole = True
        self.replay_order = ReplayOrder(number)
        self.accounts: dict[str, AuditedAccount] = {}
        self.switch_log = SwitchLog()
        self.switches = AuditedSwitches()
        self.guard = AuditedRefusalGuard()
        self.digests_skipped = 0
        """Dead letters whose digest was made under another `ID_KEY`, or one that is not given."""
        self.unsaid: list[tuple[int, str, Breach]] = []
        self.acted_for: tuple[int, str] = (-NEVER, "")
        self.acted_before = self.acted_for
        self.changed_at: int | None = None
        self.changed_place = ""
        self.changed_since = 0
        self.pauses: list[list[int]] = []
        self.present: dict[str, AuditedTerms] = {}
        self.touched: dict[str, AuditedAccount] = {}
        self.newest: dict[str, Record] = {}
        self.overdue = Overdue()
        self.chain: AuditedChain | None = None
        self.rescan: frozenset[str] = frozenset()

    def account(self, key: str) -> AuditedAccount:
        """Returns the account of this key; makes it if it is not known."""
        found = self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = AuditedAccount(key, self.whole)
        self.touched[key] = found
        return found

    def tripped(self, platform: str) -> str | None:
        """Returns the place of the record that says that a platform's refusal guard is tripped.

        It is in the decision log, or in the topic of switches as far as the partition has read it.
        None: the guard is not tripped.
        """
        said = self.guard.tripped(platform, self.switch_log)
        return said or self.switches.switch_log.tripped(platform)

    def cluster(self, changed_at: int | None, opened_at: int | None, now: int, place: str) -> None:
        """Notes that a worker saw the cluster change (`changed_at`), or started again after that.

        All times are in ms; the pause of the answer clock runs from the one to `opened_at`.
        """
        if opened_at is not None and self.changed_at is not None:
            self.pauses = [*self.pauses[-63:], [self.changed_since, opened_at]]
            self.changed_at = None
        if changed_at is not None and self.changed_at is None:
            self.changed_at, self.changed_since, self.changed_place = changed_at, now, place

    def link(self, record: Record, whole: bool) -> Iterator[Breach]:
        """Checks the next record of the log against the hash chain.

        If reading does not start at the log's beginning, the first record is taken on trust.
        """
        if self.chain is None:
            trusted = not whole or record.offset > 0
            start = (None, None) if trusted else (1, START)
            self.chain = AuditedChain(record.partition, *start)
        for broken in self.chain.check(record):
            yield chain_broken(broken, record)


def chain_broken(it: Break, record: Record) -> Breach:
    """Returns the breach that a fault of the chain is; `record` shows it."""
    detail = f"{it.fault}: {it.says}"
    return Breach(CHAIN_BROKEN, "", record.timestamp, detail, (record.place,))
