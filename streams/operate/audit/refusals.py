"""Decides from the bytes alone which inputs the contract refuses, independently of the core.

schemas/CONTRACT.md, "What is refused". Of readings below the floor (the lowest line of any phase)
a worker checks only a sample. So for some records the auditor cannot know what the worker did.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import murmurhash2
from pydantic import BaseModel, ValidationError

from schemas.enums import EARLIEST_TIME_MS, MAX_VALUE_BYTES, NAME_FIELDS, Command
from schemas.inputs import INPUT_MODELS, TOMBSTONES, Control, InputName, input_key, whole_number
from streams.operate.audit.odd import BAD, OPEN, earlier, parse
from streams.operate.audit.records import SECOND, Record, stamp
from streams.operate.audit.terms import AuditedTerms
from streams.operate.audit.words import SKEW_MS

KEY = re.compile(rb"[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}")
SAMPLED = 1_024
SEED = 0x9747B28C
"""The seed of the Java client's murmur2 partitioner."""
ENDS = ("expires_at", "until", "valid_until")
OBSERVED: frozenset[str] = frozenset({"follower-counts", "category-changes"})
PROTECTS_NOBODY = {Command.UNHOLD, Command.REISSUE, Command.SETTLE, Command.APPEAL_REJECTED}

Whose = Literal["certain", "lost", "open"]


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Returns a field's name as names are compared: NFKC, letters and digits only, case folded."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in text if character.isalnum())


FOLDED_NAMES = frozenset(map(fold, NAME_FIELDS))


@dataclass(frozen=True, slots=True)
class RefusalTerms:
    """What refusals in a partition depend on.

    `policies`: those in force by platform. If it is empty they are not known, and no platform
    counts as unknown. `partitions`: how many an input topic has; None: the partition of a key is
    not checked. `require_approvals`: a bulk control needs two people.
    `id_key`: the setting `ID_KEY`, for the digests of dead letters.
    """

    policies: Mapping[str, AuditedTerms]
    partitions: int | None
    require_approvals: bool
    id_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of one input record.

    `refused` None: the worker may refuse it or not. `whose`: its account is `certain`, or `lost`
    (not certain), or `open` (the auditor cannot tell which). `value`: the input if its form is
    right, even if it is refused. `below`: a reading below the floor. `why`: the fault in words.
    """

    refused: bool | None
    value: BaseModel | None = None
    whose: Whose = "certain"
    below: bool = False
    why: str = ""


def examine(record: Record, now: int, setting: RefusalTerms, tracked: bool) -> Judged:
    """Judges one input record, read at `now` (ms). `tracked`: a worker follows its account."""
    name: InputName = record.topic  # type: ignore[assignment]
    keyed = key_of(record, setting.partitions)
    if record.value is None:
        if name in TOMBSTONES:
            fit = keyed is not None and keyed.partition(":")[0] in setting.policies
            return Judged(False if fit else None)
        return Judged(True, whose=_whose(keyed, None), why="no value")
    if len(record.value) > MAX_VALUE_BYTES:
        whose: Whose = "open" if keyed else "lost"
        return Judged(None if name == "follower-counts" else True, whose=whose, why="too large")
    plain = parse(record.value)
    if plain is OPEN:
        return Judged(None, whose="open")
    if plain is BAD or not isinstance(plain, dict):
        return Judged(True, whose=_whose(keyed, None), why="no JSON object")
    whose = _whose(keyed, plain)
    try:
        value = INPUT_MODELS[name].model_validate(plain)
    except ValidationError as error:
        return _unfit(name, error, plain, setting, record, tracked, whose)
    return _fit(name, value, plain, record, now, setting, tracked, whose)


def _unfit(
    name: str,
    error: ValidationError,
    plain: Mapping[str, Any],
    setting: RefusalTerms,
    record: Record,
    tracked: bool,
    whose: Whose,
) -> Judged:
    fields = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    why = f"wrong: {', '.join(sorted(fields))}"
    if name != "follower-counts" or "followers" in fields or "platform" in fields:
        return Judged(True, whose=whose, why=why)
    terms = setting.policies.get(plain["platform"])
    below = terms is None or plain["followers"] < terms.lowest
    sure = (not below) or tracked or sampled(record.offset)
    return Judged(True if sure else None, whose=whose, below=below, why=why)


def _fit(
    name: InputName,
    value: Any,
    plain: Any,
    record: Record,
    now: int,
    setting: RefusalTerms,
    tracked: bool,
    whose: Whose,
) -> Judged:
    terms = setting.policies.get(value.platform)
    if setting.policies and terms is None:
        return Judged(True, value, whose, why="a platform without a policy")
    faults = list(_faults(name, value, plain, record, now, setting))
    below = name == "follower-counts" and (terms is None or value.followers < terms.lowest)
    if not faults:
        # A worker refuses a field that stands twice if its first value is of the wrong type; for
        # the rest the last one counts.
        assert record.value is not None
        sound = not any(_unfit_alone(name, plain, *pair) for pair in earlier(record.value, plain))
        return Judged(False if sound else None, value, whose, below)
    sure = any(certain for certain, _ in faults)
    if below and not tracked and not sampled(record.offset):
        sure = False
    return Judged(True if sure else None, value, whose, below, faults[0][1])


def _faults(
    name: InputName, value: Any, plain: Any, record: Record, now: int, setting: RefusalTerms
) -> Iterator[tuple[bool, str]]:
    """Yields each fault as text, and whether the worker must refuse the record because of it."""
    if record.key != input_key(name, value).encode():
        yield True, "key and value disagree"
    elif not at_home(record, setting.partitions):
        yield True, "the partition is not that of the key"
    if _names_somebody(plain):
        yield True, "a field that carries a name"
    if name in OBSERVED:
        at, latest = stamp(value.observed_at), record.entered_at(now) + SKEW_MS
        if at < EARLIEST_TIME_MS:
            yield True, "observed before 2005"
        if at > latest:
            yield record.timestamp >= 0 and at > latest + SECOND, "observed ahead of its entry"
    ends: Iterator[datetime | None] = (getattr(value, field, None) for field in ENDS)
    if any(end is not None and stamp(end) < EARLIEST_TIME_MS for end in ends):
        yield True, "it ends before 2005"
    if isinstance(value, Control) and unapproved(value):
        yield setting.require_approvals, "a bulk without a second person"


def _unfit_alone(name: InputName, plain: Mapping[str, Any], field: str, value: Any) -> bool:
    """Whether this value of one field makes the record invalid, whatever its other fields are."""
    try:
        INPUT_MODELS[name].model_validate({**plain, field: value})
    except ValidationError:
        return True
    return False


def passed_over(record: Record, setting: RefusalTerms) -> bool:
    """Returns whether a worker may drop this reading unchecked, if it does not follow the account.

    It is below the floor, not in the sample, and passes the checks that every reading gets.
    """
    plain = parse(record.value or b"")
    if sampled(record.offset) or not isinstance(plain, dict):
        return False
    followers, terms = whole_number(plain.get("followers")), None
    if isinstance(plain.get("platform"), str):
        terms = setting.policies.get(plain["platform"])
    return type(followers) is int and terms is not None and 0 <= followers < terms.lowest


def unapproved(control: Control) -> bool:
    """Returns whether a bulk control that protects nobody lacks a second person's approval."""
    bulk = control.bulk_id is not None and control.command in PROTECTS_NOBODY
    return bulk and control.approved_by in (None, control.actor)


