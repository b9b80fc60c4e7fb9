"""The schema of a policy file, for editors and for `byline policy explain`.

schemas/CONTRACT.md, "Policies". It gives each key with its unit and who decides its value. The
loader (streams/policies) reads the file itself, reports errors with line and fix, and also checks
relations between keys, which a JSON Schema cannot express. A test compares the two.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Constraint

from schemas.enums import MAX_CATEGORY_LENGTH, MAX_FOLLOWERS, Field, Level, Mode, Surface
from schemas.inputs import TIME_PATTERN, Actor, Identifier, Platform

MAX_COUNT = 10**9
_CLOCK = r"T([0-9]{1,9}H([0-9]{1,9}M)?([0-9]{1,12}S)?|[0-9]{1,9}M([0-9]{1,12}S)?|[0-9]{1,12}S)"
DURATION_PATTERN = rf"^P([0-9]{{1,9}}W|[0-9]{{1,9}}D({_CLOCK})?|{_CLOCK})$"

Source = Literal["announced", "operator", "byline"]
SOURCES: dict[Source, str] = {
    "announced": "what the platform announced; null while it has not",
    "operator": "the operator's choice",
    "byline": "Byline's own bookkeeping",
}
"""Who decides a key's value."""

_DURATION = "ISO 8601, days to seconds"
_COUNT = "followers"

Duration = Annotated[str, StringConstraints(pattern=DURATION_PATTERN)]
Instant = Annotated[
    str,
    StringConstraints(pattern=TIME_PATTERN),
    Constraint(json_schema_extra={"format": "date-time"}),
]
Ratio = Annotated[float, Constraint(gt=0, le=1)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CATEGORY_LENGTH)]
Count = Annotated[int, Constraint(ge=0, le=MAX_COUNT)]
Positive = Annotated[int, Constraint(ge=1, le=MAX_COUNT)]


def _key(means: str, source: Source, unit: str | None = None, **more: Any) -> Any:
    extra: dict[str, Any] = {"x-source": source}
    if unit is not None:
        extra["x-unit"] = unit
    return Constraint(description=means, json_schema_extra=extra, **more)


