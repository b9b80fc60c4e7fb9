"""Bytes to inputs, fast; and for what cannot be an input, the reason.

The pydantic models of `schemas/inputs.py` are the contract. These structs decode a hundred times
the records in the same time, and tests/contracts holds them to the models, field by field. A whole
batch is decoded at once; only when that fails is each record looked at by itself.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from schemas.inputs import TIME_PATTERN, InputName
from schemas.words import (
    ACCOUNT_ID_PATTERN,
    ACTOR_PATTERN,
    ALLOWED_SKEW_SECONDS,
    ID_PATTERN,
    MAX_CATEGORY_LENGTH,
    MAX_FOLLOWERS,
    MAX_VALUE_BYTES,
    PLATFORM_PATTERN,
    Answer,
    Cause,
    Change,
    Command,
    ControlReason,
    Failure,
    LabelSource,
    Outcome,
    Refused,
    Switch,
)
from streams.core.clock import EPOCH, milliseconds
from streams.core.plain import UNREADABLE, Refusal, read_plain

Time = Annotated[datetime, Meta(tz=True)]
Identifier = Annotated[str, Meta(pattern=ID_PATTERN.replace("$", r"\Z"))]
Actor = Annotated[str, Meta(pattern=ACTOR_PATTERN.replace("$", r"\Z"))]

SKEW = ALLOWED_SKEW_SECONDS * 1000
_PLATFORM = re.compile(PLATFORM_PATTERN.replace("$", r"\Z"))
_is_time = re.compile(TIME_PATTERN.replace("$", r"\Z"), re.ASCII).match


class FollowerCount(Struct, frozen=True, gc=False):
    """A reading."""

    platform: str
    account_id: str
    followers: Annotated[int, Meta(ge=0, le=MAX_FOLLOWERS)]
    observed_at: Time
    cause: Cause = Cause.ORGANIC


class CategoryChange(Struct, frozen=True, gc=False):
    """A label."""

    platform: str
    account_id: str
    category: Annotated[str, Meta(min_length=1, max_length=MAX_CATEGORY_LENGTH)]
    observed_at: Time
    source: LabelSource = LabelSource.PLATFORM
    valid_until: Time | None = None


class AccountChange(Struct, frozen=True, gc=False):
    """Closed, reopened, owner changed, exempted, exemption ended."""

    platform: str
    account_id: str
    change: Change
    observed_at: Time


class NoticeReceipt(Struct, frozen=True, gc=False):
    """The notifier's word."""

    platform: str
    account_id: str
    invitation_id: Identifier
    outcome: Outcome
    occurred_at: Time
    failure: Failure | None = None

    @property
    def occurred_ms(self) -> int:
        """`occurred_at` in milliseconds UTC."""
        return milliseconds(self.occurred_at)


class ConsentAnswer(Struct, frozen=True, gc=False):
    """The owner's word."""

    platform: str
    account_id: str
    answer: Answer
    occurred_at: Time
    invitation_id: Identifier | None = None
    notice_version: Identifier | None = None

    @property
    def occurred_ms(self) -> int:
        """`occurred_at` in milliseconds UTC."""
        return milliseconds(self.occurred_at)


class Control(Struct, frozen=True, gc=False):
    """An operator's word on one account."""

    platform: str
    account_id: str
    control_id: Identifier
    command: Command
    actor: Actor
    reason: ControlReason
    issued_at: Time
    approved_by: Actor | None = None
    bulk_id: Identifier | None = None
    appeal_id: Identifier | None = None
    expires_at: Time | None = None
    until: Time | None = None


class SwitchChange(Struct, frozen=True, gc=False):
    """A brake pulled or released."""

    scope: str
    switch: Switch
    on: bool
    actor: Actor
    reason: ControlReason
    issued_at: Time


Value = (
    FollowerCount
    | CategoryChange
    | AccountChange
    | NoticeReceipt
    | ConsentAnswer
    | Control
    | SwitchChange
)

STRUCTS: dict[InputName, type[Struct]] = {
    "switches": SwitchChange,
    "account-changes": AccountChange,
    "controls": Control,
    "category-changes": CategoryChange,
    "follower-counts": FollowerCount,
    "notice-receipts": NoticeReceipt,
    "consent-answers": ConsentAnswer,
}
DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(struct) for name, struct in STRUCTS.items()
}
_TIME_FIELDS = ("observed_at", "occurred_at", "issued_at")
_ID_FIELDS = frozenset(
    {
        "platform",
        "account_id",
        "invitation_id",
        "notice_version",
        "control_id",
        "actor",
        "approved_by",
        "bulk_id",
        "appeal_id",
        "scope",
    }
)
_TIMES = frozenset({*_TIME_FIELDS, "valid_until", "expires_at", "until"})


class _Form(NamedTuple):
    """Decoders of an input that leave its times as text: for its fields alone, and for any."""

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


