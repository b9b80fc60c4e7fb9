"""Dead letters against the inputs they speak of.

schemas/CONTRACT.md, "What is refused".
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from pydantic import ValidationError

from schemas.enums import Refused
from schemas.records import DeadLetter
from tests.oracle.judging import judge, sampled
from tests.oracle.records import OracleRecord, partition_of
from tests.oracle.wire import wrong_times

VALID_KEY = re.compile(rb"^[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}$|^(\*|[a-z0-9-]+):[a-z_]+$")


def digest(data: bytes | None) -> str | None:
    """SHA-256 in hex, as dead letters carry it; None for nothing."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def check_dead_letters(
    records: Iterable[OracleRecord],
    inputs: Iterable[OracleRecord] | None = None,
    *,
    partitions: int | None = None,
    prefix: str = "byline.",
    platforms: Collection[str] = (),
    floors: Mapping[str, Decimal] | None = None,
) -> list[str]:
    """Breaches in the dead letters; with the input records, also who is wrongly in or missing.

    `platforms`: those with a policy; `floors`: of each. An input that is refused by a setting
    (approvals) may be in or not. So may a reading below the floor that is not of the sample: it is
    looked at whole only where its account is tracked. Without floors every reading may.
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
        if letter.reason == Refused.UNREADABLE_BATCH:
            breaches += [f"{place}: {what}" for what in _check_batch(letter, known)]
        elif place not in known:
            breaches.append(f"{place}: refused, but no such input")
        else:
            breaches += [f"{place}: {what}" for what in _check_one(letter, known[place])]
    for place, record in known.items():
        verdict = judge(
            record, partitions=partitions, prefix=prefix, platforms=platforms, floors=floors
        )
        if verdict == "refuse" and place not in letters:
            breaches.append(f"{place}: should have been refused")
        if verdict == "accept" and place in letters:
            breaches.append(f"{place}: refused as {letters[place].reason}, but nothing is wrong")
    return breaches


def check_keys(records: Iterable[OracleRecord], inputs: Iterable[OracleRecord]) -> list[str]:
    """The letter's key is the input's if that is valid, else its digest."""
    known = {(one.topic, one.partition, one.offset): one.key for one in inputs}
    breaches = []
    for record in records:
        letter = DeadLetter.model_validate_json(record.value or b"")
        key = known.get((letter.topic, letter.partition, letter.offset))
        valid = key is not None and VALID_KEY.match(key)
        hashed = (digest(key or b"") or "").encode()
        expected = key if valid else hashed
        # A reading below the floor is of nobody who is tracked: its letter is under a digest.
        either = letter.topic.endswith("follower-counts") and record.key == hashed
        if record.key != expected and not either and key is not None:
            breaches.append(f"{record.place}: its key is {record.key!r}, not {expected!r}")
    return breaches


def _check_batch(
    letter: DeadLetter, known: Mapping[tuple[str, int, int], OracleRecord]
) -> Iterable[str]:
    if letter.last_offset is None or letter.last_offset < letter.offset:
        yield "an unreadable batch without its last offset"
        return
    for offset in range(letter.offset, letter.last_offset + 1):
        if (letter.topic, letter.partition, offset) in known:
            yield f"is said to be unreadable, but {offset} was read"


def _check_one(letter: DeadLetter, record: OracleRecord) -> list[str]:
    breaches = []
    if letter.value_digest != digest(record.value):
        breaches.append("value_digest is not the SHA-256 of the value")
    if letter.value_bytes != len(record.value or b""):
        breaches.append("value_bytes is not the length of the value")
    if record.timestamp_ms and round(letter.timestamp.timestamp() * 1000) != record.timestamp_ms:
        breaches.append("timestamp is not the record's")
    return breaches


__all__ = ["check_dead_letters", "check_keys", "digest", "judge", "sampled"]
