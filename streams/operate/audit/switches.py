"""The switches that a partition has read from their topic, judged by the contract.

schemas/CONTRACT.md, "Which word is the newest".

The decision log says which switches a partition obeyed. This module decides from the topic which
ones it had to obey, so the auditor finds a switch that was read and not obeyed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from schemas.enums import Switch
from schemas.inputs import SwitchChange
from streams.operate.audit.records import Record, stamp
from streams.operate.audit.switch_log import SwitchLog, SwitchTurn
from streams.operate.audit.words import SaidTimes, Spoken


@dataclass(slots=True)
class AuditedSwitches:
    """The switches that a partition had to obey, from the records before `next_offset`."""

    switch_log: SwitchLog = field(default_factory=SwitchLog)
    spoken: dict[tuple[str, str], Spoken] = field(default_factory=dict)
    next_offset: int = 0

    def unread(self, upto: int, topic: Mapping[int, Record]) -> list[Record]:
        """Returns the records from `next_offset` up to this offset; `topic` has them by offset."""
        found = (topic.get(offset) for offset in range(self.next_offset, upto))
        return [it for it in found if it is not None]

    def read(self, upto: int, topic: Mapping[int, Record], now: int) -> None:
        """Applies the switch records up to offset `upto`; skips offsets that `topic` lacks."""
        for offset in range(self.next_offset, upto):
            record = topic.get(offset)
            value = None if record is None else switch_of(record)
            if record is not None and value is not None:
                self._take(record, value, now)
        self.next_offset = max(upto, self.next_offset)

    def _take(self, record: Record, value: SwitchChange, now: int) -> None:
        said = SaidTimes(stamp(value.issued_at), record.entered_at(now))
        it = turn(value, said, record.place)
        if value.switch is not Switch.REFUSALS_SETTLED:
            known = self.spoken.setdefault((value.scope, value.switch), Spoken())
            word = "on" if value.on else "off"
            heard = known.hear(word, said, protects=value.on, never_stale=value.on)
            if heard != "applied" and (value.on or heard != "open"):
                return
        self.switch_log.turn(it)


def switch_of(record: Record) -> SwitchChange | None:
    """Parses a switch; returns None if the record is none."""
    try:
        return SwitchChange.model_validate_json(record.value or b"")
    except ValidationError:
        return None


def turn(value: SwitchChange, said: SaidTimes, place: str) -> SwitchTurn:
    """Returns the turn of a switch that a record makes, with its times of pause."""
    return SwitchTurn(value.scope, value.switch.value, value.on, said.at, said.last, place)
