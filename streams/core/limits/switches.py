"""The four switches, for one platform or for all, and the stretches in which they were on.

A pause begins at the earlier of `issued_at` and entry of its first record, and ends at the later of
both of its last record, whenever they are read.
"""

from msgspec import Struct, field

from schemas.enums import ADVERSE_EVENTS, Deferral, Event, Ignored, Switch
from streams.core.inputs.heard import StatedWord
from streams.core.limits.settling import Settling
from streams.core.model.instants import Stop, add_stop, merge

BRAKES = b"#brakes"
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


MOST_STOPS = 1000
"""How many stops of a scope are kept."""


class SwitchState(Struct, array_like=True):
    """One switch of one scope: since when it is on, and what was heard of it.

    schemas/CONTRACT.md, "Which word is the newest".

    `issued_at`: instant of the last record, in the first edition. `on_at`: time of the newest
    record that turned it on. `told_on`, `told_off`: time and stated time of the newest record of
    each that was applied or stale. `past`: stretches that the first edition kept here.
    """

    on_since: int | None = None
    issued_at: int = -1
    past: list[tuple[int, int]] = field(default_factory=list)
    on_at: int | None = None
    told_on: tuple[int, int] | None = None
    told_off: tuple[int, int] | None = None


class Switches(Struct, array_like=True, dict=True):
    """All switches, as far as a partition has read them. Keys are `scope:switch`.

    `past`: by scope, the ended stretches in which the clock of the answer stood still. `settling`:
    the platforms whose refused inputs wait to be settled; they follow rules of their own.
    """

    levers: dict[str, SwitchState] = field(default_factory=dict)
    past: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    settling: Settling = field(default_factory=Settling)

    def __post_init__(self) -> None:
        """Takes over what the first edition kept."""
        for name, lever in self.levers.items():
            if lever.issued_at >= 0:
                self._carry_over(name, lever)

    def _carry_over(self, name: str, lever: SwitchState) -> None:
        scope, _, switch = name.rpartition(":")
        if switch in CLOCK_STOPPING:
            for start, end in lever.past:
                self._stopped(scope, start, end)
        told = (lever.issued_at, lever.issued_at)
        if lever.on_since is not None:
            lever.on_at, lever.told_on = lever.issued_at, told
        else:
            lever.told_off = told
            lever.on_at = lever.past[-1][0] if lever.past else None
        lever.issued_at, lever.past = -1, []

    def turn(self, scope: str, switch: Switch, on: bool, word: StatedWord) -> Ignored | None:
        """Applies a switch record. Returns why it turns nothing, or None if it turned the switch.

        A record that turns a switch on is never stale. One that turns it off is stale if it is
        older than one that turned it on.
        """
        lever = self.levers.setdefault(f"{scope}:{switch}", SwitchState())
        told = lever.told_on if on else lever.told_off
        if told is not None and told[1] == word.stated and not (on and word.replaced):
            return Ignored.REPEAT
        if told is None or word.at >= told[0]:
            told = (word.at, word.stated)
        if on:
            lever.told_on = told
            return self._turn_on(lever, word)
        lever.told_off = told
        if lever.on_at is not None and word.at < lever.on_at:
            return Ignored.STALE
        if lever.on_since is None:
            return Ignored.RECORDED
        since, lever.on_since = lever.on_since, None
        if switch in CLOCK_STOPPING:
            self._stopped(scope, since, word.until)
        self.__dict__.clear()
        return None

    def _turn_on(self, lever: SwitchState, word: StatedWord) -> Ignored | None:
        lever.on_at = max(word.at, lever.on_at or word.at)
        self.__dict__.clear()
        if lever.on_since is not None:
            return Ignored.RECORDED
        lever.on_since = word.at
        return None

    def _stopped(self, scope: str, since: int, until: int) -> None:
        if until > since:
            add_stop(self.past.setdefault(scope, []), since, until, MOST_STOPS)

    def _of(self, platform: str, switch: Switch) -> list[SwitchState]:
        names = (f"{EVERYWHERE}:{switch}", f"{platform}:{switch}")
        return [self.levers[name] for name in names if name in self.levers]

    def stopping(self, platform: str, event: Event) -> list[Switch | Deferral]:
        """What defers this event of this platform: the switches that are on, and `refusals`."""
        by: list[Switch | Deferral] = []
        if self.levers:
            by += [
                switch
                for switch, events in STOPPED_BY.items()
                if event in events
                and any(lever.on_since is not None for lever in self._of(platform, switch))
            ]
        if self.settling.tracks and event in ADVERSE_EVENTS and self.settling.is_open(platform):
            by.append(Deferral.REFUSALS)
        return by

    def turned_on(self) -> list[tuple[str, str]]:
        """Scope and switch of each switch that is on."""
        found = [
            name.rpartition(":") for name, it in self.levers.items() if it.on_since is not None
        ]
        return [(scope, switch) for scope, _, switch in found]

    def forget_reckoned(self) -> None:
        """Forgets results that no longer hold, because `settling` has changed."""
        self.__dict__.clear()

    def stops(self, platform: str) -> list[Stop]:
        """The stretches in which the clock of the answer stood still on a platform, in order.

        The last one may be open.
        """
        if not self.levers and not self.settling.tracks:
            return []
        known: list[Stop] | None = self.__dict__.get(platform)
        if known is not None:
            return known
        stops = self.settling.stops(platform)
        for scope in (EVERYWHERE, platform):
            stops.extend(self.past.get(scope, ()))
        for switch in CLOCK_STOPPING:
            for lever in self._of(platform, switch):
                if lever.on_since is not None:
                    stops.append((lever.on_since, None))
        self.__dict__[platform] = merged = merge(stops)
        return merged
