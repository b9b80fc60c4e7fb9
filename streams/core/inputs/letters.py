"""Dead letters: where a refused input came from and why it was refused, never what it says."""

import hashlib
from typing import Any

import msgspec

from schemas.enums import MAX_VALUE_BYTES
from schemas.inputs import InputName
from streams.core.inputs.batches import UnreadableBatch
from streams.core.inputs.checks import valid_key
from streams.core.inputs.plain import Refusal, read_plain
from streams.core.model.instants import rfc3339
from streams.core.model.ports import Headers, InputRecord

HEADERS: Headers = (("content-type", b"application/json"),)
_encode = msgspec.json.Encoder().encode


def letter_key(name: InputName, key: bytes | None, anonymous: bool) -> bytes:
    """The key of a dead letter: the record's own key if it is valid, else its digest.

    `anonymous`: the digest in any case, because nothing is kept of an account below the floor.
    """
    if key is not None and not anonymous and valid_key(name, key):
        return key
    return hashlib.sha256(key or b"").hexdigest().encode()


def dead_letter(
    topic: str, partition: int, record: InputRecord, refusal: Refusal, now: int
) -> bytes:
    """The letter about a record. `topic` is its full name; `now` is when it is refused."""
    raw = record.value
    letter: dict[str, Any] = {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "last_offset": record.last_offset if isinstance(record, UnreadableBatch) else None,
        "timestamp": rfc3339(max(0, record.timestamp)),
        "reason": refusal.reason,
        "field": refusal.field,
        "value_digest": None if raw is None else hashlib.sha256(raw).hexdigest(),
        "value_bytes": 0 if raw is None else len(raw),
        "refused_at": rfc3339(now),
    }
    return _encode(letter)


def disagrees(key: bytes, raw: bytes | None) -> bool:
    """Whether a refused record names another account than its valid key does.

    A field that is missing or cannot be read disagrees with nothing.
    """
    if raw is None or len(raw) > MAX_VALUE_BYTES:
        return False
    plain, _ = read_plain(raw)
    if not isinstance(plain, dict):
        return False
    platform, _, account_id = key.decode().partition(":")
    return _other(plain.get("platform"), platform) or _other(plain.get("account_id"), account_id)


def _other(stated: Any, named: str) -> bool:
    if isinstance(stated, int) and not isinstance(stated, bool):
        return str(stated) != named
    return isinstance(stated, str) and stated != named
