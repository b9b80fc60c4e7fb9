"""Single checks of a decoded record: name fields, times, ids, and whether its key fits its value.

The *entry* of a record is when it was appended to Kafka, in milliseconds UTC (entry.py).
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from schemas.enums import ACCOUNT_ID_PATTERN, EARLIEST_TIME_MS, PLATFORM_PATTERN, Refused
from schemas.inputs import TIME_PATTERN, InputName
from streams.core.inputs.decode import (
    STRUCTS,
    DecodedCategoryChange,
    DecodedFollowerCount,
    DecodedSwitchChange,
    Value,
    key_of,
)
from streams.core.inputs.entry import SKEW
from streams.core.inputs.plain import UNREADABLE, Refusal, read_plain
from streams.core.model.instants import EPOCH, milliseconds

_PLATFORM = re.compile(PLATFORM_PATTERN.replace("$", r"\Z"))
_is_time = re.compile(TIME_PATTERN.replace("$", r"\Z"), re.ASCII).match
_ENDS = ("valid_until", "expires_at", "until")
_TIMES = frozenset({"observed_at", "occurred_at", "issued_at", *_ENDS})


class _Form(NamedTuple):
    """Decoders that return the time fields (`times`) of an input as text.

    `exact` refuses unknown fields, `loose` skips them.
    """

    exact: msgspec.json.Decoder[Any]
    loose: msgspec.json.Decoder[Any]
    times: tuple[str, ...]


def _form(struct: type[Struct]) -> _Form:
    times = tuple(name for name in struct.__struct_fields__ if name in _TIMES)
    fields = [
        (name, str | None if name in times else msgspec.Raw, None)
        for name in struct.__struct_fields__
    ]
    exact, loose = (
        msgspec.json.Decoder(
            msgspec.defstruct(f"{struct.__name__}Form", fields, forbid_unknown_fields=forbids)
        )
        for forbids in (True, False)
    )
    return _Form(exact, loose, times)


_FORMS = {struct: _form(struct) for struct in STRUCTS.values()}


QUOTES: dict[type[Struct], int] = {DecodedFollowerCount: 14, DecodedCategoryChange: 16}
"""The number of quotation marks in a record that holds its required fields only.

