"""Dead letters against the inputs they speak of: contract section 3, *Refused as dead letters*."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from pydantic import ValidationError

from schemas.inputs import INPUT_MODELS, TOMBSTONES, input_key
from schemas.records import DeadLetter
from schemas.words import ALLOWED_SKEW_SECONDS, MAX_VALUE_BYTES, NAME_FIELDS
from tests.oracle.policy import instant
from tests.oracle.records import Record, partition_of
from tests.oracle.wire import wrong_times

VALID_KEY = re.compile(rb"^[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}$|^(\*|[a-z0-9-]+):[a-z_]+$")


def digest(data: bytes | None) -> str | None:
    """SHA-256 in hex, as dead letters carry it; None for nothing."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def check_dead_letters(
    records: Iterable[Record],
    inputs: Iterable[Record] | None = None,
    *,
    partitions: int | None = None,
    prefix: str = "byline.",
    platforms: Collection[str] = (),
) -> list[str]:
    """Breaches in the dead letters; with the input records, also who is wrongly in or missing.

    `platforms`: those with a policy. An input that is refused by a clock (skew) or by a setting
    (approvals) may be in or not. Readings without JSON, type, range or platform at fault likewise,
    since the floor filter may have dropped them first.
    """
    breaches: list[str] = []
    letters: dict[tuple[str, int, int], DeadLetter] = {}
    for record in records:
        try:
            letter = DeadLetter.model_validate_json(record.value or b"")
        except ValidationError as error:
            breaches.append(f"{record.place}: is no dead letter: {error.errors()[:3]}")
            continue
        place = (letter.topic, letter.partition, letter.offset)
        if place in letters:
            breaches.append(f"{record.place}: {place} is refused twice")
        letters[place] = letter
        raw = json.loads(record.value or b"")
        breaches += [f"{record.place}: {name} is {text}" for name, text in wrong_times(raw)]
        if partitions is not None and record.key is not None:
            home = partition_of(record.key, partitions)
            if record.partition not in (home, letter.partition):
                breaches.append(f"{record.place}: stands neither at its key's partition nor source")
    if inputs is None:
        return breaches
    known = {(one.topic, one.partition, one.offset): one for one in inputs}
    for place, letter in letters.items():
        if place not in known:
            breaches.append(f"{place}: refused, but no such input")
        else:
            breaches += [f"{place}: {what}" for what in _check_one(letter, known[place])]
    for place, record in known.items():
        verdict = judge(record, partitions=partitions, prefix=prefix, platforms=platforms)
        if verdict == "refuse" and place not in letters:
            breaches.append(f"{place}: should have been refused")
        if verdict == "accept" and place in letters:
            breaches.append(f"{place}: refused as {letters[place].reason}, but nothing is wrong")
    return breaches


def check_keys(records: Iterable[Record], inputs: Iterable[Record]) -> list[str]:
    """The letter's key is the input's if that is valid, else its digest."""
    known = {(one.topic, one.partition, one.offset): one.key for one in inputs}
    breaches = []
    for record in records:
        letter = DeadLetter.model_validate_json(record.value or b"")
        key = known.get((letter.topic, letter.partition, letter.offset))
        valid = key is not None and VALID_KEY.match(key)
        expected = key if valid else (digest(key or b"") or "").encode()
        if record.key != expected and key is not None:
            breaches.append(f"{record.place}: its key is {record.key!r}, not {expected!r}")
    return breaches


def _check_one(letter: DeadLetter, record: Record) -> list[str]:
    breaches = []
    if letter.value_digest != digest(record.value):
        breaches.append("value_digest is not the SHA-256 of the value")
    if letter.value_bytes != len(record.value or b""):
        breaches.append("value_bytes is not the length of the value")
    if record.timestamp_ms and round(letter.timestamp.timestamp() * 1000) != record.timestamp_ms:
        breaches.append("timestamp is not the record's")
    return breaches


def judge(
    record: Record, *, partitions: int | None, prefix: str, platforms: Collection[str]
) -> str:
    """`accept`, `refuse` or `either`, from the record and the wire models alone."""
    name = record.topic.removeprefix(prefix)
    if record.value is None:
        return "either" if name in TOMBSTONES else "refuse"
    if len(record.value) > MAX_VALUE_BYTES:
        return "refuse"
    try:
        raw = json.loads(record.value)
        value = INPUT_MODELS[name].model_validate(raw)  # type: ignore[index]
    except ValidationError as error:
        return _judge_reading(error) if name == "follower-counts" else "refuse"
    except (ValueError, UnicodeDecodeError):
        return "refuse"
    unknown = platforms and getattr(value, "platform", "*") not in platforms
    if name != "switches" and unknown:
        return "refuse"
    wrong = any(str(key).lower() in NAME_FIELDS for key in raw)
    key = input_key(name, value).encode()  # type: ignore[arg-type]
    wrong = wrong or record.key != key
    if partitions is not None and name != "switches":
        wrong = wrong or record.partition != partition_of(record.key or b"", partitions)
    if wrong:
        return "either" if name == "follower-counts" else "refuse"
    return "either" if _may_be_ahead(raw, record.timestamp_ms) or name == "controls" else "accept"


def _judge_reading(error: ValidationError) -> str:
    always = {"platform", "followers", "observed_at", "cause"}
    fields = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
    return "refuse" if not fields or fields & always else "either"


def _may_be_ahead(raw: dict[str, Any], timestamp_ms: int) -> bool:
    times = [raw[name] for name in ("observed_at", "occurred_at", "issued_at") if name in raw]
    limit = timestamp_ms / 1000 + ALLOWED_SKEW_SECONDS
    return any(instant(text).timestamp() > limit for text in times)
