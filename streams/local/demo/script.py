"""The words in which the demo's storylines are written: what is sent, when, and what must follow.

A `Story` is data about one account. Its steps wait for a time of the day (`At`) or for an event
that Byline emits about the account (`On`); the second kind is what a platform's own notifier and an
account's owner would do. `live` and `shadow` say which events must follow, in order.
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
    """Seconds after the day begins."""

    seconds: float


@dataclass(frozen=True, slots=True)
class On:
    """The `nth` event of a type about the account, and how many seconds later to act.

    `shadow`: an event in shadow; no notifier and no owner knows of it, it only times the script.
    """

    event: Event
    after: float = 0.3
    nth: int = 1
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """A time so many seconds after the input is sent."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FromDeadline:
    """A time so many seconds after (below zero: before) the deadline last told."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Covered:
    """One of the labels that the platform's policy maps to a covered field."""


@dataclass(frozen=True, slots=True)
class Exempt:
    """One of the labels that the platform's policy exempts."""


@dataclass(frozen=True, slots=True)
class LastInvitation:
    """The invitation that Byline last issued to the account."""


Value = str | int | bool | Later | FromDeadline | Covered | Exempt | LastInvitation


@dataclass(frozen=True, slots=True)
class Send:
    """One input. Platform, account and the topic's own time are filled in when it is sent.

    `fields` None is a tombstone; `happened` is the time of the input, which is otherwise now.
    """

    topic: InputName
    fields: Mapping[str, Value] | None
    happened: Later | FromDeadline | None = None

    @property
    def kind(self) -> str:
        """What it is, in a word or two: the topic and its closed word."""
        fields = self.fields or {}
        words = ("answer", "outcome", "change", "command", "cause", "switch")
        word = next((str(fields[name]) for name in words if name in fields), "")
        return f"{self.topic} {word}".strip() if self.fields is not None else f"{self.topic} none"


@dataclass(frozen=True, slots=True)
class Step:
    """A send and what it waits for."""

    when: At | On
    send: Send


@dataclass(frozen=True, slots=True)
class Story:
    """One account's day: `tells` in a sentence, and the events that must follow.

    Expected events are written `event:reason` without the topic's word, as `issued:over_line`;
    equal neighbours count once (surfaces), and a `?` at the end makes one optional.
    """

    name: str
    platform: str
    tells: str
    steps: tuple[Step, ...]
    live: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    account_id: str = field(default="")
    named: bool = True
    """Whether it is told by itself, or one of the crowd."""

    @property
    def key(self) -> str:
        """The account's Kafka key."""
        return f"{self.platform}:{self.account_id}"


def reading(followers: int, cause: Cause = Cause.ORGANIC) -> Send:
    """A follower count."""
    return Send("follower-counts", {"followers": followers, "cause": cause.value})


def label(category: Value | None = None, valid_for: float | None = None) -> Send:
    """A label, by default a covered one; `valid_for` seconds if it ends."""
    fields: dict[str, Value] = {"category": category or Covered(), "source": "verified"}
    if valid_for is not None:
        fields["valid_until"] = Later(valid_for)
    return Send("category-changes", fields)


def unlabel() -> Send:
    """A tombstone: the label is gone."""
    return Send("category-changes", None)


def change(what: Change) -> Send:
    """Something happened to the account."""
    return Send("account-changes", {"change": what.value})


def delivered() -> Send:
    """The notifier's receipt: the owner has the notice."""
    return _receipt({"outcome": Outcome.DELIVERED.value})


def failed(failure: Failure) -> Send:
    """The notifier's receipt: the notice bounced."""
    return _receipt({"outcome": Outcome.FAILED.value, "failure": failure.value})


def _receipt(fields: dict[str, Value]) -> Send:
    return Send("notice-receipts", {**fields, "invitation_id": LastInvitation()})


def says(answer: Answer, happened: Later | FromDeadline | None = None, bare: bool = False) -> Send:
    """The owner's word; `bare` leaves out which invitation it answers."""
    fields: dict[str, Value] = {"answer": answer.value}
    if not bare:
        fields["invitation_id"] = LastInvitation()
    return Send("consent-answers", fields, happened)


def control(
    command: Command,
    reason: ControlReason = ControlReason.OPERATOR_REQUEST,
    **more: Value,
) -> Send:
    """An operator's word on the account; its id is derived when it is sent."""
    fields: dict[str, Value] = {"command": command.value, "actor": "desk-3", "reason": reason.value}
    return Send("controls", {**fields, **more})


def switch(which: Switch, on: bool) -> Send:
    """A brake of the story's platform, pulled or released."""
    return Send(
        "switches",
        {"switch": which.value, "on": on, "actor": "desk-1", "reason": ControlReason.TEST.value},
    )
