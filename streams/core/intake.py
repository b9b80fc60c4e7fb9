"""From records to inputs: what is refused becomes a dead letter, and too many of them stop the
worker.
"""

import hashlib
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Set
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from schemas.inputs import TOMBSTONES, InputName
from schemas.words import MAX_VALUE_BYTES, Refused
from streams.core.clock import rfc3339
from streams.core.decode import (
    DECODERS,
    QUOTES,
    CategoryChange,
    Control,
    FollowerCount,
    SwitchChange,
    Value,
    check_fields,
    check_place,
    check_time,
    decode,
    latest_time,
    says_time,
    valid_account_id,
    valid_account_ids,
    valid_key,
)
from streams.core.ledger import ACCOUNTS, InputRecord, Ledger, Records, Stop
from streams.core.plain import UNREADABLE, Refusal

LOOKED_BACK = 1000
LEAST = 100

Partitioner = Callable[[bytes], int]
"""The partition that a key belongs to, as the Java client's default reckons it."""

_encode = msgspec.json.Encoder().encode
_offset = attrgetter("offset")


class RefusalLimit:
    """Over half of the last 1,000 records of a topic refused (at least 100 read): the fault is
    ours.
    """

    def __init__(self) -> None:
        self._read: Counter[str] = Counter()
        self._refused: dict[str, deque[tuple[int, Refused]]] = {}

    def read(self, topic: str) -> int:
        """How many records of a topic have been counted."""
        return self._read[topic]

    def passed(self, topic: str, count: int) -> None:
        """Count records read."""
        self._read[topic] += count

    def refused(self, topic: str, reason: Refused, number: int) -> None:
        """Count a refused record, the `number`-th of its topic. Raises `Stop` past the limit."""
        recent = self._refused.setdefault(topic, deque())
        recent.append((number, reason))
        while recent and recent[0][0] <= number - LOOKED_BACK:
            recent.popleft()
        span = min(number, LOOKED_BACK)
        if span >= LEAST and len(recent) * 2 > span:
            commonest, count = Counter(reason for _, reason in recent).most_common(1)[0]
            raise Stop(
                f"{len(recent)} of the last {span} records of {topic} were refused, mostly as "
                f"{commonest} ({count}): the fault is likelier ours or the producer's than the "
                "records'. Nothing after the last good batch was committed. Look at what writes "
                f"to {topic}, or at the version of Byline that reads it, and start again.",
                exit_code=70,
            )