def decode(name: InputName, raw: bytes) -> Value | Refusal:
    """One record by itself: the input, or why it is none (form, types, ranges)."""
    if len(raw) > MAX_VALUE_BYTES:
        return Refusal(Refused.TOO_LARGE)
    try:
        return DECODERS[name].decode(raw)  # type: ignore[no-any-return]
    except UNREADABLE:
        return _why_not(name, raw)


def _why_not(name: InputName, raw: bytes) -> Refusal:
    """The reason, field by field in the order of the model."""
    plain, refusal = read_plain(raw)
    if refusal is not None:
        return refusal
    if not isinstance(plain, dict):
        return Refusal(Refused.WRONG_TYPE)
    for info in msgspec.structs.fields(STRUCTS[name]):
        if info.name not in plain:
            if info.required:
                return Refusal(Refused.MISSING_FIELD, info.name)
            continue
        value = plain[info.name]
        try:
            msgspec.convert(value, info.type)
        except msgspec.ValidationError:
            return Refusal(_kind(info.name, value), info.name)
    return Refusal(Refused.WRONG_TYPE)


def _kind(field: str, value: Any) -> Refused:
    if field == "followers" and isinstance(value, int) and not isinstance(value, bool):
        return Refused.OUT_OF_RANGE
    if field == "category" and isinstance(value, str):
        return Refused.OUT_OF_RANGE
    if field in _ID_FIELDS and isinstance(value, str):
        return Refused.BAD_ID
    return Refused.WRONG_TYPE


QUOTES: dict[type[Struct], int] = {FollowerCount: 14, CategoryChange: 16}
"""How many quotation marks a record of a busy topic has that says only what it must.

Each field that it must have takes two for its name and two for a text. So one that could be decoded
and has no more of them has no other field, none twice, and no quotation mark inside a text.
"""

says_time = re.compile(
    b'"observed_at": ?' + TIME_PATTERN.replace("^", '"').replace("$", '"').encode()
).search
"""Whether an `observed_at` in the form of the contract stands in a record."""


def check_fields(value: Value, raw: bytes) -> Refusal | None:
    """What the fast decoder does not see: name fields, and times in another form than RFC 3339."""
    exact, loose, times = _FORMS[type(value)]
    try:
        form = exact.decode(raw)
    except UNREADABLE:
        # Fields that it does not know: they may be anything, and have to be looked through.
        _, refusal = read_plain(raw)
        if refusal is not None:
            return refusal
        form = loose.decode(raw)
    for field in times:
        text = getattr(form, field)
        if text is not None and not _is_time(text):
            return Refusal(Refused.WRONG_TYPE, field)
    return None


_OBSERVED, _OCCURRED = (
    (FollowerCount, CategoryChange, AccountChange),
    (NoticeReceipt, ConsentAnswer),
)


def instant_of(value: Value) -> int:
    """The input's own time in milliseconds UTC, whatever its field is called."""
    if isinstance(value, _OBSERVED):
        return milliseconds(value.observed_at)
    if isinstance(value, _OCCURRED):
        return milliseconds(value.occurred_at)
    return milliseconds(value.issued_at)


def key_of(platform: str, account_id: str) -> bytes:
    """The Kafka key of everything about an account."""
    return f"{platform}:{account_id}".encode()


def check_place(value: Value, key: bytes | None) -> Refusal | None:
    """Ids, and whether the key is the one that the value must have."""
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


def latest_time(now: int) -> datetime:
    """The last time that is not too far ahead of our clock, whatever the record's timestamp."""
    return EPOCH + timedelta(milliseconds=now + SKEW)


def check_time(value: Value, timestamp: int, now: int) -> Refusal | None:
    """A time too far ahead of both the record's Kafka timestamp and our clock is a fault."""
    if instant_of(value) > max(timestamp, now) + SKEW:
        return Refusal(Refused.TIME_AHEAD)
    return None


valid_account_id = re.compile(ACCOUNT_ID_PATTERN.replace("$", r"\Z")).match
"""Whether an account id is in the form that the contract gives it."""

_ids_by_line = re.compile(f"(?:{ACCOUNT_ID_PATTERN[1:-1]}\n)*").fullmatch


def valid_account_ids(ids: Sequence[str]) -> bool:
    """The same of many at once."""
    lines = "\n".join([*ids, ""])
    # An id that has a line's end inside would pass for two.
    return _ids_by_line(lines) is not None and lines.count("\n") == len(ids)


_KEY = re.compile(rb"^[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}\Z")
_SWITCH_KEY = re.compile(rb"^(\*|[a-z][a-z0-9-]{1,31}):[a-z_]{1,32}\Z")


def valid_key(name: InputName, key: bytes | None) -> bool:
    """Whether a record's key is in the form that the contract gives its topic."""
    if key is None:
        return False
    return bool((_SWITCH_KEY if name == "switches" else _KEY).match(key))
