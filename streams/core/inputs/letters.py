"""Makes dead letters: where a refused record is and why it was refused, never its content."""

from typing import Any

import msgspec

from schemas.cures import CURES
from schemas.enums import MAX_VALUE_BYTES, Refused
from schemas.inputs import INPUT_MODELS, InputName
from streams.core.inputs.batches import UnreadableBatch
from streams.core.inputs.checks import valid_key
from streams.core.inputs.plain import Refusal, read_plain
from streams.core.model.ids import key_name, keyed_digest
from streams.core.model.instants import rfc3339
from streams.core.model.ports import Headers, InputRecord

HEADERS: Headers = (("content-type", b"application/json"),)
UNKNOWN = "unknown"
"""Stands for a topic or reason of a dead letter that is in no list, so that it is not repeated."""
_REASONS = frozenset(map(str, Refused))
_encode = msgspec.json.Encoder().encode


def letter_key(
    name: InputName, key: bytes | None, anonymous: bool, id_key: bytes | None = None
) -> bytes:
    """Returns the key of a dead letter: the record's key if it is valid, else a digest of it.

    `anonymous`: always the digest, because nothing is kept of an account below the floor.
    `id_key`: the setting `ID_KEY`; with it the digest is an HMAC (ids.py).
    """
    if key is not None and not anonymous and valid_key(name, key):
        return key
    return keyed_digest(key or b"", id_key).encode()


def dead_letter(
    topic: str,
    partition: int,
    record: InputRecord,
    refusal: Refusal,
    now: int,
    id_key: bytes | None = None,
) -> bytes:
    """Returns the JSON of the dead letter of a record.

    `topic` is its full name; `now` is when it is refused, in milliseconds UTC.
    `id_key`: the setting `ID_KEY`; with it the value's digest is an HMAC, and `digest_key` names
    the key. A reason with a cure (schemas/cures.py) brings it along.
    """
    raw = record.value
    letter: dict[str, Any] = {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "last_offset": record.last_offset if isinstance(record, UnreadableBatch) else None,
        "timestamp": rfc3339(max(0, record.timestamp)),
        "reason": refusal.reason,
        "field": refusal.field,
        "value_digest": None if raw is None else keyed_digest(raw, id_key),
        "value_bytes": 0 if raw is None else len(raw),
        "refused_at": rfc3339(now),
    }
    if id_key is not None:
        letter["digest_key"] = key_name(id_key)
    if refusal.reason in CURES:
        letter["cure"] = CURES[refusal.reason]
    return _encode(letter)


def without_cure(letter: bytes) -> bytes:
    """Returns the JSON of a dead letter as a worker wrote it that knew no cures."""
    plain = msgspec.json.decode(letter)
    plain.pop("cure", None)
    return _encode(plain)


def disagrees(key: bytes, raw: bytes | None) -> bool:
    """Whether a refused record names another account than its valid key does.

    A field that is missing or cannot be read does not count as another one.
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


def refused_topic(topic: str, prefix: str) -> str:
    """Returns the input that a dead letter or its mark names, without prefix; UNKNOWN: none.

    `topic`: its full name, of a record that anybody may have written who may write there.
    """
    name = topic.removeprefix(prefix)
    return name if name in INPUT_MODELS else UNKNOWN


def refused_reason(reason: str) -> str:
    """Returns the reason that a dead letter states; UNKNOWN: it is none of Byline's."""
    return reason if reason in _REASONS else UNKNOWN
