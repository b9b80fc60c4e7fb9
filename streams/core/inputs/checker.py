"""Decides whether a record is accepted: runs the checks in the order of the contract.

Cheaper checks (`good`, `good_labels`) serve the many records that have no fault. The *floor* of a
platform is its lowest line times the exit ratio, below which no count is kept; a *tracked* account
is one whose state is kept.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence, Set
from operator import attrgetter

from schemas.enums import Command, Refused
from schemas.inputs import TOMBSTONES, InputName
from streams.core.inputs.batches import NOT_AT_ONCE, decode_all, decode_batch
from streams.core.inputs.checks import (
    EARLIEST,
    QUOTES,
    Horizon,
    all_plain,
    check_fields,
    check_place,
    check_times,
    says_time,
    valid_account_id,
    valid_account_ids,
    valid_key,
)
from streams.core.inputs.decode import (
    DecodedCategoryChange,
    DecodedControl,
    DecodedFollowerCount,
    DecodedSwitchChange,
    Value,
    key_of,
)
from streams.core.inputs.entry import entry_of
from streams.core.inputs.plain import Refusal
from streams.core.model.ports import InputRecord, Records

_offset = attrgetter("offset")

Partitioner = Callable[[bytes], int]
"""Returns the partition of a key, as the Java client's default partitioner does."""

PROTECTS_NOBODY = frozenset(
    {Command.UNHOLD, Command.REISSUE, Command.SETTLE, Command.APPEAL_REJECTED}
)
"""Commands that need a second person when they are given in bulk and approvals are required."""


