"""Records that no program of Byline writes: each field of each kind of record with odd values."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.topics import DEAD_LETTERS, DECISIONS
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.records import Record

NUMBERS = (2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**31) - 1, -(2**63), -(2**63) - 1, 10**30)
TEXTS = (
    *("", "\0", "a\0b", "\ud800", "\udc00\ud800", "\x01" * 30, '"' * 32, "财" * 32, "😀" * 64),
    *("a" * 33, "a" * 65, "a" * 129, "a" * 300, "a" * 20_000, "9" * 30),
)
OTHERS = (None, True, 1.5, [], {}, [[]] * 3, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z")
ODD = (*NUMBERS, *TEXTS, *OTHERS)
UNKNOWN = (
    *(b'"\\ud800"', b'"\\u0000"', b'"\xff"', b"9" * 5_000, b"1e999", b'"' + b"a" * 900_000 + b'"'),
    *(b"[" * depth + b"]" * depth for depth in (900, 1_100, 3_000, 100_000)),
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (900, 1_100, 3_000)),
)
"""Values of a field that no contract knows, as they stand on the wire."""
TIMES = (2**63 - 1, -(2**63), -1, 253_402_300_800_000)
KEYS = (None, b"", b"\0", b"weibo:a\0", b"\xff", b"a" * 300, b"a" * 5_000, "财".encode() * 40)


def odd_records(records: list[Record]) -> Iterator[Record]:
    """Yields, for each kind of record in `records`, one with each odd value in each field."""
    examples: dict[tuple[str, str], Record] = {}
    for it in records:
        if it.value is not None and (it.topic == CHANGELOG or it.value[:1] == b"{"):
            examples.setdefault((it.topic, _kind(it)), it)
    offset = 10_000_000
    for (topic, _), it in sorted(examples.items()):
        for changed in _changed(it):
            offset += 1
            yield changed._replace(topic=topic, offset=offset)


def _kind(it: Record) -> str:
    if it.topic == CHANGELOG:
        key = it.key or b""
        return "account" if key[:1] not in (b"#", b"~") else key.decode()
    plain = json.loads(it.value or b"")
    words = [str(plain.get(name)) for name in ("kind", "event", "settled")]
    if it.topic == DECISIONS.name and plain.get("transitions"):
        words.append("moved")
    return " ".join(words)


def _changed(it: Record) -> Iterator[Record]:
    raw = it.value or b""
    packed = it.topic == CHANGELOG
    plain = msgspec.msgpack.decode(raw) if packed else json.loads(raw)
    for value in _values(plain):
        try:
            yield it._replace(value=_encoded(value, packed))
        except (OverflowError, UnicodeEncodeError):
            continue  # MessagePack has no such number or text.
    yield from (it._replace(timestamp=at) for at in TIMES)
    yield from (it._replace(key=key) for key in KEYS)
    yield it._replace(value=None)
    if not packed:
        for odd in UNKNOWN:
            yield it._replace(value=raw[:-1] + b',"unknown":' + odd + b"}")
        for word in ("level", "offset", "surface"):
            yield it._replace(value=raw[:-1] + f',"{word}":{2**63}}}'.encode())


def _encoded(value: Any, packed: bool) -> bytes:
    return msgspec.msgpack.encode(value) if packed else json.dumps(value).encode()


def _values(plain: Any) -> Iterator[Any]:
    """Yields the value with one of its fields or members, at any depth, replaced by an odd one."""
    yield from ODD
    if isinstance(plain, dict):
        for name, inner in plain.items():
            rest = {key: one for key, one in plain.items() if key != name}
            yield rest
            yield from ({**plain, name: one} for one in _values(inner))
    elif isinstance(plain, list):
        for number, inner in enumerate(plain[:3]):
            for one in _values(inner):
                yield [*plain[:number], one, *plain[number + 1 :]]


def settlement(letter: Record, at: int) -> Record:
    """The mark of a person who dismissed this letter."""
    it = json.loads(letter.value or b"")
    said = {name: it[name] for name in ("topic", "partition", "offset")}
    more = {"settled": "dismissed", "actor": "desk.1", "reason": "test", "changed": False}
    value = {**said, **more, "at": it["refused_at"]}
    return Record(DEAD_LETTERS.name, 0, 1_000, at, letter.key, json.dumps(value).encode())
