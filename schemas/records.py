"""What Byline keeps for people: decisions, and dead letters.

A decision record is canonical JSON (RFC 8785: sorted keys, no white space, integers only).
`previous` and `hash` chain the records of a partition. `hash` is the SHA-256, in hex, of the record
without `hash`.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Constraint

from schemas.enums import ControlReason, Event, Mode, Refused, Surface, Switch
from schemas.inputs import Actor, Identifier

Hex64 = Annotated[str, Constraint(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeadLetter(_Record):
    """An input that was refused: where it came from and why, never what it said.

    `field` is the name of the contract's field at fault, if there is one; it is from a closed list.
    `last_offset` is the last one of a batch that cannot be unpacked (`unreadable_batch`); `offset`
    is its first.
    """

    topic: str
    partition: int
    offset: int
    last_offset: int | None = None
    timestamp: datetime
    reason: Refused
    field: str | None
    value_digest: Hex64 | None
    value_bytes: int
    refused_at: datetime


class Settlement(_Record):
    """A person has seen to a dead letter: what lay there was sent again, or dismissed.

    Stands in the topic of dead letters under the letter's own key. `topic`, `partition`, `offset`
    are those of the refused input, as the letter names it. One that is `redriven` is part of the
    transaction that sent the record again; `changed`: a program of the operator's has changed it.
    """

    settled: Literal["redriven", "dismissed"]
    topic: str
    partition: int
    offset: int
    actor: Actor
    reason: ControlReason
    at: datetime
    changed: bool = False


class InputCause(_Record):
    """The record that caused a decision."""

    topic: str
    offset: int


class TimerCause(_Record):
    """The timer that caused a decision: its kind and the instant at which it was due."""

    timer: str
    due_at: datetime


class PolicyCause(_Record):
    """A policy or switch changed, or the partition was opened: evaluated again."""

    changed: Literal["policy", "switch", "opening"]


class Transition(_Record):
    """One row of a lifecycle table that was taken."""

    machine: Literal["eligibility", "invitation", "throttle"]
    from_state: str
    input: str
    to_state: str
    surface: Surface | None


class EmittedEvent(_Record):
    """An event that went out in the same transaction."""

    event_id: Identifier
    event: Event
    mode: Mode
    sequence: int
    reason: str
    surface: Surface | None


class Deferral(_Record):
    """An adverse event that waits, and what it waits for."""

    event: Event
    by: list[str]


class _Chained(_Record):
    number: Annotated[int, Constraint(ge=1)]
    partition: int
    previous: Hex64
    hash: Hex64
    now: datetime


class Decision(_Chained):
    """What one cause did to one account. `ignored` says why an input changed nothing."""

    kind: Literal["decision"]
    platform: str
    account_id: str
    policy_version: int | None
    policy_digest: str | None
    cause: InputCause | TimerCause | PolicyCause
    facts: dict[str, str | int | bool | None]
    transitions: list[Transition]
    events: list[EmittedEvent]
    deferrals: list[Deferral]
    ignored: str | None


class Step(_Record):
    """Inputs that were applied together at `now`: by topic the first offset, and the next to come.

    Neighbouring steps without effect are joined.
    """

    now: datetime
    reads: dict[str, tuple[int, int]]


class Round(_Record):
    """A round of timers at `now`: `looked` accounts that were due by `as_of`, in due order.

    `more`: others were due too, and had to wait until inputs had their turn. `favourable_only`:
    adverse timers waited, because the topics had not been looked at since.
    """

    now: datetime
    as_of: datetime
    looked: int
    more: bool
    favourable_only: bool = False


class TransactionRecord(_Chained):
    """Closes a transaction that changed state or wrote something: how far each input was read.

    `steps`: what was read together; state depends on it, so a replay follows it. `opened_at`: when
    a worker opened the partition, in its first transaction. `edition`: the edition of the contract
    whose rules and order of topics were applied. `cluster_changed`: since when the cluster is known
    to have changed, so that adverse events wait.
    """

    kind: Literal["transaction"]
    edition: Literal[1, 2] = 1
    opened_at: datetime | None = None
    cluster_changed: datetime | None = None
    reads: dict[str, int]
    steps: list[Step | Round]


class PolicyRecord(_Chained):
    """From here on the partition works under these policies: platform to version and digest."""

    kind: Literal["policies"]
    policies: dict[str, str]


class SwitchRecord(_Chained):
    """A switch was turned. `cause` is its record in the topic of switches."""

    kind: Literal["switch"]
    scope: str
    switch: Switch
    on: bool
    reason: ControlReason
    actor: Actor
    issued_at: datetime
    cause: InputCause


class RefusalGuardRecord(_Chained):
    """The refusal guard of a platform tripped in this partition.

    schemas/CONTRACT.md, "The refusal guard".

    `refused`: how many refused records were counted; 1 for a word whose account is not certain,
    which trips the guard at once. `cause`: the refused record. A switch record `refusals_settled`
    ends it.
    """

    kind: Literal["refusal_guard"]
    platform: str
    reason: Refused
    refused: int
    cause: InputCause


RECORD_MODELS: dict[str, type[_Chained]] = {
    "decision": Decision,
    "transaction": TransactionRecord,
    "policies": PolicyRecord,
    "switch": SwitchRecord,
    "refusal_guard": RefusalGuardRecord,
}
"""Every kind of record in the decision log."""