class Intake:
    """Checks the records of one partition."""

    def __init__(
        self,
        partition: int,
        partition_of: Partitioner,
        floors: dict[str, int],
        require_approvals: bool,
        full_name: Callable[[str], str],
        on_refused: Callable[[str, Refused], None],
    ) -> None:
        self._partition = partition
        self._partition_of = partition_of
        self._floors = floors
        self._require_approvals = require_approvals
        self._full_name = full_name
        self._on_refused = on_refused
        self._limit = RefusalLimit()

    def readings(
        self, ledger: Ledger, now: int, records: Records
    ) -> list[tuple[InputRecord, FollowerCount]]:
        """The readings that matter, of a whole batch: at or above the floor, or of an account that
        is tracked by then. Any other costs its decoding and a look-up.
        """
        tracked = ledger.present(ACCOUNTS, [record.key for record in records])
        kept: list[tuple[InputRecord, FollowerCount]] = []
        before, latest = self._limit.read("follower-counts"), latest_time(now)
        for record, value in self._candidates(records, tracked):
            refusal: Refusal | None
            if isinstance(value, Refusal):
                refusal = value
            elif (known := record.key in tracked) or self._is_high(value):
                good = self._good(record, value, known, latest)
                refusal = None if good else self._why_not(now, record, value)
            else:
                continue
            if refusal is None:
                kept.append((record, value))  # type: ignore[arg-type]
                # From here on it is tracked, for the readings behind it in this batch too.
                tracked.add(record.key)
            else:
                number = before + 1 + bisect_left(records, record.offset, key=_offset)
                self._refuse(ledger, now, "follower-counts", record, refusal, number)
        self._limit.passed("follower-counts", len(records))
        return kept

    def _is_high(self, reading: FollowerCount) -> bool:
        return reading.followers >= self._floors.get(reading.platform, -1)

    def _candidates(
        self, records: Records, tracked: Set[bytes | None]
    ) -> list[tuple[InputRecord, FollowerCount | Refusal]]:
        """Records of keys that are tracked or that some record puts at or above the floor, if all
        can be decoded; else every one but tombstones.
        """
        try:
            decoded = _decode_batch("follower-counts", records)
        except (TypeError, *UNREADABLE):
            return [
                (record, decode("follower-counts", record.value))  # type: ignore[misc]
                for record in records
                if record.value is not None
            ]
        floors = self._floors.get
        wanted = {
            record.key
            for record, reading in zip(records, decoded, strict=True)
            if reading.followers >= floors(reading.platform, -1)
        } | tracked
        return [pair for pair in zip(records, decoded, strict=True) if pair[0].key in wanted]

    def inputs(
        self, ledger: Ledger, now: int, name: InputName, records: Records
    ) -> Iterator[tuple[InputRecord, Value | None]]:
        """The inputs of another topic, one by one; None stands for a tombstone."""
        if name == "category-changes" and records:
            labels = self._good_labels(now, records)
            if labels is not None:
                self._limit.passed(name, len(records))
                return zip(records, labels, strict=True)
        return self._one_by_one(ledger, now, name, records)

    def _good_labels(self, now: int, records: Records) -> list[CategoryChange] | None:
        """A batch of labels if each of them is `_good`: looked at as columns, at half the cost."""
        try:
            labels: list[CategoryChange] = _decode_batch("category-changes", records)
        except (TypeError, *UNREADABLE):
            return None
        keys = [record.key for record in records]
        values = [record.value for record in records]
        ids = [label.account_id for label in labels]
        good = (
            {label.platform for label in labels} <= self._floors.keys()
            and [f"{label.platform}:{label.account_id}".encode() for label in labels] == keys
            and valid_account_ids(ids)
            and set(map(self._partition_of, keys)) == {self._partition}  # type: ignore[arg-type]
            and max([label.observed_at for label in labels]) <= latest_time(now)
            and {value.count(b'"') for value in values} == {QUOTES[CategoryChange]}  # type: ignore[union-attr]
            and all(map(says_time, values))  # type: ignore[arg-type]
        )
        return labels if good else None

    def _one_by_one(
        self, ledger: Ledger, now: int, name: InputName, records: Records
    ) -> Iterator[tuple[InputRecord, Value | None]]:
        before, latest = self._limit.read(name), latest_time(now)
        values = _decode_all(name, records)
        for number, (record, value) in enumerate(zip(records, values, strict=True), before + 1):
            refusal: Refusal | None
            if type(value) is CategoryChange and self._good(record, value, False, latest):
                yield record, value
                continue
            if value is None:
                refusal = self._tombstone(name, record)
            elif isinstance(value, Refusal):
                refusal = value
            else:
                refusal = self._why_not(now, record, value)
            if refusal is None:
                assert not isinstance(value, Refusal)
                yield record, value
            else:
                self._refuse(ledger, now, name, record, refusal, number)
        self._limit.passed(name, len(records))

    def _tombstone(self, name: InputName, record: InputRecord) -> Refusal | None:
        if name not in TOMBSTONES:
            return Refusal(Refused.NOT_JSON)
        if not valid_key(name, record.key) or record.key is None:
            return Refusal(Refused.BAD_ID)
        if record.key.split(b":", 1)[0].decode() not in self._floors:
            return Refusal(Refused.UNKNOWN_PLATFORM)
        if self._partition_of(record.key) != self._partition:
            return Refusal(Refused.WRONG_PARTITION)
        return None

    def _why_not(self, now: int, record: InputRecord, value: Value) -> Refusal | None:
        """Why a record that could be decoded is refused."""
        assert record.value is not None
        refusal = (
            check_fields(value, record.value)
            or check_place(value, record.key)
            or self._elsewhere(value, record.key)
        )
        if refusal is not None:
            return refusal
        if (
            self._require_approvals
            and isinstance(value, Control)
            and value.bulk_id is not None
            and value.approved_by in (None, value.actor)
        ):
            return Refusal(Refused.NOT_APPROVED, "approved_by")
        return check_time(value, record.timestamp, now)

    def _good(
        self,
        record: InputRecord,
        value: FollowerCount | CategoryChange,
        known: bool,
        latest: datetime,
    ) -> bool:
        """Whether `_why_not` is sure to find nothing, at a fraction of its cost.

        `known`: the key is that of a tracked account, and so well formed and of this partition.
        `latest`: a time that is not too far ahead.
        """
        key, raw, platform = record.key, record.value, value.platform
        return (
            platform in self._floors
            and key == f"{platform}:{value.account_id}".encode()
            and (
                known
                or (
                    valid_account_id(value.account_id) is not None
                    and self._partition_of(key) == self._partition
                )
            )
            and value.observed_at <= latest
            and raw is not None
            and raw.count(b'"') == QUOTES[type(value)]
            and says_time(raw) is not None
        )

    def _elsewhere(self, value: Value, key: bytes | None) -> Refusal | None:
        """A platform that we do not know, or a key that belongs into another partition."""
        if isinstance(value, SwitchChange):
            if value.scope != "*" and value.scope not in self._floors:
                return Refusal(Refused.UNKNOWN_PLATFORM, "scope")
            return None
        if value.platform not in self._floors:
            return Refusal(Refused.UNKNOWN_PLATFORM, "platform")
        if key is None or self._partition_of(key) != self._partition:
            return Refusal(Refused.WRONG_PARTITION)
        return None

    def _refuse(
        self,
        ledger: Ledger,
        now: int,
        name: InputName,
        record: InputRecord,
        refusal: Refusal,
        number: int,
    ) -> None:
        """Write the dead letter. A refused switch is written by the owner of partition 0 alone."""
        raw = record.value
        if name != "switches" or self._partition == 0:
            letter: dict[str, Any] = {
                "topic": self._full_name(name),
                "partition": 0 if name == "switches" else self._partition,
                "offset": record.offset,
                "timestamp": rfc3339(max(0, record.timestamp)),
                "reason": refusal.reason,
                "field": refusal.field,
                "value_digest": None if raw is None else hashlib.sha256(raw).hexdigest(),
                "value_bytes": 0 if raw is None else len(raw),
                "refused_at": rfc3339(now),
            }
            key = record.key if valid_key(name, record.key) else _digest(record.key)
            headers = (("content-type", b"application/json"),)
            ledger.send("dead-letters", key, _encode(letter), headers)
            self._on_refused(name, refusal.reason)
        self._limit.refused(name, refusal.reason, number)


def _digest(key: bytes | None) -> bytes:
    return hashlib.sha256(key or b"").hexdigest().encode()


def _decode_batch(name: InputName, records: Records) -> list[Any]:
    """A whole batch at once; raises what a decoder raises when one of them is no such input."""
    values = [record.value for record in records]
    if max(map(len, values)) > MAX_VALUE_BYTES:  # type: ignore[arg-type]
        raise TypeError("a value is too large")
    return list(map(DECODERS[name].decode, values))  # type: ignore[arg-type]


def _decode_all(name: InputName, records: Records) -> list[Value | Refusal | None]:
    """The values of a batch, None for a tombstone: at once, or one by one when one is no input."""
    try:
        return _decode_batch(name, records)
    except (TypeError, *UNREADABLE):
        return [None if record.value is None else decode(name, record.value) for record in records]
