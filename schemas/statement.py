"""The statement of reasons that every restriction carries.

It follows article 17 of the EU Digital Services Act and the fields of its Transparency Database
(deploy/statement-of-reasons.md). Facts are bands, never raw counts. There is no free text.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.enums import Field, LabelSource, Level, Surface

Band = Literal[
    "under-100000",
    "100000-499999",
    "500000-999999",
    "1000000-4999999",
    "5000000-9999999",
    "10000000-and-more",
]
Redress = Literal["grant-consent", "open-appeal", "ask-for-human-review"]


class _StatementPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Ground(_StatementPart):
    """The rule: the policy, its phase, and the notice that announced it.

    `exit_line`: the follower count below which no restriction begins and every one ends. It is null
    if a fall below it changes nothing, and in events of version 0.1.0.
    """

    policy_version: int
    policy_digest: str
    phase: str
    line: int
    exit_line: int | None = None
    notice_id: str
    notice_version: str
    impact_assessment: str | None


class Facts(_StatementPart):
    """The facts: the follower count as a band, the field, and who states the field.

    The count is the one at the issue of the invitation, and never below the line.
    """

    followers_band: Band
    field: Field
    field_source: LabelSource


class Restriction(_StatementPart):
    """The restriction: surface, level and dates."""

    surface: Surface
    level: Level
    effective_at: datetime
    review_at: datetime
    expires_at: datetime


class Automation(_StatementPart):
    """The degree of automation, in the words of the DSA database."""

    automated_detection: Literal["Yes"]
    automated_decision: Literal["AUTOMATED_DECISION_FULLY"]


class DsaFields(_StatementPart):
    """The restriction in the attribute names of the DSA Transparency Database, if they exist."""

    decision_visibility: list[Literal["DECISION_VISIBILITY_CONTENT_DEMOTED"]]
    decision_monetary: Literal["DECISION_MONETARY_SUSPENSION", "DECISION_MONETARY_OTHER"] | None
    decision_ground: Literal["DECISION_GROUND_INCOMPATIBLE_CONTENT"]
    account_type: Literal["ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"] | None
    source_type: Literal["SOURCE_VOLUNTARY"]
    puid: str


class StatementOfReasons(_StatementPart):
    """Why this account's reach or income on a surface is restricted, and what its owner can do."""

    ground: Ground
    facts: Facts
    delivered_at: datetime
    deadline_at: datetime
    answer: Literal["none", "declined"]
    restriction: Restriction
    automation: Automation
    redress: list[Redress]
    dsa: DsaFields
