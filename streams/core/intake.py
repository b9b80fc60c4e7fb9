"""From records to inputs: what is refused becomes a dead letter, and too many of them stop the
worker.
"""

import hashlib
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import msgspec

from schemas.inputs import TOMBSTONES, InputName
from schemas.words import MAX_VALUE_BYTES, Refused
from streams.core.clock import rfc3339
from streams.core.decode import (
    DECODERS,
    Control,
    FollowerCount,
    SwitchChange,
    Value,
    check_fields,
    check_place,
    check_time,
    decode,
    key_of,
    valid_key,
)
from streams.core.ledger import InputRecord, Ledger, Records, Stop
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

    def refused(self, topic: str, reason: Refused, number: int | None = None) -> None:
        """Count a refused record, the `number`-th of its topic; None: the last one that was passed.

        Raises `Stop` past the limit.
        """
        number = self._read[topic] if number is None else number
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
        self, ledger: Ledger, now: int, records: Records, tracked: Callable[[bytes], bool]
    ) -> tuple[list[tuple[InputRecord, FollowerCount]], int]:
        """The readings that matter, of a whole batch, and how many records were refused.

        A reading below the floor of an account that nobody tracks costs its decoding and a look-up.
        """
        floors = self._floors.get
        values = [record.value for record in records]
        try:
            too_large = max(map(len, values)) > MAX_VALUE_BYTES  # type: ignore[arg-type]
            decoded = [] if too_large else list(map(DECODERS["follower-counts"].decode, values))  # type: ignore[arg-type]
        except (TypeError, *UNREADABLE):
            too_large = True
        if too_large:
            return self._one_by_one(ledger, now, records, tracked)
        hits = [
            (record, reading)
            for record, reading in zip(records, decoded, strict=True)
            if reading.followers >= floors(reading.platform, -1)
            or (record.key is not None and tracked(record.key))
        ]
        kept = []
        before = self._limit.read("follower-counts")
        for record, reading in hits:
            refusal = self._why_not(now, record, reading, tracked)
            if refusal is None:
                kept.append((record, reading))
                continue
            number = before + 1 + bisect_left(records, record.offset, key=_offset)
            self._refuse(ledger, now, "follower-counts", record, refusal, number)
        self._limit.passed("follower-counts", len(records))
        return kept, len(hits) - len(kept)

    def _one_by_one(
        self, ledger: Ledger, now: int, records: Records, tracked: Callable[[bytes], bool]
    ) -> tuple[list[tuple[InputRecord, FollowerCount]], int]:
        kept: list[tuple[InputRecord, FollowerCount]] = []
        refused = 0
        for record in records:
            self._limit.passed("follower-counts", 1)
            if record.value is None:
                continue
            value = decode("follower-counts", record.value)
            if isinstance(value, Refusal):
                self._refuse(ledger, now, "follower-counts", record, value)
                refused += 1
                continue
            assert isinstance(value, FollowerCount)
            known = record.key is not None and tracked(record.key)
            if value.followers < self._floors.get(value.platform, -1) and not known:
                continue
            if self._admit(ledger, now, "follower-counts", record, value, tracked):
                kept.append((record, value))
            else:
                refused += 1
        return kept, refused

    def inputs(
        self, ledger: Ledger, now: int, name: InputName, records: Records
    ) -> Iterator[tuple[InputRecord, Value | None]]:
        """The inputs of another topic, one by one; None stands for a tombstone."""
        for record in records:
            self._limit.passed(name, 1)
            if record.value is None:
                refusal = self._tombstone(name, record)
                if refusal is None:
                    yield record, None
                else:
                    self._refuse(ledger, now, name, record, refusal)
                continue
            value = decode(name, record.value)
            if isinstance(value, Refusal):
                self._refuse(ledger, now, name, record, value)
            elif self._admit(ledger, now, name, record, value, _nobody):
                yield record, value

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

    def _admit(
        self,
        ledger: Ledger,
        now: int,
        name: InputName,
        record: InputRecord,
        value: Value,
        tracked: Callable[[bytes], bool],
    ) -> bool:
        refusal = self._why_not(now, record, value, tracked)
        if refusal is None:
            return True
        self._refuse(ledger, now, name, record, refusal)
        return False

    def _why_not(
        self, now: int, record: InputRecord, value: Value, tracked: Callable[[bytes], bool]
    ) -> Refusal | None:
        assert record.value is not None
        refusal = check_fields(value, record.value)
        if refusal is not None:
            return refusal
        key = record.key
        if key is None or not tracked(key) or isinstance(value, SwitchChange):
            refusal = check_place(value, key) or self._elsewhere(value, key)
        elif key != key_of(value.platform, value.account_id):
            refusal = check_place(value, key)
        elif value.platform not in self._floors:
            refusal = Refusal(Refused.UNKNOWN_PLATFORM, "platform")
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
        number: int | None = None,
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


def _nobody(_: bytes) -> bool:
    return False
