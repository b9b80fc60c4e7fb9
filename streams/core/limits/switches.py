"""Keeps the four switches, for one platform or for all, and the periods in which they were on.

A switch is on from the earlier of `issued_at` and entry (when the record was appended to Kafka) of
the record that turns it on, until the later of both of the record that turns it off. While a switch
of `CLOCK_STOPPING` is on, the answer windows of owners stand still (a stop, see model/instants.py).
A `word` here is the time of a switch record (inputs/heard.py).
"""

from msgspec import Struct, field

from schemas.enums import ADVERSE_EVENTS, Deferral, Event, Ignored, Switch
from streams.core.inputs.heard import StatedWord
from streams.core.limits.settling import Settling
from streams.core.limits.unforeseen import Unforeseen, foreseen, note
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
"""By switch, the events that it defers."""

CLOCK_STOPPING = (Switch.ADVERSE_OFF, Switch.ANSWERS_PAUSED)


MOST_STOPS = 1000
"""How many past stops of a scope are kept. If there are more, the two with the shortest gap become
one.
"""


class SwitchState(Struct, array_like=True):
    """One switch of one scope: since when it is on, and its newest records.

    schemas/CONTRACT.md, "Which word is the newest".

    `on_since`: None while it is off. `on_at`: time of the newest record that turned it on.
    `told_on`, `told_off`: of the newest record with `on: true` and with `on: false`, applied or
    stale, the time that counts and the time that it states. `issued_at` and `past` hold what the
    first edition kept: the time of the last record, and ended periods.
    """

    on_since: int | None = None
    issued_at: int = -1
    past: list[tuple[int, int]] = field(default_factory=list)
    on_at: int | None = None
    told_on: tuple[int, int] | None = None
    told_off: tuple[int, int] | None = None


class Switches(Struct, array_like=True, dict=True):
    """All switches, as far as a partition has read them.

    `levers`: by `scope:switch`. `past`: by scope, the ended stops of the answer windows.
    `settling`: the deferrals because of refused records, which have rules of their own.
    `unforeseen`: by scope, what of these stops was not known in time (unforeseen.py). The instance
    dictionary caches the result of `stops` by platform.
    """

    levers: dict[str, SwitchState] = field(default_factory=dict)
    past: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    settling: Settling = field(default_factory=Settling)
    unforeseen: dict[str, list[Unforeseen]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Converts what the first edition kept."""
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
        """Applies a switch record. Returns None if the switch was turned, else why it was not.

        A record with `on: true` is never stale. One with `on: false` is stale if it is older than
        the newest with `on: true`.
        """
        lever = self.levers.setdefault(f"{scope}:{switch}", SwitchState())
        told = lever.told_on if on else lever.told_off
        if told is not None and told[1] == word.stated and not (on and word.replaced):
            return Ignored.REPEAT
        if told is None or word.at >= told[0]:
            told = (word.at, word.stated)
        if on:
            lever.told_on = told
            if lever.on_since is None and switch in CLOCK_STOPPING and word.entry > word.at:
                known = self._stops_of(scope)
                note(self.unforeseen.setdefault(scope, []), word.at, word.entry, known)
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

    def _stops_of(self, scope: str) -> list[Stop]:
        """Returns the stops of one scope, in no order; the end None means: has not ended."""
        stops: list[Stop] = [*self.past.get(scope, ())]
        for switch in CLOCK_STOPPING:
            lever = self.levers.get(f"{scope}:{switch}")
            if lever is not None and lever.on_since is not None:
                stops.append((lever.on_since, None))
        return stops

    def _of(self, platform: str, switch: Switch) -> list[SwitchState]:
        names = (f"{EVERYWHERE}:{switch}", f"{platform}:{switch}")
        return [self.levers[name] for name in names if name in self.levers]

    def stopping(self, platform: str, event: Event) -> list[Switch | Deferral]:
        """Returns what defers this event of this platform: switches that are on, and `refusals`."""
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
        """Returns scope and switch of each switch that is on."""
        found = [
            name.rpartition(":") for name, it in self.levers.items() if it.on_since is not None
        ]
        return [(scope, switch) for scope, _, switch in found]

    def forget_reckoned(self) -> None:
        """Clears the cache of `stops`; needed when `settling` has changed."""
        self.__dict__.clear()

    def stops(self, platform: str) -> list[Stop]:
        """Returns the stops of a platform's answer windows, in order; the last may have no end."""
        if not self.levers and not self.settling.tracks:
            return []
        known: list[Stop] | None = self.__dict__.get(platform)
        if known is not None:
            return known
        stops = self.settling.stops(platform)
        for scope in (EVERYWHERE, platform):
            stops += self._stops_of(scope)
        self.__dict__[platform] = merged = merge(stops)
        return merged

    def as_heard(self, platform: str) -> tuple[list[Stop], list[Unforeseen]]:
        """Returns the stops of a platform as they were known in time, and what was not.

        The parts that were not are in the order in which their records entered.
        """
        late = self.settling.unforeseen(platform)
        stops, parts = foreseen(self.settling.stops(platform), late), [*late]
        for scope in (EVERYWHERE, platform):
            late = self.unforeseen.get(scope, [])
            stops += foreseen(self._stops_of(scope), late)
            parts += late
        return stops, sorted(parts, key=lambda part: part[2])
