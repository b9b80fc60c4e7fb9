"""Checks of a decoded record: names, times, ids, and whether its key belongs where it stands."""

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
    CategoryChange,
    FollowerCount,
    SwitchChange,
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
    """Decoders that leave the times of an input as text: for its own fields, and for any."""

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


QUOTES: dict[type[Struct], int] = {FollowerCount: 14, CategoryChange: 16}
"""How many quotation marks a record of a busy topic has if it holds its required fields only.

Each required field takes two for its name and two for a text value. A record that could be decoded
and has no more than these has no further field, no field twice, and no quotation mark in a text.
"""

says_time = re.compile(
    b'"observed_at": ?' + TIME_PATTERN.replace("^", '"').replace("$", '"').encode()
).search
"""Whether a record holds an `observed_at` in the form that the contract requires."""


def check_fields(value: Value, raw: bytes) -> Refusal | None:
    """Finds what the fast decoder passes over: name fields, and times that are not RFC 3339."""
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
    """Checks the ids, and whether the key is the one that belongs to the value."""
    if isinstance(value, SwitchChange):
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
    """The last time that readings and labels may state, at a fraction of the exact cost.

    The records of one batch came in at nearly the same moment. A time that is not after `latest` is
    not too far ahead of any record that came in at `entry` or later.
    """

    __slots__ = ("_now", "entry", "latest")

    def __init__(self, now: int) -> None:
        self._now = now
        self.entry = 1 << 62
        self.latest = EPOCH

    def allows(self, timestamp: int, observed_at: datetime) -> bool:
        """Whether a time is certainly in range; no entry is before `timestamp` or `now`."""
        if timestamp >= self.entry and EARLIEST <= observed_at <= self.latest:
            return True
        self.entry = min(timestamp, self._now)
        self.latest = EPOCH + timedelta(milliseconds=max(self.entry, 0)) + _AHEAD
        return EARLIEST <= observed_at <= self.latest


def check_times(value: Value, entry: int) -> Refusal | None:
    """Refuses times that cannot be: sentinels, and of readings and labels times ahead of the entry.

    The own time of a word is never refused: `entry.py` replaces it.
    """
    if isinstance(value, FollowerCount | CategoryChange):
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
"""Whether an account id has the form that the contract requires."""

_ids_by_line = re.compile(f"(?:{ACCOUNT_ID_PATTERN[1:-1]}\n)*").fullmatch


def valid_account_ids(ids: Sequence[str]) -> bool:
    """The same for many account ids at once."""
    lines = "\n".join([*ids, ""])
    # An id with the end of a line inside would look like two ids.
    return _ids_by_line(lines) is not None and lines.count("\n") == len(ids)


_KEY = re.compile(rb"^[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}\Z")
_SWITCH_KEY = re.compile(rb"^(\*|[a-z][a-z0-9-]{1,31}):[a-z_]{1,32}\Z")


def valid_key(name: InputName, key: bytes | None) -> bool:
    """Whether a record's key has the form that the contract requires for its topic."""
    if key is None:
        return False
    return bool((_SWITCH_KEY if name == "switches" else _KEY).match(key))