class Checker:
    """Checks the records of one partition.

    `floors`: by platform with a policy, its floor. `require_approvals`: controls of
    `PROTECTS_NOBODY` in bulk need a second person.
    """

    def __init__(
        self,
        partition: int,
        partition_of: Partitioner,
        floors: dict[str, int],
        require_approvals: bool,
    ) -> None:
        self._partition = partition
        self._partition_of = partition_of
        self.floors = floors
        self._require_approvals = require_approvals

    def knows(self, platform: str | None) -> bool:
        """Whether a platform has a policy."""
        return platform in self.floors

    def is_here(self, key: bytes) -> bool:
        """Whether the partitioner puts a key into this partition."""
        return self._partition_of(key) == self._partition

    def is_high(self, reading: DecodedFollowerCount) -> bool:
        """Whether a reading is at or above its platform's floor, or the platform is unknown."""
        return reading.followers >= self.floors.get(reading.platform, -1)

    def candidates(
        self, records: Records, tracked: Set[bytes | None], sample: Records
    ) -> list[tuple[InputRecord, DecodedFollowerCount | Refusal]]:
        """Returns the readings to check: of tracked accounts, sampled, or at or above the floor.

        A key with one reading at or above the floor keeps all its readings. If one record of the
        batch cannot be decoded, returns every record except tombstones. `tracked`: the keys of
        tracked accounts.
        """
        try:
            decoded = decode_batch("follower-counts", records)
        except NOT_AT_ONCE:
            values = decode_all("follower-counts", records)
            pairs = zip(records, values, strict=True)
            return [pair for pair in pairs if pair[1] is not None]  # type: ignore[misc]
        floors = self.floors.get
        wanted = {
            record.key
            for record, reading in zip(records, decoded, strict=True)
            if reading.followers >= floors(reading.platform, -1)
        } | tracked
        if not wanted:
            places = [bisect_left(records, one.offset, key=_offset) for one in sample]
            return [(records[place], decoded[place]) for place in places]
        wanted.update(record.key for record in sample)
        return [pair for pair in zip(records, decoded, strict=True) if pair[0].key in wanted]

    def good_labels(self, now: int, records: Records) -> list[DecodedCategoryChange] | None:
        """Returns the values of a batch of labels if each of them is `good`, else None.

        It checks field by field over all records, at half the cost of `good` for each record.
        """
        try:
            labels: list[DecodedCategoryChange] = decode_batch("category-changes", records)
        except NOT_AT_ONCE:
            return None
        return labels if self.all_good(now, records, labels, False) else None

    def good_readings(
        self, now: int, pairs: Sequence[tuple[InputRecord, DecodedFollowerCount | Refusal]]
    ) -> bool:
        """Whether each of these readings, of tracked accounts only, is `good`."""
        readings = [reading for _, reading in pairs]
        if not readings or Refusal in set(map(type, readings)):
            return False
        return self.all_good(now, [record for record, _ in pairs], readings, True)  # type: ignore[arg-type]

    def all_good(
        self,
        now: int,
        records: Records,
        inputs: Sequence[DecodedCategoryChange] | Sequence[DecodedFollowerCount],
        known: bool,
    ) -> bool:
        """Whether `good` is certain for all inputs, which are of one kind; `known` as there."""
        keys = [record.key for record in records]
        ids = [one.account_id for one in inputs]
        times = [one.observed_at for one in inputs]
        horizon, entry = Horizon(now), min([record.timestamp for record in records])
        platforms = {one.platform for one in inputs}
        return (
            platforms <= self.floors.keys()
            and valid_account_ids(ids)
            and _are_keys_of(keys, inputs, ids, platforms)
            and (known or set(map(self._partition_of, keys)) == {self._partition})  # type: ignore[arg-type]
            and horizon.allows(entry, max(times))
            and horizon.allows(entry, min(times))
            and all_plain([record.value for record in records], type(inputs[0]))  # type: ignore[misc]
        )

    def tombstone(self, name: InputName, record: InputRecord) -> Refusal | None:
        """Returns why a record without a value is refused; None if it is accepted."""
        if name not in TOMBSTONES:
            return Refusal(Refused.NOT_JSON)
        if not valid_key(name, record.key) or record.key is None:
            return Refusal(Refused.BAD_ID)
        if record.key.split(b":", 1)[0].decode() not in self.floors:
            return Refusal(Refused.UNKNOWN_PLATFORM)
        if self._partition_of(record.key) != self._partition:
            return Refusal(Refused.WRONG_PARTITION)
        return None

    def why_not(self, now: int, record: InputRecord, value: Value) -> Refusal | None:
        """Returns why a decoded record is refused; None if it is accepted.

        `now`: milliseconds UTC.
        """
        assert record.value is not None
        refusal = (
            check_fields(value, record.value)
            or check_place(value, record.key)
            or self._elsewhere(value, record.key)
            or check_times(value, entry_of(record, now))
        )
        if refusal is not None:
            return refusal
        if self._require_approvals and isinstance(value, DecodedControl) and _alone(value):
            return Refusal(Refused.NOT_APPROVED, "approved_by")
        return None

    def good(
        self,
        record: InputRecord,
        value: DecodedFollowerCount | DecodedCategoryChange,
        known: bool,
        horizon: Horizon,
    ) -> bool:
        """Whether a record certainly has no fault; False means that `why_not` has to check it.

        It costs a fraction of `why_not`. `known`: the key is that of a tracked account, so it is
        well formed and belongs to this partition.
        """
        key, raw, platform = record.key, record.value, value.platform
        observed_at = value.observed_at
        return (
            platform in self.floors
            and key == f"{platform}:{value.account_id}".encode()
            and (
                known
                or (
                    valid_account_id(value.account_id) is not None
                    and self._partition_of(key) == self._partition
                )
            )
            and (
                (record.timestamp >= horizon.entry and EARLIEST <= observed_at <= horizon.latest)
                or horizon.allows(record.timestamp, observed_at)
            )
            and raw is not None
            and raw.count(b'"') == QUOTES[type(value)]
            and says_time(raw) is not None
        )

    def _elsewhere(self, value: Value, key: bytes | None) -> Refusal | None:
        """Returns a refusal for an unknown platform or a key of another partition; else None."""
        if isinstance(value, DecodedSwitchChange):
            if value.scope != "*" and value.scope not in self.floors:
                return Refusal(Refused.UNKNOWN_PLATFORM, "scope")
            return None
        if value.platform not in self.floors:
            return Refusal(Refused.UNKNOWN_PLATFORM, "platform")
        if key is None or self._partition_of(key) != self._partition:
            return Refusal(Refused.WRONG_PARTITION)
        return None


def _alone(control: DecodedControl) -> bool:
    """Whether a bulk control that takes protection away has no approval by a second person."""
    if control.bulk_id is None or control.command not in PROTECTS_NOBODY:
        return False
    approved_by = control.approved_by
    return approved_by is None or approved_by.casefold() == control.actor.casefold()


def _are_keys_of(
    keys: Sequence[bytes | None],
    inputs: Sequence[DecodedCategoryChange] | Sequence[DecodedFollowerCount],
    ids: Sequence[str],
    platforms: Set[str],
) -> bool:
    """Whether each key belongs to its input, and no id or key contains a line feed.

    Inputs of one platform are compared as one text, with keys joined by line feeds.
    """
    if len(platforms) > 1 or None in keys:
        return [key_of(one.platform, one.account_id) for one in inputs] == keys
    (platform,) = platforms
    between = f"\n{platform}:"
    return f"{platform}:{between.join(ids)}".encode() == b"\n".join(keys)  # type: ignore[arg-type]
