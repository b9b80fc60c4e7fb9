"""The schema of a file of policy tests: inputs of accounts, and the events that must follow.

`byline policy test` runs such a file.

Times are durations after `start`, or RFC 3339. A text `$name` stands for a value of `each`, or of
the policy's `values`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, RootModel, StringConstraints
from pydantic import Field as Constraint

from schemas.enums import (
    MAX_FOLLOWERS,
    Answer,
    Cause,
    Change,
    Command,
    Event,
    Failure,
    Outcome,
    Switch,
)
from schemas.expected_events import expected_event
from schemas.inputs import TIME_PATTERN
from schemas.policy_file import DURATION_PATTERN

PLACEHOLDER = r"^\$[a-z_]+$"
Moment = Annotated[str, StringConstraints(pattern=rf"{DURATION_PATTERN}|{TIME_PATTERN}")]
When = Annotated[
    str, StringConstraints(pattern=rf"{DURATION_PATTERN}|{TIME_PATTERN}|{PLACEHOLDER}")
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Placeholder = Annotated[str, StringConstraints(pattern=PLACEHOLDER)]
Scalar = str | int | float | bool | None


def _key(means: str, **more: Any) -> Any:
    return Constraint(description=means, **more)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _as_events_are(schema: dict[str, Any]) -> None:
    schema.pop("anyOf")
    schema.update(expected_event())


class ExpectedEvent(RootModel[str | dict[str, Scalar | list[str]]]):
    """An expected event: `[AFTER] EVENT [WORD…]`, or its fields.

    A word is its surface, reason, mode or level.
    """

    model_config = ConfigDict(json_schema_extra=_as_events_are)


class Step(_Part):
    """Inputs at one instant. Those of the same instant are applied in the order of the topics."""

    at: When = _key("When it enters: a duration after `start`, or a time.")
    account: str | None = _key("The account; default: that of the test.", default=None)
    accounts: Annotated[int, Constraint(ge=1, le=10_000)] | Placeholder | None = _key(
        "The same for so many accounts: the account's id with -1, -2, ….", default=None
    )
    followers: Annotated[int, Constraint(ge=0, le=MAX_FOLLOWERS)] | Placeholder | None = _key(
        "A reading.", default=None
    )
    cause: Cause | None = _key("Why the count changed.", default=None)
    observed_at: When | None = _key(
        "When the reading or the label was true; default: when it enters.", default=None
    )
    label: str | None = _key("A label of the platform.", default=None)
    valid_until: When | None = _key("Until when the label is valid.", default=None)
    unlabel: Literal[True] | None = _key("The label is removed (a tombstone).", default=None)
    change: Change | None = _key("An account change.", default=None)
    receipt: Outcome | None = _key("The notifier's word on the newest invitation.", default=None)
    failure: Failure | None = _key("Why the notice did not reach its owner.", default=None)
    answer: Answer | None = _key("The owner's word.", default=None)
    notice_version: str | None = _key("The notice that the answer names.", default=None)
    names_invitation: bool | None = _key(
        "Whether the answer names the newest invitation.", default=None
    )
    said_at: When | None = _key(
        "When the receipt, answer, change, control or switch was said; default: when it enters.",
        default=None,
    )
    control: Command | None = _key("An operator's word on the account.", default=None)
    reason: str | None = _key("The control's reason; default: test.", default=None)
    until: When | None = _key("The date of an `extend`.", default=None)
    expires_at: When | None = _key("When a hold ends by itself.", default=None)
    switch: Switch | None = _key("A switch of this platform.", default=None)
    on: bool | None = _key("Whether the switch is turned on; default: true.", default=None)
    refused: Literal["consent-answers", "account-changes", "controls"] | None = _key(
        "A record of this topic that is refused for its form.", default=None
    )
    policy: Name | list[Name] | None = _key(
        "Another policy is taken up: the file under these blocks of `with`.", default=None
    )


class Life(_Part):
    """One test: inputs at their times, and the events that must follow."""

    name: str = _key("A sentence that says what must hold.", min_length=1)
    policies: Annotated[list[Name], Constraint(min_length=1)] | None = _key(
        "Only for these policies of the file.", default=None
    )
    start: Moment | None = _key("The instant of PT0S; default: the file's.", default=None)
    under: Name | list[Name] | None = _key(
        "The policy under these blocks of `with`; default: as it stands.", default=None
    )
    each: Annotated[list[dict[Name, Scalar]], Constraint(min_length=1)] | None = _key(
        "The test runs once for each, with `$name` replaced.", default=None
    )
    account: str | None = _key("The account's id; default: account.", default=None)
    partitions: Annotated[int, Constraint(ge=1, le=10**9)] | None = _key(
        "The caps are shared out over so many partitions; the test leads number 0.", default=None
    )
    given: str | None = _key(
        "Steps of the file's `given` that come first. What follows from them is not compared.",
        default=None,
    )
    steps: list[Step] = _key("What happens, in order.", default_factory=list)
    until: When | None = _key("Until when time passes; default: the last step.", default=None)
    events: list[ExpectedEvent] | None = _key(
        "Exactly these events follow, in order.", default=None
    )
    include: list[ExpectedEvent] | None = _key("These are among them, in order.", default=None)
    never: list[ExpectedEvent] | None = _key("None of them is one of these.", default=None)
    counts: dict[Event, Annotated[int, Constraint(ge=0)]] | None = _key(
        "How many of each event follow.", default=None
    )
    refused: Annotated[int, Constraint(ge=0)] | Placeholder | None = _key(
        "How many of the inputs are refused; default: those of the steps with `refused`.",
        default=None,
    )


class TestedPolicy(_Part):
    """A policy file and the values that tests name for it."""

    __test__ = False

    file: str = _key("The policy file, relative to this one.")
    values: dict[Name, Scalar] = _key("What `$name` stands for.", default_factory=dict)


class PolicyTests(_Part):
    """A file of policy tests."""

    policy: str | None = _key("The policy file, relative to this one.", default=None)
    policies: Annotated[dict[Name, TestedPolicy], Constraint(min_length=1)] | None = _key(
        "Several policy files; every test runs for each. Not with `policy`.", default=None
    )
    start: Moment = _key("The instant of PT0S: RFC 3339.")
    blocks: dict[Name, dict[str, Any]] | None = _key(
        "Named parts of a policy that tests lay over the file: keys of a policy, merged.",
        alias="with",
        default=None,
    )
    given: dict[Name, list[Step]] | None = _key(
        "Beginnings that tests share: steps by name.", default=None
    )
    tests: list[Life] = _key("The tests.", min_length=1)
