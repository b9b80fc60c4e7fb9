"""Collects the restrictions of one account from its throttle events."""

from dataclasses import dataclass, field

from schemas.enums import Event
from schemas.events import ThrottleApplied
from streams.operate.audit.happened import plain_of
from streams.operate.audit.records import Record, stamp
from streams.operate.errors import UsageError
from streams.operate.statements import read


@dataclass(slots=True)
class Restrictions:
    """The restrictions of one account.

    Its throttle events, live and shadow, are fed first, those of each topic in order. `unreadable`:
    the places of those of which no statement can be made; somebody else wrote them.
    """

    unreadable: list[str] = field(default_factory=list)
    _applied: dict[str, ThrottleApplied] = field(default_factory=dict)
    _lifted: set[str] = field(default_factory=set)

    def feed(self, record: Record) -> None:
        """Takes one throttle event. A renewal is ignored: it changes no statement."""
        event = plain_of(record)
        if event.get("event") == Event.THROTTLE_APPLIED:
            try:
                applied = read(record.value or b"")
            except UsageError:
                self.unreadable.append(record.place)
                return
            self._applied[applied.throttle_id] = applied
        elif event.get("event") == Event.THROTTLE_LIFTED:
            self._lifted.add(str(event.get("throttle_id")))

    def told(self, now: int) -> list[ThrottleApplied]:
        """Returns the restrictions in force at `now` (ms), else those of the last cycle.

        Live ones come before shadow ones, then in the order of their events.
        """
        in_force = [
            it
            for it in self._applied.values()
            if it.throttle_id not in self._lifted and stamp(it.expires_at) > now
        ]
        last = max(self._applied.values(), key=lambda it: it.decided_at, default=None)
        of_last = [it for it in self._applied.values() if last and _same_cycle(it, last)]
        return sorted(in_force or of_last, key=lambda it: (it.mode.value, it.sequence))


def _same_cycle(one: ThrottleApplied, other: ThrottleApplied) -> bool:
    return (one.mode, one.cycle) == (other.mode, other.cycle)