Each required field has two for its name and two for a text value, so a decoded record has no fewer.
One with exactly this number has no other field, no field twice, and no quotation mark in a text.
"""

says_time = re.compile(
    b'"observed_at": ?' + TIME_PATTERN.replace("^", '"').replace("$", '"').encode()
).search
"""Searches a record for an `observed_at` in the form that the contract requires; else None."""

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_USUAL_TIMES = tuple(
    f'"observed_at":{blank}"0000-00-00T00:00:00{fraction}Z"'.encode()
    for blank in ("", " ")
    for fraction in (".000", "", ".000000")
)
"""The usual forms of `observed_at`, with zeros for all digits."""


def all_plain(values: Sequence[bytes], kind: type[Struct]) -> bool:
    """Whether each of these decoded records of one kind has `QUOTES` and says its time (above).

    It looks at all of them as one text. A record with `QUOTES` has one `observed_at`.
    """
    text, left = b"".join(values), len(values)
    if text.count(b'"') != left * QUOTES[kind]:
        return False
    zeros = text.translate(_ZEROS)
    for usual in _USUAL_TIMES:
        left -= zeros.count(usual)
        if not left:
            return True
    return all(map(says_time, values))


def check_fields(value: Value, raw: bytes) -> Refusal | None:
    """Checks what the fast decoder does not: name fields, and times that are not RFC 3339.

    Returns why the record is refused, None if it is not.
    """
    exact, loose, times = _FORMS[type(value)]
    try:
        form = exact.decode(raw)
    except UNREADABLE:
        # Unknown fields may hold anything, so they have to be searched.
        _, refusal = read_plain(raw)
        if refusal is not None:
            return refusal
        form = loose.decode(raw)
    for field in times:
        text = getattr(form, field)
        if text is not None and not _is_time(text):
            return Refusal(Refused.WRONG_TYPE, field)
    return None


def check_place(value: Value, key: bytes | None) -> Refusal | None:
    """Checks the ids, and whether the key belongs to the value.

    Returns why the record is refused, None if it is not.
    """
    if isinstance(value, DecodedSwitchChange):
        if value.scope != "*" and not _PLATFORM.match(value.scope):
            return Refusal(Refused.BAD_ID, "scope")
        expected = f"{value.scope}:{value.switch}".encode()
    else:
        if not _PLATFORM.match(value.platform):
            return Refusal(Refused.BAD_ID, "platform")
        if not valid_account_id(value.account_id):
            return Refusal(Refused.BAD_ID, "account_id")
        expected = key_of(value.platform, value.account_id)
    return None if key == expected else Refusal(Refused.KEY_MISMATCH)


_AHEAD = timedelta(milliseconds=SKEW)
EARLIEST = EPOCH + timedelta(milliseconds=EARLIEST_TIME_MS)


class Horizon:
    """Checks that readings and labels state no time too far ahead, at a fraction of the cost.

    The records of one batch have nearly the same entry. A time that is not after `latest` is not
    too far ahead for any record with the entry `entry` or later, so the limit is seldom computed.
    """

    __slots__ = ("_now", "entry", "latest")

    def __init__(self, now: int) -> None:
        self._now = now
        self.entry = 1 << 62
        self.latest = EPOCH

    def allows(self, timestamp: int, observed_at: datetime) -> bool:
        """Whether `observed_at` is certainly in range for a record with this Kafka timestamp.

        The record's entry is `timestamp`, or `now` if that is earlier; the earlier one is used.
        """
        if timestamp >= self.entry and EARLIEST <= observed_at <= self.latest:
            return True
        self.entry = min(timestamp, self._now)
        self.latest = EPOCH + timedelta(milliseconds=max(self.entry, 0)) + _AHEAD
        return EARLIEST <= observed_at <= self.latest


def check_times(value: Value, entry: int) -> Refusal | None:
    """Checks the times that a record states.

    Returns a refusal for a reading or label dated before 2005 or too far after its entry, and for
    an end (`valid_until`, `expires_at`, `until`) before 2005; else None. The time of an account
    change, answer, control, receipt or switch is never refused: `entry.py` replaces it.
    """
    if isinstance(value, DecodedFollowerCount | DecodedCategoryChange):
        observed_at = milliseconds(value.observed_at)
        if observed_at < EARLIEST_TIME_MS:
            return Refusal(Refused.TIME_BEFORE_2005, "observed_at")
        if observed_at > entry + SKEW:
            return Refusal(Refused.TIME_AHEAD, "observed_at")
    for field in _ENDS:
        end = getattr(value, field, None)
        if end is not None and end < EARLIEST:
            return Refusal(Refused.TIME_BEFORE_2005, field)
    return None


valid_account_id = re.compile(ACCOUNT_ID_PATTERN.replace("$", r"\Z")).match
"""Matches an account id of the form that the contract requires; else returns None."""

_ids_by_line = re.compile(f"(?:{ACCOUNT_ID_PATTERN[1:-1]}\n)*").fullmatch


def valid_account_ids(ids: Sequence[str]) -> bool:
    """Whether all account ids have the form that the contract requires."""
    lines = "\n".join([*ids, ""])
    # An id that contains a line feed would look like two ids.
    return _ids_by_line(lines) is not None and lines.count("\n") == len(ids)


_KEY = re.compile(rb"^[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}\Z")
_SWITCH_KEY = re.compile(rb"^(\*|[a-z][a-z0-9-]{1,31}):[a-z_]{1,32}\Z")


def valid_key(name: InputName, key: bytes | None) -> bool:
    """Whether a record's key has the form that the contract requires for its topic."""
    if key is None:
        return False
    return bool((_SWITCH_KEY if name == "switches" else _KEY).match(key))
