"""Verifies the hash chain of the decision log: finds records that were changed, removed or moved.

Each record has a `number`, the `hash` of the record before it as `previous`, and its own `hash`:
the SHA-256 (hex) of its canonical form without `hash`. The canonical form is RFC 8785, in which
keys are sorted by UTF-16 units; the log has strings, integers, booleans and null, no fractions.
Verification can start at any record.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streams.operate.audit.records import Record

CHAIN_BROKEN = "chain_broken"
"""The name of the breach, in RULES."""
START = "0" * 64
"""The value of `previous` in the first record of a partition."""

_sorted_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode

Fault = Literal["changed", "missing", "moved", "twice", "unreadable", "broken"]


@dataclass(frozen=True, slots=True)
class Break:
    """One fault of the chain: what kind, in words, and the place of the record that shows it."""

    partition: int
    number: int | None
    place: str
    fault: Fault
    says: str


@dataclass(slots=True)
class AuditedChain:
    """The chain of one partition, checked record by record.

    `number` and `previous`: what the next record must have; None: the first record is not compared
    with one before it. `records`: how many were checked. `skipped_to`: the number after the last
    gap; a record below it that comes later was moved. `first`: the number of the first record.
    `began` and `ended`: the `now` of the first and of the last, as text.
    """

    partition: int
    number: int | None = None
    previous: str | None = None
    records: int = 0
    skipped_to: int = 0
    first: int | None = None
    began: str | None = None
    ended: str | None = None

    def check(self, record: Record) -> list[Break]:
        """Checks the next record of the partition; returns its faults."""
        self.records += 1
        plain = _parse(record.value)
        if plain is None:
            return [self._break(record, None, "unreadable", "this is no record of the log")]
        number, found = plain["number"], []
        self.ended = str(plain.get("now"))
        if self.first is None:
            self.first, self.began = number, self.ended
        if record.value != _canonical(plain):
            found.append(self._break(record, number, "changed", "it is not in canonical form"))
        elif digest(plain) != plain["hash"]:
            found.append(self._break(record, number, "changed", "its hash is not that of its text"))
        if plain["partition"] != self.partition:
            words = f"it was written to partition {plain['partition']}"
            found.append(self._break(record, number, "moved", words))
        found += self._place(record, number, plain["previous"])
        self.number, self.previous = number + 1, plain["hash"]
        return found

    def _place(self, record: Record, number: int, previous: str) -> list[Break]:
        expected = self.number
        if expected is None:
            if number == 1 and previous != START:
                return [self._break(record, number, "broken", "the first record names another")]
            return []
        if number > expected:
            self.skipped_to = max(self.skipped_to, number)
            gone = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
            return [self._break(record, expected, "missing", f"{gone} is not before {number}")]
        if number < expected:
            fault: Fault = "moved" if number < self.skipped_to else "twice"
            return [self._break(record, number, fault, f"{number} comes after {expected - 1}")]
        if previous != self.previous:
            words = f"it does not name the hash of {number - 1}"
            return [self._break(record, number, "broken", words)]
        return []

    def _break(self, record: Record, number: int | None, fault: Fault, says: str) -> Break:
        return Break(self.partition, number, record.place, fault, says)


@dataclass(slots=True)
class Verified:
    """The result of verifying all partitions, each from record number `from_record` on.

    `passed`: of partitions that end before that number, the last number there is. `wanted`: for
    each partition the number of a record whose hash is put into `hashes`. `begins`: of partitions
    whose beginning Kafka has dropped, the first offset that is left.
    """

    from_record: int = 1
    wanted: Mapping[int, int] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    chains: dict[int, AuditedChain] = field(default_factory=dict)
    passed: dict[int, int] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)
    begins: dict[int, int] = field(default_factory=dict)

    def take(self, record: Record, trusted: bool) -> None:
        """Verifies the next record of its partition.

        `trusted`: if it is the first one, it is not compared with a record before it.
        """
        chain = self.chains.get(record.partition)
        if chain is None:
            if self._before(record):
                return
            self.passed.pop(record.partition, None)
            start = (None, None) if trusted or self.from_record > 1 else (1, START)
            chain = self.chains[record.partition] = AuditedChain(record.partition, *start)
        self.breaks += chain.check(record)
        wanted = self.wanted.get(record.partition)
        if wanted is not None and chain.number == wanted + 1 and chain.previous is not None:
            self.hashes[record.partition] = chain.previous

    @property
    def records(self) -> int:
        """How many records were verified."""
        return sum(chain.records for chain in self.chains.values())

    def _before(self, record: Record) -> bool:
        if self.from_record <= 1:
            return False
        plain = _parse(record.value)
        number = self.passed.get(record.partition, 0) if plain is None else plain["number"]
        if number < self.from_record:
            self.passed[record.partition] = max(number, self.passed.get(record.partition, 0))
            return True
        return False


def verify(records: Iterable[Record], from_record: int = 1) -> list[Break]:
    """Returns the faults of these records from a number on. Each partition must be in order."""
    done = Verified(from_record)
    for record in records:
        done.take(record, trusted=False)
    return done.breaks


def digest(plain: dict[str, Any]) -> str:
    """Returns the hash that a record must have: the one over all its other fields."""
    bare = {key: value for key, value in plain.items() if key != "hash"}
    return hashlib.sha256(canonical(bare)).hexdigest()


def _canonical(plain: dict[str, Any]) -> bytes | None:
    """Returns the canonical form; None for half of a surrogate pair, or for too deep nesting."""
    try:
        return canonical(plain)
    except (ValueError, RecursionError):
        return None


def canonical(plain: Any) -> bytes:
    """Returns the canonical form (RFC 8785) of a value without fractions."""
    text = _sorted_json(plain)
    if not text.isascii() and len(text.encode("utf-16-le")) > 2 * len(text):
        # Where a character takes two UTF-16 units, the order of keys may not be that of characters.
        text = _text(plain)
    return text.encode()


def _text(value: Any) -> str:
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_text(key)}:{_text(each)}" for key, each in ordered) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _parse(value: bytes | None) -> dict[str, Any] | None:
    try:
        plain = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, dict) or not isinstance(plain.get("number"), int):
        return None
    texts = ("hash", "previous")
    if any(not isinstance(plain.get(name), str) for name in texts) or "partition" not in plain:
        return None
    return plain
