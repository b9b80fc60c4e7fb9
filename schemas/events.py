"""The outputs: the value of each event. Its envelope is in CloudEvents headers.

schemas/CONTRACT.md, "Outputs".
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Constraint

from schemas.enums import EVENT_REASONS, Event, Field, Level, Mode, Surface
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


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

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
    """The notifier must show the notice. A null `answer_window_seconds` exists in shadow only."""

    event: Literal[Event.INVITATION_ISSUED]
    reason: Literal["over_line", "reissued"]
    phase: str
    line: int
    field: Field
    notice_id: str
    notice_version: str
    answer_window_seconds: int | None
    answer_by: datetime | None
    surfaces_at_stake: list[Surface]


class InvitationDelivered(_Event):
    """Notice reached the owner. The answer window runs from here."""

    event: Literal[Event.INVITATION_DELIVERED]
    reason: Literal["receipt", "answer", "projected"]
    delivered_at: datetime
    deadline_at: datetime | None


class InvitationUndeliverable(_Event):
    """Notice did not reach the owner. A work-list for people; such an account is not restricted."""

    event: Literal[Event.INVITATION_UNDELIVERABLE]
    reason: Literal["blocked", "invalid", "unreachable", "other"]


class InvitationReminded(_Event):
    """The notifier may now remind the owner."""

    event: Literal[Event.INVITATION_REMINDED]
    reason: Literal["reminder"]
    deadline_at: datetime


class InvitationExtended(_Event):
    """The owner has longer than was said before."""

    event: Literal[Event.INVITATION_EXTENDED]
    reason: Literal["operator", "pause", "policy"]
    deadline_at: datetime


class InvitationExpired(_Event):
    """The deadline passed with no answer, or after a refusal."""

    event: Literal[Event.INVITATION_EXPIRED]
    reason: Literal["no_answer", "declined"]
    deadline_at: datetime


class InvitationCancelled(_Event):
    """The invitation is void."""

    event: Literal[Event.INVITATION_CANCELLED]
    reason: Literal[
        "left", "exempted", "label", "closed", "owner_changed", "policy", "operator", "appeal"
    ]


class ConsentGranted(_Event):
    """The owner agreed to this notice version."""

    event: Literal[Event.CONSENT_GRANTED]
    reason: Literal["answer", "in_time", "late"]
    notice_version: str
    answered_at: datetime


class ConsentDeclined(_Event):
    """The owner refused. The window is not shortened by it."""

    event: Literal[Event.CONSENT_DECLINED]
    reason: Literal["answer"]
    answered_at: datetime


class ConsentWithdrawn(_Event):
    """The owner withdraws the consent: the display ends. Nothing is restricted by this."""

    event: Literal[Event.CONSENT_WITHDRAWN]
    reason: Literal["answer"]
    answered_at: datetime


class ConsentVoided(_Event):
    """The consent no longer holds, although the owner did nothing: the display ends."""

    event: Literal[Event.CONSENT_VOIDED]
    reason: Literal["closed", "owner_changed", "notice"]


class ThrottleApplied(_Event):
    """One surface is restricted. At `expires_at` it is free, even without a further event."""

    event: Literal[Event.THROTTLE_APPLIED]
    reason: Literal["no_answer", "declined"]
    throttle_id: Identifier
    surface: Surface
    level: Level
    effective_at: datetime
    review_at: datetime
    expires_at: datetime
    statement: StatementOfReasons


class ThrottleRenewed(_Event):
    """Reviewed and kept. Only `review_at` moves."""

    event: Literal[Event.THROTTLE_RENEWED]
    reason: Literal["review"]
    throttle_id: Identifier
    surface: Surface
    review_at: datetime


class ThrottleLifted(_Event):
    """One surface is free again."""

    event: Literal[Event.THROTTLE_LIFTED]
    reason: Literal[
        "granted",
        "left",
        "exempted",
        "label",
        "closed",
        "owner_changed",
        "policy",
        "operator",
        "appeal",
        "undeliverable",
        "ended",
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
