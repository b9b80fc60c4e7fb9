"""The records of the decision log and of the topic of dead letters.

A record of the decision log is canonical JSON (RFC 8785: sorted keys, no white space, integers
only). `hash` is the SHA-256, in hex, of the record without `hash`; `previous` is the `hash` of the
partition's record before.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Constraint

from schemas.enums import ControlReason, Event, Mode, Refused, Surface, Switch
from schemas.inputs import Actor, Identifier

Hex64 = Annotated[str, Constraint(pattern=r"^[0-9a-f]{64}$")]
Hex8 = Annotated[str, Constraint(pattern=r"^[0-9a-f]{8}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class DeadLetter(_Record):
    """A refused input: where it is and why it was refused, never its content.

    `field`: the contract's field at fault, if there is one. `last_offset`: only for a batch that
    cannot be unpacked (`unreadable_batch`), its last offset; `offset` is its first. `digest_key`:
    the name of the `ID_KEY` under which `value_digest` is an HMAC-SHA-256; without one it is the
    SHA-256 of the value. `cure`: what the producer has to set (schemas/cures.py), where one setting
    of a client is the cause; letters of versions up to 0.2.0 have none.
    """

    topic: str
    partition: int
    offset: int
    last_offset: int | None = None
    timestamp: datetime
    reason: Refused
    field: str | None
    value_digest: Hex64 | None
    digest_key: Hex8 | None = None
    value_bytes: int
    refused_at: datetime
    cure: str | None = None


class Settlement(_Record):
    """A mark that a person has handled a dead letter: the record was sent again, or dismissed.

    It is in the topic of dead letters, under the letter's key. `topic`, `partition` and `offset`
    are those of the refused input. With `redriven`, it is written in the transaction that sends the
    record again; `changed`: a program of the operator changed the record before.
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
    """A changed policy or switch, or the opening of the partition, that caused a decision."""

    changed: Literal["policy", "switch", "opening"]


class Transition(_Record):
    """A transition of one state machine (streams/core/lifecycle.py)."""

    machine: Literal["eligibility", "invitation", "throttle"]
    from_state: str
    input: str
    to_state: str
    surface: Surface | None


class EmittedEvent(_Record):
    """An event that was sent in the same transaction."""

    event_id: Identifier
    event: Event
    mode: Mode
    sequence: int
    reason: str
    surface: Surface | None


class Deferral(_Record):
    """An adverse event that is deferred, with the reasons."""

    event: Event
    by: list[str]


class _Chained(_Record):
    number: Annotated[int, Constraint(ge=1)]
    partition: int
    previous: Hex64
    hash: Hex64
    now: datetime


class Decision(_Chained):
    """What one input or timer did to one account. `ignored`: why an input changed nothing."""

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
    """Inputs that were applied together at `now`.

    `reads`: by topic, the first offset applied and the offset to read next. Adjacent steps without
    effect are joined.
    """

    now: datetime
    reads: dict[str, tuple[int, int]]


class Round(_Record):
    """A round of timers at `now`.

    `looked`: the number of evaluated accounts, of those due by `as_of`, in due order. `more`:
    further due accounts were left for the next round. `favourable_only`: adverse timers waited,
    because the ends of the topics were not looked up since `as_of`.
    """

    now: datetime
    as_of: datetime
    looked: int
    more: bool
    favourable_only: bool = False


class TransactionRecord(_Chained):
    """The last record of a transaction that changed state or wrote something.

    `reads`: by topic, the offset to read next. `steps`: the steps and rounds of timers, in order;
    a replay repeats them. `opened_at`: when a worker opened the partition, in its first transaction
    only. `edition`: the edition of the contract whose rules and order of topics were applied.
    `cluster_changed`: when the cluster was seen to have changed, so that adverse events wait.
    """

    kind: Literal["transaction"]
    edition: Literal[1, 2] = 1
    opened_at: datetime | None = None
    cluster_changed: datetime | None = None
    reads: dict[str, int]
    steps: list[Step | Round]


class PolicyRecord(_Chained):
    """The policies that a partition uses from now on: by platform, version and digest."""

    kind: Literal["policies"]
    policies: dict[str, str]


class SwitchRecord(_Chained):
    """A switch was turned on or off. `cause` is its record in the topic `switches`."""

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

    `refused`: the number of refused records; 1 for a record of a person whose account is not
    certain, which trips the guard at once. `cause`: the last refused record. A switch record
    `refusals_settled` ends the deferral.
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