def sampled(offset: int) -> bool:
    """Returns whether the reading at this offset is in the sample, which is checked like others."""
    return offset % SAMPLED == (offset // SAMPLED) % SAMPLED


def key_of(record: Record, partitions: int | None) -> str | None:
    """Returns the record's key if it is valid and the record lies in its partition, else None."""
    key = valid_key(record.key)
    return key if key is not None and at_home(record, partitions) else None


def valid_key(key: bytes | None) -> str | None:
    """Returns the key as text if it has the form of an account's key, else None."""
    return key.decode() if key is not None and KEY.fullmatch(key) else None


def at_home(record: Record, partitions: int | None) -> bool:
    """Whether a record is in the partition that its key hashes to."""
    if not partitions or record.key is None:
        return True
    return bool(
        (murmurhash2.murmurhash2(record.key, SEED) & 0x7FFFFFFF) % partitions == record.partition
    )


def _whose(keyed: str | None, plain: Mapping[str, Any] | None) -> Whose:
    """Returns whether the account of a record is certain, by its valid key and its value."""
    if keyed is None:
        return "lost"
    if plain is None:
        return "certain"
    platform, account_id = plain.get("platform"), plain.get("account_id")
    if not isinstance(platform, str) or not isinstance(account_id, str):
        return "open"
    said = f"{platform}:{account_id}"
    if said == keyed:
        return "certain"
    return "lost" if valid_key(said.encode(errors="replace")) is not None else "open"


def _names_somebody(plain: Any) -> bool:
    if isinstance(plain, dict):
        return any(
            fold(str(key)) in FOLDED_NAMES or _names_somebody(value) for key, value in plain.items()
        )
    return isinstance(plain, list) and any(_names_somebody(value) for value in plain)
