"""The parts of a decision: transitions (rows of lifecycle.py), their effects and their events."""

from enum import IntEnum
from typing import Any, Literal

from msgspec import Struct, field

from schemas.enums import Event, Ground, Mode, Surface
from streams.core.lifecycle import Input

Machine = Literal["eligibility", "invitation", "throttle"]


class EventDraft(Struct, frozen=True, gc=False):
    """An event before it has an id and a sequence number.

    `mode` decides its topic and its sequence. `data` holds the fields that only this type has.
    """

    event: Event
    reason: Ground
    mode: Mode
    data: dict[str, Any]
    surface: Surface | None = None
    ordinal: int | None = None
    """The number of the action in its cycle; None: the next one."""


class RowChange(Struct, frozen=True, gc=False):
    """One transition, with the fields that it sets on the account, the life and the cycle.

    `life_mode` selects the life. `throttle` becomes the restriction of `surface`; None removes it.
    `ends_cycle`: the cycle is deleted once the events are sent. `counts`: the event type that the
    change counts against a cap. `stale`: the input that led to the change is counted as stale.
    """

    machine: Machine
    before: IntEnum
    input: Input
    after: IntEnum
    drafts: tuple[EventDraft, ...] = ()
    account: dict[str, Any] = field(default_factory=dict)
    life_mode: Mode = Mode.ENFORCE
    life: dict[str, Any] = field(default_factory=dict)
    cycle: dict[str, Any] = field(default_factory=dict)
    surface: Surface | None = None
    throttle: Any = None
    ends_cycle: bool = False
    counts: Event | None = None
    stale: bool = False
