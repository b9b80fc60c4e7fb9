"""What people's words leave in force: holds and brakes, as the core has them.

Read from controls, switches and dead letters alone. A refused record counts for nothing, a control
alike in every field counts once, and a second hold moves the end of the first only later, as the
core's own `begin_hold` says.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import ValidationError

from schemas.enums import Command, ControlReason, Switch
from schemas.inputs import Control, SwitchChange, input_key
from schemas.topics import DEAD_LETTERS
from streams.core.inputs.heard import word_of
from streams.core.limits.switches import EVERYWHERE, Switches
from streams.core.model.account import Hold
from streams.core.rules.facts import begin_hold
from streams.operate.audit.happened import bare, plain_of
from streams.operate.audit.records import Record, stamp


class ParsedControl(NamedTuple):
    """A control that is as published, and where it lies."""

    place: str
    control: Control


@dataclass(slots=True)
class HoldInForce:
    """What is in force for one account, control after control. Times in milliseconds."""

    hold: Hold | None = None
    _heard: set[Control] = field(default_factory=set)

    def hear(self, control: Control) -> bool:
        """Take the next control of the account; False when one like it was heard before."""
        if control in self._heard:
            return False
        self._heard.add(control)
        issued_at = stamp(control.issued_at)
        if control.command is Command.HOLD:
            ends = None if control.expires_at is None else stamp(control.expires_at)
            self.hold = begin_hold(self.hold_at(issued_at), issued_at, ends)
        elif control.command is Command.UNHOLD and control.reason is not ControlReason.APPEAL:
            self.hold = None
        return True

    def hold_at(self, at: int) -> Hold | None:
        """The hold that is in force at an instant."""
        ends = None if self.hold is None else self.hold.expires_at
        return None if ends is not None and ends <= at else self.hold


def parsed_control(record: Record) -> ParsedControl | None:
    """A record of the controls; None when it is not as published or its key is another's."""
    try:
        control = Control.model_validate_json(record.value or b"")
    except ValidationError:
        return None
    if record.key != input_key("controls", control).encode():
        return None
    return ParsedControl(record.place, control)


def refused_place(record: Record) -> str | None:
    """The place of the input that a dead letter refused, such as `controls[3]@17`."""
    plain = plain_of(record)
    if record.topic != DEAD_LETTERS.name or not {"topic", "partition", "offset"} <= plain.keys():
        return None
    return f"{bare(str(plain['topic']))}[{plain['partition']}]@{plain['offset']}"


@dataclass(slots=True)
class SwitchesInForce:
    """The switches. Feed it switches and dead letters in any order, each topic in its own."""

    _turned: list[tuple[Record, SwitchChange]] = field(default_factory=list)
    _refused: set[str] = field(default_factory=set)

    def feed(self, record: Record) -> None:
        """Take a record of the switches or a dead letter."""
        place = refused_place(record)
        if place is not None:
            self._refused.add(place)
        elif record.topic == "switches":
            try:
                change = SwitchChange.model_validate_json(record.value or b"")
            except ValidationError:
                return
            if record.key == input_key("switches", change).encode():
                self._turned.append((record, change))

    def brakes(self) -> tuple[Switches, list[SwitchChange]]:
        """The brakes as the core has them, and the record that pulled each of those that are on."""
        brakes = Switches()
        pulled: dict[tuple[str, str], SwitchChange] = {}
        for record, it in self._turned:
            if record.place in self._refused:
                continue
            if it.switch is Switch.REFUSALS_SETTLED:
                self._settle(brakes, record, it, pulled)
                continue
            word = word_of(stamp(it.issued_at), record.timestamp)
            if brakes.turn(it.scope, it.switch, it.on, word) is None:
                pulled[it.scope, it.switch.value] = it
        stops = [pulled[key] for key in sorted(pulled)]
        return brakes, [it for it in stops if it.on is (it.switch is not Switch.REFUSALS_SETTLED)]

    def _settle(
        self,
        brakes: Switches,
        record: Record,
        change: SwitchChange,
        pulled: dict[tuple[str, str], SwitchChange],
    ) -> None:
        """Of `refusals_settled` the last record counts, and one for all settles each platform."""
        at = min(stamp(change.issued_at), record.timestamp)
        if change.on:
            brakes.settling.settle(change.scope, at)
            for scope, switch in [*pulled]:
                if switch == change.switch.value and change.scope in (scope, EVERYWHERE):
                    del pulled[scope, switch]
        else:
            brakes.settling.unsettle(change.scope, at, None)
            pulled[change.scope, change.switch.value] = change
