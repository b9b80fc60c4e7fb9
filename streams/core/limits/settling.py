"""Keeps for which platforms adverse events are deferred because records were refused.

schemas/CONTRACT.md, "The refusal guard".

The deferral begins with a switch record `refusals_settled` with `on: false`, and ends with one with
`on: true`: a person has looked into the refused records. The last record for the platform or for
`*` counts, by offset and not by time. While it lasts, the answer windows of owners stand still (a
stop, see model/instants.py).
"""

from collections.abc import Collection

import msgspec
from msgspec import Struct, field

from schemas.enums import ControlReason, Switch
from streams.core.limits.unforeseen import Unforeseen, note
from streams.core.model.instants import Stop, bounded, rfc3339
from streams.core.model.ports import Headers

EVERYWHERE = "*"
BYLINE = "byline"
"""The actor in a record that a worker wrote because a refusal guard tripped."""

MOST_STOPS = 1000
"""How many past stops of a platform are kept. If there are more, the two with the shortest gap
become one.
"""


class Track(Struct, array_like=True):
    """The deferral of one platform.

    `since`: when it began, None if there is none. `awaits`: when this partition tripped the guard
    itself; until the partition reads its own record of that, nothing ends the deferral. `past`:
    start and end of earlier deferrals. `unforeseen`: see unforeseen.py.
    """

    since: int | None = None
    awaits: int | None = None
    past: list[tuple[int, int]] = field(default_factory=list)
    unforeseen: list[Unforeseen] = field(default_factory=list)

    def begin(self, at: int, entry: int) -> None:
        """Begins the deferral at an instant; an earlier start stays. `entry`: of its record."""
        note(self.unforeseen, at, entry, self.stops())
        self.since = at if self.since is None else min(self.since, at)

    def stops(self) -> list[Stop]:
        """Returns every stop of the answer windows; the end of the last may be None."""
        stops: list[Stop] = [*self.past]
        return stops if self.since is None else [*stops, (self.since, None)]

    def end(self, at: int) -> None:
        """Ends the deferral, and keeps it as a stop of the answer windows."""
        if self.since is not None and at > self.since:
            self.past = bounded((*self.past, (self.since, at)), MOST_STOPS)
        self.since = None


class Settling(Struct, array_like=True):
    """The deferrals of all platforms by their refusal guards, as a partition has read them.

    `tracks`: by platform; the scope `*` has one of its own.
    """

    tracks: dict[str, Track] = field(default_factory=dict)

    def trip(self, platform: str, now: int) -> None:
        """Defers a platform whose guard this partition tripped at `now`, with a record sent."""
        track = self._track(platform)
        track.begin(now, now)
        track.awaits = now

    def unsettle(self, scope: str, since: int, own: int | None, entry: int) -> list[str]:
        """Applies a record `on: false`. Returns the platforms whose deferral begins.

        `since` is when the deferral begins, `entry` when the record entered. `own` is the record's
        `issued_at` if a worker wrote it, else None.
        """
        begun = []
        for platform, track in self._of(scope):
            if own is not None and own == track.awaits:
                track.awaits = None
            if track.since is None:
                begun.append(platform)
            track.begin(since, entry)
        return begun

    def settle(self, scope: str, until: int) -> list[str]:
        """Applies a record `on: true`. Returns the platforms whose deferral ends, at `until`."""
        ended = []
        for platform, track in self._of(scope):
            if track.since is not None and track.awaits is None:
                track.end(until)
                ended.append(platform)
        return ended

    def is_open(self, platform: str) -> bool:
        """Whether the platform's adverse events are deferred."""
        track = self.tracks.get(platform) or self.tracks.get(EVERYWHERE)
        return track is not None and track.since is not None

    def stops(self, platform: str) -> list[Stop]:
        """Returns the stops of a platform's answer windows; the end of the last may be None."""
        track = self.tracks.get(platform) or self.tracks.get(EVERYWHERE)
        return [] if track is None else track.stops()

    def unforeseen(self, platform: str) -> list[Unforeseen]:
        """Returns the parts of these stops that were not known in time (unforeseen.py)."""
        track = self.tracks.get(platform) or self.tracks.get(EVERYWHERE)
        return [] if track is None else track.unforeseen

    def forget(self, platforms: Collection[str]) -> None:
        """Stops waiting for own records of platforms that are not in `platforms`.

        Those have no policy any more, so the record would be refused and never come.
        """
        for platform, track in self.tracks.items():
            if platform not in platforms:
                track.awaits = None

    def _of(self, scope: str) -> list[tuple[str, Track]]:
        """Returns the tracks that a record of a scope concerns: its own, and for `*` all."""
        self._track(scope)
        if scope != EVERYWHERE:
            return [(scope, self.tracks[scope])]
        return list(self.tracks.items())

    def _track(self, scope: str) -> Track:
        """Returns the track of a scope; a platform's first one starts as a copy of that of `*`."""
        if scope not in self.tracks:
            known = self.tracks.get(EVERYWHERE, Track())
            past, unforeseen = list(known.past), list(known.unforeseen)
            self.tracks[scope] = Track(known.since, None, past, unforeseen)
        return self.tracks[scope]


def settling_record(platform: str, now: int) -> tuple[bytes, bytes, Headers]:
    """Makes the record `on: false` of a guard that trips at `now`: key, value and headers."""
    value = {
        "scope": platform,
        "switch": Switch.REFUSALS_SETTLED,
        "on": False,
        "actor": BYLINE,
        "reason": ControlReason.INCIDENT,
        "issued_at": rfc3339(now),
    }
    key = f"{platform}:{Switch.REFUSALS_SETTLED}".encode()
    return key, msgspec.json.encode(value), (("content-type", b"application/json"),)
