"""The seven inputs, and the acknowledgements of enforcing systems.

schemas/CONTRACT.md, "Inputs" and "What is refused".

Unknown fields are ignored and never copied. A record with a known name field is refused before it
gets to a model. Times are RFC 3339 with an offset. These models are the contract; tests/contracts
compares the fast decoder of `streams/core/inputs/decode.py` with them.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic import Field as Constraint

from schemas.enums import (
    ACCOUNT_ID_PATTERN,
    ACTOR_PATTERN,
    ID_PATTERN,
    MAX_CATEGORY_LENGTH,
    MAX_FOLLOWERS,
    PLATFORM_PATTERN,
    AckOutcome,
    Answer,
    Cause,
    Change,
    Command,
    ControlReason,
    Failure,
    LabelSource,
    Outcome,
    Switch,
)

TIME_PATTERN = (
    r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)
_TIME = re.compile(TIME_PATTERN, re.ASCII)


def _parse_time(value: Any) -> Any:
    """Parses a time, and rounds it to the nearest microsecond like the fast decoder.

    Raises:
        ValueError: it is not RFC 3339 with an offset, or outside of the years 1 to 9999.
    """
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("a time is a string in RFC 3339 with an offset")
    whole, fraction, offset = re.split(r"(\.\d+)?(?=[Zz+-]\d*:?\d*$)", value, maxsplit=1)
    nanoseconds = int((fraction or ".0")[1:].ljust(9, "0"))
    try:
        second = datetime.fromisoformat(whole.upper() + offset.upper())
        return second + timedelta(microseconds=(nanoseconds + 500) // 1000)
    except OverflowError:
        raise ValueError("a time is within the years 1 to 9999") from None


Time = Annotated[
    datetime,
    BeforeValidator(_parse_time, json_schema_input_type=str),
    Constraint(json_schema_extra={"format": "date-time", "pattern": TIME_PATTERN}),
]
Platform = Annotated[str, StringConstraints(pattern=PLATFORM_PATTERN)]
AccountId = Annotated[str, StringConstraints(pattern=ACCOUNT_ID_PATTERN)]
Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Actor = Annotated[str, StringConstraints(pattern=ACTOR_PATTERN)]


def whole_number(value: Any) -> Any:
    """Returns an integer for a number with a fraction or an exponent whose value is whole.

    JSON has one kind of number: `1000000.0` and `1e6` are the integer 1000000, as JSON Schema has
    it. Everything else is returned as it is.
    """
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[
    int,
    Constraint(strict=True, ge=0, le=MAX_FOLLOWERS),
    BeforeValidator(whole_number),
]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class FollowerCount(_Input):
    """A reading: one follower count at one instant."""

    platform: Platform
    account_id: AccountId
    followers: Count
    observed_at: Time
    cause: Cause = Cause.ORGANIC


class CategoryChange(_Input):
    """A label: the platform's own category text. `valid_until` null means without end."""

    platform: Platform
    account_id: AccountId
    category: Annotated[
        str, StringConstraints(strict=True, min_length=1, max_length=MAX_CATEGORY_LENGTH)
    ]
    observed_at: Time
    source: LabelSource = LabelSource.PLATFORM
    valid_until: Time | None = None


class AccountChange(_Input):
    """A change of the account: closed, reopened, owner changed, exempted, exemption ended."""

    platform: Platform
    account_id: AccountId
    change: Change
    observed_at: Time


class NoticeReceipt(_Input):
    """The notifier's receipt: the owner's notice was delivered, or failed."""

    platform: Platform
    account_id: AccountId
    invitation_id: Identifier
    outcome: Outcome
    occurred_at: Time
    failure: Failure | None = None


class ConsentAnswer(_Input):
    """The owner's answer. Without `invitation_id` it concerns the open cycle or the consent."""

    platform: Platform
    account_id: AccountId
    answer: Answer
    occurred_at: Time
    invitation_id: Identifier | None = None
    notice_version: Identifier | None = None


class Control(_Input):
    """An operator's command about one account. Controls with equal fields count once."""

    platform: Platform
    account_id: AccountId
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


class SwitchChange(_Input):
    """A switch turned on or off, for one platform or for all (`*`)."""

    scope: Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9-]{1,31})$")]
    switch: Switch
    on: Annotated[bool, Constraint(strict=True)]
    actor: Actor
    reason: ControlReason
    issued_at: Time


class ThrottleAck(_Input):
    """What an enforcing system did with a throttle event. Only the index reads it."""

    platform: Platform
    account_id: AccountId
    event_id: Identifier
    outcome: AckOutcome
    system: Identifier
    occurred_at: Time


InputName = Literal[
    "switches",
    "account-changes",
    "notice-receipts",
    "consent-answers",
    "controls",
    "category-changes",
    "follower-counts",
]

INPUT_MODELS: dict[InputName, type[_Input]] = {
    "switches": SwitchChange,
    "account-changes": AccountChange,
    "notice-receipts": NoticeReceipt,
    "consent-answers": ConsentAnswer,
    "controls": Control,
    "category-changes": CategoryChange,
    "follower-counts": FollowerCount,
}
"""The models by topic (without prefix), in the order in which one step applies the topics."""

FIRST_EDITION_ORDER: tuple[InputName, ...] = (
    "switches",
    "account-changes",
    "controls",
    "category-changes",
    "follower-counts",
    "notice-receipts",
    "consent-answers",
)
"""The order of topics for the replay of decision logs whose transactions have no `edition`."""

TOMBSTONES: frozenset[InputName] = frozenset({"category-changes", "follower-counts"})
"""Topics that accept tombstones. A label's tombstone removes the label; a reading's is ignored."""


def input_key(name: InputName, value: BaseModel) -> str:
    """Returns the Kafka key of a record with this value: `platform:account_id`, `scope:switch`."""
    if isinstance(value, SwitchChange):
        return f"{value.scope}:{value.switch}"
    return f"{value.platform}:{value.account_id}"  # type: ignore[attr-defined]
