"""The outputs: the value of each event. Its envelope is in CloudEvents headers.

schemas/CONTRACT.md, "Outputs".
"""

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Constraint

from schemas.enums import Event, Field, Ground, Level, Mode, Surface
from schemas.inputs import AccountId, Identifier, Platform
from schemas.statement import StatementOfReasons

EVENT_TOPIC: dict[Event, Literal["invitations", "consents", "throttles"]] = {
    event: (
        "invitations"
        if event.startswith("invitation.")
        else "consents"
        if event.startswith("consent.")
        else "throttles"
    )
    for event in Event
}
"""The topic (without prefix, and without `shadow.`) that carries each event."""

TRACEPARENT = "traceparent"
"""The header by which an event or a dead letter names the trace of the transaction that wrote it.

It is there if the worker sends traces (https://www.w3.org/TR/trace-context/), belongs to no
decision, and is no part of anything that is hashed, replayed or compared.
"""
TRACEPARENT_PATTERN = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    event_id: Identifier
    event: Event
    sequence: Annotated[int, Constraint(ge=1)]
    platform: Platform
    account_id: AccountId
    cycle: Annotated[int, Constraint(ge=1)]
    invitation_id: Identifier
    mode: Literal[Mode.SHADOW, Mode.ENFORCE]
    policy_version: Annotated[int, Constraint(ge=1)]
    policy_digest: str
    decided_at: datetime


class InvitationIssued(_Event):
    """The notifier must show this notice. `answer_window_seconds` is null only in shadow mode."""

    event: Literal[Event.INVITATION_ISSUED]
    reason: Literal[Ground.OVER_LINE, Ground.REISSUED]
    phase: str
    line: int
    field: Field
    notice_id: str
    notice_version: str
    answer_window_seconds: int | None
    answer_by: datetime | None
    surfaces_at_stake: list[Surface]


class InvitationDelivered(_Event):
    """The notice reached the owner. The answer window runs from `delivered_at`."""

    event: Literal[Event.INVITATION_DELIVERED]
    reason: Literal[Ground.RECEIPT, Ground.ANSWER, Ground.PROJECTED]
    delivered_at: datetime
    deadline_at: datetime | None


class InvitationUndeliverable(_Event):
    """The notice did not reach the owner. A person must act; the account is not restricted."""

    event: Literal[Event.INVITATION_UNDELIVERABLE]
    reason: Literal[
        Ground.BLOCKED,
        Ground.INVALID,
        Ground.UNREACHABLE,
        Ground.OTHER,
    ]


class InvitationReminded(_Event):
    """The notifier may now remind the owner."""

    event: Literal[Event.INVITATION_REMINDED]
    reason: Literal[Ground.REMINDER]
    deadline_at: datetime


class InvitationExtended(_Event):
    """The owner's deadline is later than announced before."""

    event: Literal[Event.INVITATION_EXTENDED]
    reason: Literal[Ground.OPERATOR, Ground.PAUSE, Ground.POLICY]
    deadline_at: datetime


class InvitationExpired(_Event):
    """The deadline has passed without an answer, or after a refusal."""

    event: Literal[Event.INVITATION_EXPIRED]
    reason: Literal[Ground.NO_ANSWER, Ground.DECLINED]
    deadline_at: datetime


class InvitationCancelled(_Event):
    """The invitation no longer holds."""

    event: Literal[Event.INVITATION_CANCELLED]
    reason: Literal[
        Ground.LEFT,
        Ground.EXEMPTED,
        Ground.LABEL,
        Ground.CLOSED,
        Ground.OWNER_CHANGED,
        Ground.POLICY,
        Ground.OPERATOR,
        Ground.APPEAL,
    ]


class ConsentGranted(_Event):
    """The owner agreed to this notice version."""

    event: Literal[Event.CONSENT_GRANTED]
    reason: Literal[Ground.ANSWER, Ground.IN_TIME, Ground.LATE]
    notice_version: str
    answered_at: datetime


class ConsentDeclined(_Event):
    """The owner refused. The deadline stays."""

    event: Literal[Event.CONSENT_DECLINED]
    reason: Literal[Ground.ANSWER]
    answered_at: datetime


class ConsentWithdrawn(_Event):
    """The owner withdrew the consent: the display of the name ends. It causes no restriction."""

    event: Literal[Event.CONSENT_WITHDRAWN]
    reason: Literal[Ground.ANSWER]
    answered_at: datetime


class ConsentVoided(_Event):
    """The consent no longer holds, without an act of the owner: the display of the name ends."""

    event: Literal[Event.CONSENT_VOIDED]
    reason: Literal[Ground.CLOSED, Ground.OWNER_CHANGED, Ground.NOTICE]


class ThrottleApplied(_Event):
    """One surface is restricted, until `expires_at` at the latest, even without another event."""

    event: Literal[Event.THROTTLE_APPLIED]
    reason: Literal[Ground.NO_ANSWER, Ground.DECLINED]
    throttle_id: Identifier
    surface: Surface
    level: Level
    effective_at: datetime
    review_at: datetime
    expires_at: datetime
    statement: StatementOfReasons


class ThrottleRenewed(_Event):
    """A restriction was reviewed and stays. Only `review_at` changes."""

    event: Literal[Event.THROTTLE_RENEWED]
    reason: Literal[Ground.REVIEW]
    throttle_id: Identifier
    surface: Surface
    review_at: datetime


class ThrottleLifted(_Event):
    """The restriction of one surface has ended."""

    event: Literal[Event.THROTTLE_LIFTED]
    reason: Literal[
        Ground.GRANTED,
        Ground.LEFT,
        Ground.EXEMPTED,
        Ground.LABEL,
        Ground.CLOSED,
        Ground.OWNER_CHANGED,
        Ground.POLICY,
        Ground.OPERATOR,
        Ground.APPEAL,
        Ground.UNDELIVERABLE,
        Ground.ENDED,
    ]
    throttle_id: Identifier
    surface: Surface
    lifted_at: datetime


EVENT_MODELS: dict[Event, type[_Event]] = {
    Event.INVITATION_ISSUED: InvitationIssued,
    Event.INVITATION_DELIVERED: InvitationDelivered,
    Event.INVITATION_UNDELIVERABLE: InvitationUndeliverable,
    Event.INVITATION_REMINDED: InvitationReminded,
    Event.INVITATION_EXTENDED: InvitationExtended,
    Event.INVITATION_EXPIRED: InvitationExpired,
    Event.INVITATION_CANCELLED: InvitationCancelled,
    Event.CONSENT_GRANTED: ConsentGranted,
    Event.CONSENT_DECLINED: ConsentDeclined,
    Event.CONSENT_WITHDRAWN: ConsentWithdrawn,
    Event.CONSENT_VOIDED: ConsentVoided,
    Event.THROTTLE_APPLIED: ThrottleApplied,
    Event.THROTTLE_RENEWED: ThrottleRenewed,
    Event.THROTTLE_LIFTED: ThrottleLifted,
}

EVENT_REASONS: dict[Event, tuple[Ground, ...]] = {
    event: get_args(model.model_fields["reason"].annotation)
    for event, model in EVENT_MODELS.items()
}
"""The closed list of reasons of each event (schemas/CONTRACT.md, "Outputs")."""

CLOUDEVENT_HEADERS = (
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "ce_subject",
    "content-type",
)
"""Headers of every output record, CloudEvents 1.0 in Kafka's binary mode."""

__all__ = [
    "CLOUDEVENT_HEADERS",
    "EVENT_MODELS",
    "EVENT_REASONS",
    "EVENT_TOPIC",
]
