"""The restrictions of one account, from its throttle events: which are in force, which were."""

from dataclasses import dataclass, field

from schemas.enums import Event
from schemas.events import ThrottleApplied
from streams.operate.audit.happened import plain_of
from streams.operate.audit.records import Record, stamp
from streams.operate.statements import read


@dataclass(slots=True)
class Restrictions:
    """Feed it the throttle events of one account, live and shadow, each topic in its order."""

    _applied: dict[str, ThrottleApplied] = field(default_factory=dict)
    _lifted: set[str] = field(default_factory=set)

    def feed(self, record: Record) -> None:
        """Take one event; a renewal changes no statement."""
        event = plain_of(record)
        if event.get("event") == Event.THROTTLE_APPLIED:
            applied = read(record.value or b"")
            self._applied[applied.throttle_id] = applied
        elif event.get("event") == Event.THROTTLE_LIFTED:
            self._lifted.add(str(event.get("throttle_id")))

    def told(self, now: int) -> list[ThrottleApplied]:
        """Those in force at an instant (ms), live ones first; else those of the last cycle."""
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
