"""The types of the demo's storylines: what is sent, when, and which events must follow.

A `Story` is the script of one account. Its steps wait for a time of the day (`At`) or for an event
that Byline emits about the account (`On`), as a platform's notifier and an account's owner do.
`live` and `shadow` list the events that must follow, in order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.enums import (
    Answer,
    Cause,
    Change,
    Command,
    ControlReason,
    Event,
    Failure,
    Outcome,
    Switch,
)
from schemas.inputs import InputName


@dataclass(frozen=True, slots=True)
class At:
    """A step's time: seconds after the day begins."""

    seconds: float


@dataclass(frozen=True, slots=True)
class On:
    """A step's trigger: `after` seconds after the `nth` event of a type about the account.

    `shadow`: a shadow event; it only triggers steps that no notifier or owner would do.
    """

    event: Event
    after: float = 0.3
    nth: int = 1
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """A time value: this many seconds after the input is sent."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FromDeadline:
    """A time value: this many seconds after (below zero: before) the last communicated deadline."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Covered:
    """A label value: one that the platform's policy maps to a covered field."""


@dataclass(frozen=True, slots=True)
class Exempt:
    """A label value: one that the platform's policy exempts."""


@dataclass(frozen=True, slots=True)
class LastInvitation:
    """A value: the id of the invitation that Byline last issued to the account."""


Value = str | int | bool | Later | FromDeadline | Covered | Exempt | LastInvitation


@dataclass(frozen=True, slots=True)
class Send:
    """An input to send. Platform, account and time are filled in when it is sent.

    `fields`: None is a tombstone. `happened`: the time that the input states; None: the present.
    """

    topic: InputName
    fields: Mapping[str, Value] | None
    happened: Later | FromDeadline | None = None

    @property
    def kind(self) -> str:
        """The kind of input: topic and enum value, for instance `consent-answers granted`."""
        fields = self.fields or {}
        words = ("answer", "outcome", "change", "command", "cause", "switch")
        word = next((str(fields[name]) for name in words if name in fields), "")
        return f"{self.topic} {word}".strip() if self.fields is not None else f"{self.topic} none"


@dataclass(frozen=True, slots=True)
class Step:
    """An input, and the time or event that it waits for."""

    when: At | On
    send: Send


@dataclass(frozen=True, slots=True)
class Story:
    """The script of one account's day. `tells`: a description for the display.

    `live` and `shadow`: the expected events, as `event:reason` without the topic's part, for
    instance `issued:over_line`. Adjacent equal events (of several surfaces) are written once, and a
    `?` at the end makes an event optional.
    """

    name: str
    platform: str
    tells: str
    steps: tuple[Step, ...]
    live: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    account_id: str = field(default="")
    named: bool = True
    """Whether it is a named storyline, and not one of the crowd."""

    @property
    def key(self) -> str:
        """The account's Kafka key."""
        return f"{self.platform}:{self.account_id}"


def reading(followers: int, cause: Cause = Cause.ORGANIC) -> Send:
    """Makes an input with a follower count."""
    return Send("follower-counts", {"followers": followers, "cause": cause.value})


def label(category: Value | None = None, valid_for: float | None = None) -> Send:
    """Makes an input with a label, by default a covered one; `valid_for`: seconds until its end."""
    fields: dict[str, Value] = {"category": category or Covered(), "source": "verified"}
    if valid_for is not None:
        fields["valid_until"] = Later(valid_for)
    return Send("category-changes", fields)


def unlabel() -> Send:
    """Makes a tombstone that removes the label."""
    return Send("category-changes", None)


def change(what: Change) -> Send:
    """Makes an input with an account change."""
    return Send("account-changes", {"change": what.value})


def delivered() -> Send:
    """Makes the notifier's receipt `delivered`."""
    return _receipt({"outcome": Outcome.DELIVERED.value})


def failed(failure: Failure) -> Send:
    """Makes the notifier's receipt `failed`."""
    return _receipt({"outcome": Outcome.FAILED.value, "failure": failure.value})


def _receipt(fields: dict[str, Value]) -> Send:
    return Send("notice-receipts", {**fields, "invitation_id": LastInvitation()})


def says(answer: Answer, happened: Later | FromDeadline | None = None, bare: bool = False) -> Send:
    """Makes the owner's answer. `happened`: its time. `bare`: it names no invitation."""
    fields: dict[str, Value] = {"answer": answer.value}
    if not bare:
        fields["invitation_id"] = LastInvitation()
    return Send("consent-answers", fields, happened)


def control(
    command: Command,
    reason: ControlReason = ControlReason.OPERATOR_REQUEST,
    **more: Value,
) -> Send:
    """Makes an operator's control with the further fields `more`; its id is set when it is sent."""
    fields: dict[str, Value] = {"command": command.value, "actor": "desk-3", "reason": reason.value}
    return Send("controls", {**fields, **more})


def switch(which: Switch, on: bool) -> Send:
    """Makes an input that turns a switch of the storyline's platform on or off."""
    return Send(
        "switches",
        {"switch": which.value, "on": on, "actor": "desk-1", "reason": ControlReason.TEST.value},
    )
