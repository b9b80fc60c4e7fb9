"""Leads a partition without the readings that change nothing but a stored count.

Nearly every reading of a history is of that kind. Of an account at rest only the last such reading
before its next evaluation is applied; of an account that the core does not know, none below the
floor. Events and decisions are those of a partition that gets every reading; a property test
compares both. Times are milliseconds UTC.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from streams.core.inputs.entry import SKEW
from streams.core.model.account import decode_account
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS
from streams.core.rules.resting import resting_counts
from streams.lives.partition import Batch, SimulatedPartition, SimulatedRecord, Sink

AHEAD = SKEW
"""How far a reading's time may be after its entry. One that is further ahead is refused."""


class RestingReading(Struct, frozen=True, gc=False):
    """A reading of a history. `row`: its number, its offset. `cause`: None if organic."""

    row: int
    account: str
    followers: int
    seen_at: int
    cause: str | None = None

    def record(self, platform: str, at: int) -> SimulatedRecord:
        """Returns it as a record that entered at `at`. Ids and causes need no escaping."""
        cause = "" if self.cause is None else f',"cause":"{self.cause}"'
        value = (
            f'{{"platform":"{platform}","account_id":"{self.account}","followers":{self.followers}'
            f',"observed_at":"{rfc3339(self.seen_at)}"{cause}}}'
        )
        return SimulatedRecord(self.row, at, f"{platform}:{self.account}".encode(), value.encode())


class _Rest:
    """An account at rest. `stored`: its count in the state; `followers`, `seen_at`: of `last`."""

    __slots__ = ("followers", "high", "last", "low", "seen_at", "stored")

    def __init__(self, low: int, high: int, followers: int, seen_at: int) -> None:
        self.low, self.high = low, high
        self.stored = self.followers = followers
        self.seen_at = seen_at
        self.last: tuple[int, RestingReading] | None = None
        """Entry and reading that are not applied yet."""


class RestingPartition(SimulatedPartition):
    """A partition of one policy. `resting` False: it applies every reading, for comparison."""

    def __init__(self, policy: Policy, sink: Sink, now: int, *, resting: bool = True) -> None:
        super().__init__({policy.platform: policy}, sink, now)
        self._policy, self._floor, self._resting = policy, policy.floor, resting
        self._accounts = self.memory.state[ACCOUNTS]
        self._rests: dict[str, _Rest | None] = {}
        """The accounts that the core knows; None: every reading of it is to be applied."""
        self._due = super().due()

    def due(self) -> int | None:
        """Returns the instant of the earliest timer, which only steps and timers change."""
        return self._due

    def rests(self, at: int, reading: RestingReading) -> bool:
        """Takes a reading that changes nothing now, and says whether it is one.

        False: give it to `take`, with what else enters at `at`, timers first. Call it only while
        nothing of that instant waits for `take`; labels and words come before readings.
        """
        due = self._due
        return self._resting and (due is None or due > at) and self._rests_at(at, reading)

    def take(self, at: int, batches: Sequence[Batch], readings: Iterable[RestingReading]) -> None:
        """Runs the timers before the instant `at`, then applies its labels, answers and readings.

        The timers of the instant itself act afterwards.
        """
        due = self._due
        if due is not None and due < at:
            self.until(at, inclusive=False)
        platform = self._policy.platform
        # An account's later inputs of the same instant are applied after this one, in order.
        touched = {record.key for _, records in batches for record in records}
        wanted = []
        for reading in readings:
            if self._resting and (
                not touched or f"{platform}:{reading.account}".encode() not in touched
            ):
                if self._rests_at(at, reading):
                    continue
                touched.add(f"{platform}:{reading.account}".encode())
            wanted.append(reading.record(platform, at))
        if wanted or batches:
            self.give(at, [*batches, ("follower-counts", wanted)])
        elif self._due is not None and self._due <= at:
            self.until(at)

    def _rests_at(self, at: int, reading: RestingReading) -> bool:
        """Whether a reading changes nothing but a stored count; if so, keeps it for later."""
        account, followers = reading.account, reading.followers
        if account not in self._rests:
            return followers < self._floor
        rest = self._rests[account]
        if (
            rest is None
            or not rest.low <= followers < rest.high
            or reading.seen_at <= rest.seen_at
            or followers * 2 < rest.followers
        ):
            return False
        if followers * 2 < rest.stored and rest.last is not None:
            # Each fall was by less than half; from the stored count it would be by more.
            self.now = max(self.now, rest.last[0])
            self._catch_up([f"{self._policy.platform}:{account}".encode()])
        rest.followers, rest.seen_at, rest.last = followers, reading.seen_at, (at, reading)
        return True

    def run_timers(self) -> None:
        """Runs every timer that is due now."""
        keys = self.partition.schedule.keys_due(self.now)
        self._catch_up(keys)
        super().run_timers()
        self._due = super().due()
        self._look(keys)

    def _step(self, batches: Sequence[Batch]) -> None:
        keys = {record.key for _, records in batches for record in records if record.key}
        self._catch_up(keys)
        super()._step(batches)
        self._due = super().due()
        self._look(keys)

    def _catch_up(self, keys: Iterable[bytes]) -> None:
        """Applies the readings of these accounts that were kept for later."""
        late = []
        for key in keys:
            rest = self._rests.get(_account(key))
            if rest is not None and rest.last is not None:
                late.append(rest.last)
                rest.last, rest.stored = None, rest.followers
        if late:
            late.sort(key=lambda one: one[1].row)
            platform = self._policy.platform
            records = [reading.record(platform, at) for at, reading in late]
            super()._step([("follower-counts", records)])

    def _look(self, keys: Iterable[bytes]) -> None:
        """Notes which of these accounts are at rest now."""
        if not self._resting:
            return
        for key in keys:
            raw = self._accounts.get(key)
            if raw is None:
                self._rests.pop(_account(key), None)
                continue
            account = decode_account(raw)
            counts = resting_counts(account, self._policy)
            rest = None
            if counts is not None:
                assert account.followers is not None
                assert account.observed_at is not None
                rest = _Rest(*counts, account.followers, account.observed_at)
            self._rests[_account(key)] = rest


def _account(key: bytes) -> str:
    return key.partition(b":")[2].decode(errors="replace")
