"""Computes which holds and switches are in force, from controls, switches and dead letters alone.

A record that was refused (it has a dead letter) is ignored. Of controls that are equal in every
field only one counts. A second hold can only move the end of the first to a later time, by the
core's own `begin_hold`.
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
    """A valid control, and its place (`controls[3]@17`)."""

    place: str
    control: Control


@dataclass(slots=True)
class HoldInForce:
    """The hold in force of one account, updated control by control."""

    hold: Hold | None = None
    _heard: set[Control] = field(default_factory=set)

    def hear(self, control: Control) -> bool:
        """Applies the next control of the account; returns False if it repeats an earlier one."""
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
        """Returns the hold that is in force at `at` (ms), or None."""
        ends = None if self.hold is None else self.hold.expires_at
        return None if ends is not None and ends <= at else self.hold


def parsed_control(record: Record) -> ParsedControl | None:
    """Parses a control; returns None if its form is wrong, or key and value disagree."""
    try:
        control = Control.model_validate_json(record.value or b"")
    except ValidationError:
        return None
    if record.key != input_key("controls", control).encode():
        return None
    return ParsedControl(record.place, control)


def refused_place(record: Record) -> str | None:
    """Returns the place of the input that a dead letter is about (`controls[3]@17`), else None."""
    plain = plain_of(record)
    if record.topic != DEAD_LETTERS.name or not {"topic", "partition", "offset"} <= plain.keys():
        return None
    return f"{bare(str(plain['topic']))}[{plain['partition']}]@{plain['offset']}"


@dataclass(slots=True)
class SwitchesInForce:
    """The switches in force. It is fed switches and dead letters; each topic must be in order."""

    _turned: list[tuple[Record, SwitchChange]] = field(default_factory=list)
    _refused: set[str] = field(default_factory=set)

    def feed(self, record: Record) -> None:
        """Takes the next record of the switches or of the dead letters."""
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
        """Returns the state of the switches as the core has it, and the record that turned on each.

        A tripped refusal guard counts as on; its record is `refusals_settled`, off.
        """
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
        """Applies a `refusals_settled` record: the last one counts, `*` resets every platform."""
        at = min(stamp(change.issued_at), record.timestamp)
        if change.on:
            brakes.settling.settle(change.scope, at)
            for scope, switch in [*pulled]:
                if switch == change.switch.value and change.scope in (scope, EVERYWHERE):
                    del pulled[scope, switch]
        else:
            brakes.settling.unsettle(change.scope, at, None, at)
            pulled[change.scope, change.switch.value] = change