class _PolicyPart(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class NoticePart(_PolicyPart):
    """The notice to the owner, and the answer window."""

    id: Identifier = _key("Names the notice that invites; it stands in every event.", "operator")
    version: Identifier = _key(
        "The version of the notice's text. No two notices of a platform share one.", "operator"
    )
    renew: bool = _key(
        "true: a new version voids the consents to older ones, and asks again.",
        "operator",
        default=False,
    )
    answer_window: Duration | None = _key(
        "How long the owner has from the delivery of the notice. Pinned at issue; a longer one"
        " counts at once. null: not announced, and then nothing expires and enforce is refused.",
        "announced",
        _DURATION,
    )
    reminders: list[Duration] | None = _key(
        "How long before the deadline the owner is reminded; at most ten.",
        "operator",
        _DURATION,
        default=None,
    )


class PhasePart(_PolicyPart):
    """A follower line that applies from an instant on."""

    name: Identifier = _key(
        "Names the phase. A phase is known by its name: renamed is withdrawn.", "operator"
    )
    followers: int = _key(
        "The line: an account with so many followers or more is in the phase's area.",
        "announced",
        _COUNT,
        ge=1,
        le=MAX_FOLLOWERS,
    )
    starts_at: Instant | None = _key(
        "When the phase begins. null: no date was announced; the phase is not in force, but counts"
        " for the floor.",
        "announced",
        "RFC 3339 with an offset",
        alias="from",
    )
    answer_by: Instant | None = _key(
        "A date before which no answer is due, whenever the notice was delivered.",
        "announced",
        "RFC 3339 with an offset",
        default=None,
    )
    mode: Mode | None = _key(
        "The phase's own mode; the weaker of it and the policy's counts.", "operator", default=None
    )


class FieldsPart(_PolicyPart):
    """The mapping of the platform's labels to fields, and the fields that the rule covers."""

    covered: Literal["any"] | list[Field] = _key(
        "The fields that the rule covers; any: every field. A label outside the map is not covered"
        " either way.",
        "announced",
    )
    labels: dict[Label, Field] | None = _key(
        "What each of the platform's own labels means. Compared after NFKC, without invisible"
        " characters.",
        "operator",
    )
    exempt_labels: list[Label] | None = _key(
        "Labels of which the operator states that they are not covered, such as daily life.",
        "announced",
    )


class StabilityPart(_PolicyPart):
    """The waiting times that keep short changes of the follower count from having an effect."""

    dwell: Duration = _key(
        "How long all conditions hold before an account is inside. PT0S: at once.",
        "operator",
        _DURATION,
    )
    exit_ratio: Ratio = _key(
        "An invited account leaves when its count is below line x exit_ratio. It also sets the"
        " floor, below which no count is kept.",
        "operator",
        "a ratio above 0, at most 1",
    )
    leave_after: Duration = _key(
        "How long an invited account stays below the exit line until it is outside.",
        "operator",
        _DURATION,
    )
    cool_down: Duration = _key("How long after a cycle no new one begins.", "operator", _DURATION)
    max_age: Duration | None = _key(
        "Facts older than this hold adverse events back until a fresh reading. Absent: no limit.",
        "operator",
        _DURATION,
        default=None,
    )


class RestrictionPart(_PolicyPart):
    """A restriction on a surface that has its own mode, besides the mode of the policy."""

    level: Level = _key("How strong: limited is milder than off.", "operator")
    mode: Mode | None = _key(
        "The surface's own mode; the weakest of it, the phase's and the policy's counts.",
        "operator",
        default=None,
    )


class ConsequencePart(_PolicyPart):
    """The restrictions that follow a refusal or no answer."""

    surfaces: dict[Surface, Level | RestrictionPart] | None = _key(
        "What is restricted, and how strongly. null: not announced, and enforce is refused.",
        "announced",
    )
    on: list[Literal["declined", "no_answer"]] | None = _key(
        "Which answers a restriction follows. null or empty: none.", "announced"
    )
    review_after: Duration = _key(
        "How long after its start, and after each review, a restriction is reviewed.",
        "operator",
        _DURATION,
    )
    expires_after: Duration = _key("How long a restriction lasts at most.", "operator", _DURATION)


class CapsPart(_PolicyPart):
    """The most events per period; further ones wait."""

    invitations_per_day: Count = _key(
        "Invitations of the platform a day, Asia/Shanghai, shared out over the partitions.",
        "operator",
        "invitations a day",
    )
    throttles_per_hour: Count = _key(
        "Accounts of the platform that are restricted in an hour, shared out over the partitions.",
        "operator",
        "accounts an hour",
    )


class GuardsPart(_PolicyPart):
    """Rates above which the platform's adverse events stop by themselves, in each partition."""

    window: Duration = _key("Over how long each rate is counted.", "operator", _DURATION)
    minimum: Positive = _key("So many cases are needed before a guard judges.", "operator", "cases")
    undelivered_ratio: Ratio | None = _key(
        "Failed deliveries among invitations.", "operator", "a ratio", default=None
    )
    overturned_ratio: Ratio | None = _key(
        "Appeals upheld among appeals decided.", "operator", "a ratio", default=None
    )
    sudden_eligible_ratio: Ratio | None = _key(
        "Accounts that become eligible among those tracked.", "operator", "a ratio", default=None
    )
    sudden_drop_ratio: Ratio | None = _key(
        "Accounts that lose over half of their followers among those tracked.",
        "operator",
        "a ratio",
        default=None,
    )


class ApprovalPart(_PolicyPart):
    """Who approved this version, and when."""

    actor: Actor = _key("The id of who approved.", "operator")
    at: Instant = _key("When.", "operator", "RFC 3339 with an offset")


class PolicyFile(_PolicyPart):
    """A policy of Byline: one YAML file per platform."""

    platform: Platform = _key("The platform; the file is named after it.", "byline")
    version: Positive = _key("Counts up with each change of the rule.", "operator")
    mode: Mode = _key(
        "off: nothing; shadow: decide, write to the shadow topics, touch nobody; enforce. A phase"
        " or surface may be weaker.",
        "operator",
    )
    notice: NoticePart = _key("What the owner is told, and how long there is.", "operator")
    impact_assessment: str | None = _key(
        "The reference of the operator's own assessment: one word, no @. null: enforce is refused.",
        "operator",
    )
    approvals: list[ApprovalPart] | None = _key(
        "Who approved; REQUIRE_APPROVALS asks for two actors before enforce.",
        "operator",
        default=None,
    )
    phases: list[PhasePart] = _key(
        "The follower lines and when each begins; a later one is lower.", "announced", min_length=1
    )
    fields: FieldsPart = _key("Which labels are covered.", "announced")
    stability: StabilityPart = _key("When an account enters and leaves.", "operator")
    consequence: ConsequencePart = _key("What follows refusal or silence.", "announced")
    on_fall_below: Literal["close", "keep"] = _key(
        "close: an invited account that falls below the exit line leaves; keep: falling changes"
        " nothing.",
        "operator",
    )
    caps: CapsPart = _key("How much may happen at most.", "operator")
    rollout_percent: int = _key(
        "The share of accounts that may be invited. Sticky: raising it keeps those already in.",
        "operator",
        "per cent",
        ge=0,
        le=100,
    )
    guards: GuardsPart | None = _key(
        "Rates that stop this platform's adverse events by themselves. Absent: none.",
        "operator",
        default=None,
    )
