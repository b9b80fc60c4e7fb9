"""The hash chain of the decision log: finds what was changed, left out or moved.

It starts at any record. `hash` is the SHA-256 (hex) of the record's canonical form without `hash`:
RFC 8785, in which keys are sorted by UTF-16 units. The log has strings, integers, booleans and
null, no fractions.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streams.operate.audit.records import Record

START = "0" * 64
"""What the first record of a partition names as its predecessor."""

Fault = Literal["changed", "missing", "moved", "twice", "unreadable", "broken"]


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold, and how. `place` is the record that shows it."""

    partition: int
    number: int | None
    place: str
    fault: Fault
    says: str


@dataclass(slots=True)
class Chain:
    """The chain of one partition, checked record by record.

    `number` and `previous` belong to the next record to come. None: the first record is taken on
    trust. `first`: the number of the first record, `began` and `ended` the instants of the first
    and the last (as they say it).
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
        """Every fault that the next record of the partition shows."""
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
    """The chains of all partitions, each from one number on. Earlier records are passed over.

    `passed`: the last number passed over, of partitions that end before that number. `wanted`: a
    number of each partition whose hash is to be noted in `hashes`.
    """

    from_record: int = 1
    wanted: Mapping[int, int] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    chains: dict[int, Chain] = field(default_factory=dict)
    passed: dict[int, int] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)

    def take(self, record: Record, trusted: bool) -> None:
        """Takes the next record of its partition. `trusted`: it may begin a chain as it is."""
        chain = self.chains.get(record.partition)
        if chain is None:
            if self._before(record):
                return
            self.passed.pop(record.partition, None)
            start = (None, None) if trusted or self.from_record > 1 else (1, START)
            chain = self.chains[record.partition] = Chain(record.partition, *start)
        self.breaks += chain.check(record)
        wanted = self.wanted.get(record.partition)
        if wanted is not None and chain.number == wanted + 1 and chain.previous is not None:
            self.hashes[record.partition] = chain.previous

    @property
    def records(self) -> int:
        """How many were verified."""
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
    """Every break in these records of the log, from a number on. Each partition comes in order."""
    done = Verified(from_record)
    for record in records:
        done.take(record, trusted=False)
    return done.breaks


def digest(plain: dict[str, Any]) -> str:
    """The hash that a record has to carry."""
    bare = {key: value for key, value in plain.items() if key != "hash"}
    return hashlib.sha256(canonical(bare)).hexdigest()


def _canonical(plain: dict[str, Any]) -> bytes | None:
    """The canonical form; None if there is none: half of a character, or nested too deep."""
    try:
        return canonical(plain)
    except (ValueError, RecursionError):
        return None


def canonical(plain: Any) -> bytes:
    """RFC 8785 for the values that the log has."""
    return _text(plain).encode()


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
