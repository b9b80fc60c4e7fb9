"""Decodes inputs fast, and finds the reason why bytes are not a valid input.

The pydantic models of `schemas/inputs.py` are the contract. These structs decode a hundred records
in the time that a model needs for one; tests/contracts compares them with the models, field by
field.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from schemas.enums import (
    ACTOR_PATTERN,
    ID_PATTERN,
    MAX_CATEGORY_LENGTH,
    MAX_FOLLOWERS,
    MAX_VALUE_BYTES,
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
from schemas.inputs import InputName, whole_number
from streams.core.inputs.plain import UNREADABLE, Refusal, read_plain
from streams.core.inputs.whole_counts import whole_counts
from streams.core.model.instants import milliseconds

Time = Annotated[datetime, Meta(tz=True)]
Identifier = Annotated[str, Meta(pattern=ID_PATTERN.replace("$", r"\Z"))]
Actor = Annotated[str, Meta(pattern=ACTOR_PATTERN.replace("$", r"\Z"))]


class DecodedFollowerCount(Struct, frozen=True, gc=False):
    """A reading: one follower count at one instant."""

    platform: str
    account_id: str
    followers: Annotated[int, Meta(ge=0, le=MAX_FOLLOWERS)]
    observed_at: Time
    cause: Cause = Cause.ORGANIC


class DecodedCategoryChange(Struct, frozen=True, gc=False):
    """A label: the platform's category text of an account."""

    platform: str
    account_id: str
    category: Annotated[str, Meta(min_length=1, max_length=MAX_CATEGORY_LENGTH)]
    observed_at: Time
    source: LabelSource = LabelSource.PLATFORM
    valid_until: Time | None = None


class DecodedAccountChange(Struct, frozen=True, gc=False):
    """A change of the account: closed, reopened, owner changed, exempted, exemption ended."""

    platform: str
    account_id: str
    change: Change
    observed_at: Time


class DecodedNoticeReceipt(Struct, frozen=True, gc=False):
    """The notifier's receipt: a notice was delivered, or failed."""

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


class DecodedConsentAnswer(Struct, frozen=True, gc=False):
    """The owner's answer: granted, declined or withdrawn."""

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


class DecodedControl(Struct, frozen=True, gc=False):
    """An operator's command about one account."""

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


class DecodedSwitchChange(Struct, frozen=True, gc=False):
    """An operator's command that turns a switch on or off."""

    scope: str
    switch: Switch
    on: bool
    actor: Actor
    reason: ControlReason
    issued_at: Time


Value = (
    DecodedFollowerCount
    | DecodedCategoryChange
    | DecodedAccountChange
    | DecodedNoticeReceipt
    | DecodedConsentAnswer
    | DecodedControl
    | DecodedSwitchChange
)

STRUCTS: dict[InputName, type[Struct]] = {
    "switches": DecodedSwitchChange,
    "account-changes": DecodedAccountChange,
    "controls": DecodedControl,
    "category-changes": DecodedCategoryChange,
    "follower-counts": DecodedFollowerCount,
    "notice-receipts": DecodedNoticeReceipt,
    "consent-answers": DecodedConsentAnswer,
}
DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(struct) for name, struct in STRUCTS.items()
}

_whole_counts = whole_counts(DecodedFollowerCount)
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


def decode(name: InputName, raw: bytes) -> Value | Refusal:
    """Decodes one record. Returns the input, or why it is not one (format, types, ranges)."""
    if len(raw) > MAX_VALUE_BYTES:
        return Refusal(Refused.TOO_LARGE)
    try:
        return DECODERS[name].decode(raw)  # type: ignore[no-any-return]
    except UNREADABLE:
        whole = _with_whole_count(raw) if name == "follower-counts" else None
        return whole or _why_not(name, raw)


def _with_whole_count(raw: bytes) -> DecodedFollowerCount | None:
    """Decodes a reading whose count is written like `1000000.0` or `1e6`; None: it is not one."""
    try:
        found = _whole_counts.decode(raw)
    except UNREADABLE:
        return None
    return DecodedFollowerCount(
        found.platform, found.account_id, int(found.followers), found.observed_at, found.cause
    )


def _why_not(name: InputName, raw: bytes) -> Refusal:
    """Finds why bytes cannot be decoded: checks field by field, in the order of the model."""
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
        value = whole_number(plain[info.name]) if info.name == "followers" else plain[info.name]
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


_OBSERVED, _OCCURRED = (
    (DecodedFollowerCount, DecodedCategoryChange, DecodedAccountChange),
    (DecodedNoticeReceipt, DecodedConsentAnswer),
)


def instant_of(value: Value) -> int:
    """Returns the time that an input states, in milliseconds UTC, whatever its field is called."""
    if isinstance(value, _OBSERVED):
        return milliseconds(value.observed_at)
    if isinstance(value, _OCCURRED):
        return milliseconds(value.occurred_at)
    return milliseconds(value.issued_at)


def key_of(platform: str, account_id: str) -> bytes:
    """Returns the Kafka key of all records about an account."""
    return f"{platform}:{account_id}".encode()
