"""What a decision consists of: rows taken, with their effects and the events that they emit."""

from enum import IntEnum
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field

from schemas.enums import Event, Ground, Mode, Surface
from streams.core.lifecycle import Input

Machine = Literal["eligibility", "invitation", "throttle"]


class EventDraft(NamedTuple):
    """An event before it is numbered. `mode` decides topic and sequence; `data` is its own part."""

    event: Event
    reason: Ground
    mode: Mode
    data: dict[str, Any]
    surface: Surface | None = None
    ordinal: int | None = None
    """The number of the action in its cycle, if it is not simply one more."""


class RowChange(Struct, frozen=True, gc=False):
    """One row taken: what it sets, without a condition, on the account, the life and the cycle.

    `life_mode` names the life. `throttle` sets the restriction of the surface, or removes it if
    None. `ends_cycle`: the cycle is deleted after the events went out. `stale`: the word that led
    to the change is stale, and is counted as stale.
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
