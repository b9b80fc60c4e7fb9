"""Whether refused inputs of a platform wait to be settled, and since when.

schemas/CONTRACT.md, "The refusal guard".

Records `refusals_settled` turn it on (`on: false`) and off (`on: true`). Their place in the log
alone counts: the last one for the platform or for `*`.
"""

from collections.abc import Collection

import msgspec
from msgspec import Struct, field

from schemas.enums import ControlReason, Switch
from streams.core.model.instants import Stop, bounded, rfc3339
from streams.core.model.ports import Headers

EVERYWHERE = "*"
BYLINE = "byline"
"""The actor of a record that a worker wrote because a refusal guard tripped."""

MOST_STOPS = 1000
"""How many stretches of a platform are kept. If there are more, the shortest gap counts as stopped.
"""


class Track(Struct, array_like=True):
    """One platform: since when its adverse events are deferred, and the stretches before.

    `awaits`: when this partition tripped the guard itself. Until it has read its own record of
    that, nothing ends the deferral.
    """

    since: int | None = None
    awaits: int | None = None
    past: list[tuple[int, int]] = field(default_factory=list)

    def begin(self, at: int) -> None:
        """Defers from an instant on; from the earlier one if it defers already."""
        self.since = at if self.since is None else min(self.since, at)

    def end(self, at: int) -> None:
        """Ends the deferral, and keeps the stretch for the clocks of answers."""
        if self.since is not None and at > self.since:
            self.past = bounded((*self.past, (self.since, at)), MOST_STOPS)
        self.since = None


class Settling(Struct, array_like=True):
    """All platforms of a partition, as far as it has read the switches. `*` has a track too."""

    tracks: dict[str, Track] = field(default_factory=dict)

    def trip(self, platform: str, now: int) -> None:
        """This partition tripped the platform's guard at `now` and has sent its record."""
        track = self._track(platform)
        track.begin(now)
        track.awaits = now

    def unsettle(self, scope: str, since: int, own: int | None) -> list[str]:
        """Takes a record `on: false`. Returns the platforms that it begins to defer.

        `since` is when its stretch begins. `own` is its `issued_at` if a worker wrote it.
        """
        begun = []
        for platform, track in self._of(scope):
            if own is not None and own == track.awaits:
                track.awaits = None
            if track.since is None:
                begun.append(platform)
            track.begin(since)
        return begun

    def settle(self, scope: str, until: int) -> list[str]:
        """Takes a record `on: true`. Returns the platforms whose deferral ends, at `until`."""
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
        """The stretches in which its clock of the answer stood still; the last one may be open."""
        track = self.tracks.get(platform) or self.tracks.get(EVERYWHERE)
        if track is None:
            return []
        stops: list[Stop] = [*track.past]
        return stops if track.since is None else [*stops, (track.since, None)]

    def forget(self, platforms: Collection[str]) -> None:
        """Awaits no record for a platform without a policy: that record would be refused."""
        for platform, track in self.tracks.items():
            if platform not in platforms:
                track.awaits = None

    def _of(self, scope: str) -> list[tuple[str, Track]]:
        """The tracks that a record of a scope concerns: its own, and for `*` every one."""
        self._track(scope)
        if scope != EVERYWHERE:
            return [(scope, self.tracks[scope])]
        return list(self.tracks.items())

    def _track(self, scope: str) -> Track:
        """The track of a scope. A platform's first track starts from what was last said for all."""
        if scope not in self.tracks:
            known = self.tracks.get(EVERYWHERE, Track())
            self.tracks[scope] = Track(known.since, None, list(known.past))
        return self.tracks[scope]


def settling_record(platform: str, now: int) -> tuple[bytes, bytes, Headers]:
    """The record `on: false` of a guard that trips at `now`: key, value and headers."""
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
