"""The four switches, for one platform or for all, and the stretches of time in which they were on.

A pause runs between the `issued_at` of its two records, whenever they are read.
"""

from msgspec import Struct, field

from schemas.words import Event, Switch
from streams.core.clock import Stop, merge

EVERYWHERE = "*"

STOPPED_BY: dict[Switch, frozenset[Event]] = {
    Switch.ADVERSE_OFF: frozenset(
        {
            Event.INVITATION_ISSUED,
            Event.INVITATION_REMINDED,
            Event.INVITATION_EXPIRED,
            Event.THROTTLE_APPLIED,
            Event.THROTTLE_RENEWED,
        }
    ),
    Switch.INVITATIONS_OFF: frozenset({Event.INVITATION_ISSUED}),
    Switch.THROTTLES_OFF: frozenset(
        {Event.INVITATION_EXPIRED, Event.THROTTLE_APPLIED, Event.THROTTLE_RENEWED}
    ),
    Switch.ANSWERS_PAUSED: frozenset(
        {Event.INVITATION_REMINDED, Event.INVITATION_EXPIRED, Event.THROTTLE_APPLIED}
    ),
}
"""What each switch defers."""

CLOCK_STOPPING = (Switch.ADVERSE_OFF, Switch.ANSWERS_PAUSED)


class Lever(Struct, array_like=True):
    """One switch of one scope: since when it is on, the last record's instant, past stretches."""

    on_since: int | None = None
    issued_at: int = -1
    past: list[tuple[int, int]] = field(default_factory=list)


class Brakes(Struct, array_like=True):
    """All switches as far as a partition has read them. Keys are `scope:switch`."""

    levers: dict[str, Lever] = field(default_factory=dict)

    def turn(self, scope: str, switch: Switch, on: bool, issued_at: int) -> bool:
        """Apply a switch record; False when it is older than the last one or says nothing new."""
        lever = self.levers.setdefault(f"{scope}:{switch}", Lever())
        if issued_at < lever.issued_at or on == (lever.on_since is not None):
            return False
        lever.issued_at = issued_at
        if on:
            lever.on_since = issued_at
        elif lever.on_since is not None:
            if issued_at > lever.on_since:
                lever.past.append((lever.on_since, issued_at))
            lever.on_since = None
        return True

    def _of(self, platform: str, switch: Switch) -> list[Lever]:
        names = (f"{EVERYWHERE}:{switch}", f"{platform}:{switch}")
        return [self.levers[name] for name in names if name in self.levers]

    def stopping(self, platform: str, event: Event) -> list[Switch]:
        """The switches that are on and defer this event of this platform."""
        if not self.levers:
            return []
        return [
            switch
            for switch, events in STOPPED_BY.items()
            if event in events
            and any(lever.on_since is not None for lever in self._of(platform, switch))
        ]

    def stops(self, platform: str) -> list[Stop]:
        """When the clock of the answer stood still on a platform, in order.

        The last may be open.
        """
        if not self.levers:
            return []
        stops: list[Stop] = []
        for switch in CLOCK_STOPPING:
            for lever in self._of(platform, switch):
                stops.extend(lever.past)
                if lever.on_since is not None:
                    stops.append((lever.on_since, None))
        return merge(stops)
