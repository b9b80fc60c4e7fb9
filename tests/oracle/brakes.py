"""What defers: holds, appeals, switches, tripped refusal guards, unclear words, a changed cluster.

And how long they stop the clock of the answer. Numbers in brackets are those of READINGS.md.
"""

from datetime import datetime
from typing import Any

from schemas.enums import Deferral
from tests.oracle.stops import MOST_OF_ACCOUNT, MOST_OF_SCOPE, Stretch, bounded, merged
from tests.oracle.unclear import APPEALS, OracleUnclear
from tests.oracle.words import OracleSaid, Words

STOPS_CLOCK = ("adverse_off", "answers_paused")
ALL = frozenset({"issued", "reminded", "expired", "renewed"})
DEFERS = {
    Deferral.ADVERSE_OFF: ALL,
    Deferral.INVITATIONS_OFF: frozenset({"issued"}),
    Deferral.THROTTLES_OFF: frozenset({"expired", "renewed"}),
    Deferral.ANSWERS_PAUSED: frozenset({"reminded", "expired"}),
    Deferral.REFUSALS: ALL,
    Deferral.CLUSTER_CHANGED: ALL,
    Deferral.HOLD: ALL,
    Deferral.APPEAL: ALL,
    Deferral.APPEAL_UPHELD: frozenset({"issued"}),
    Deferral.UNCLEAR_ANSWER: ALL,
}
"""By ground: what it defers of issued, reminded, expired (and applied with it), renewed."""
MOST_APPEALS = 16


class Brakes:
    """Brakes on one account, in the words of `schemas.enums.Deferral`."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.holds: dict[int, tuple[datetime, datetime | None]] = {}
        """Each from its time until its `expires_at`, or without end."""
        self.appeals: dict[str, tuple[datetime, datetime]] = {}
        """Open ones by id: the first and the newest opening."""
        self.switches: dict[tuple[str, str], datetime] = {}
        self.refusals_since: datetime | None = None
        self.cluster_since: datetime | None = None
        self.upheld_at: datetime | None = None
        self.unmarked_at: datetime | None = None
        """The newest word that ends the mark of an upheld appeal."""
        self.unclear = OracleUnclear()
        self.words = Words()
        self.heard: list[tuple[datetime, str, datetime, datetime | None]] = []
        """What accounts share that stopped the clock: its entry, what, from and until."""
        self.own: list[Stretch] = []
        self.scoped: dict[str, list[Stretch]] = {}
        self._numbered = 0

    @property
    def position(self) -> tuple[frozenset[tuple[str, str]], bool, bool]:
        """What is on of all that accounts share: a word that leaves it as it was does nothing."""
        shared = (self.refusals_since, self.cluster_since)
        return frozenset(self.switches), shared[0] is not None, shared[1] is not None

    def grounds(self, kind: str) -> list[Deferral]:
        """What defers `issued|reminded|expired|renewed` now, in the order of the list."""
        on = {switch for _, switch in self.switches}
        holding = {
            Deferral.REFUSALS: self.refusals_since is not None,
            Deferral.CLUSTER_CHANGED: self.cluster_since is not None,
            Deferral.HOLD: bool(self.holds),
            Deferral.APPEAL: bool(self.appeals),
            Deferral.APPEAL_UPHELD: self.upheld_at is not None,
            Deferral.UNCLEAR_ANSWER: bool(self.unclear),
        }
        return [
            ground
            for ground, kinds in DEFERS.items()
            if kind in kinds and holding.get(ground, str(ground) in on)
        ]

    def set_switch(self, value: dict[str, Any], said: OracleSaid) -> None:
        """Apply a switch record, unless it is another platform's, a repeat or stale."""
        scope, switch = value["scope"], value["switch"]
        if scope not in ("*", self.platform):
            return
        if switch == "refusals_settled":
            at = said.last if value["on"] else said.at
            self.refusals(at, tripped=not value["on"], entered=said.entered)
            return
        kind, word = (scope, switch), "on" if value["on"] else "off"
        if self.words.repeats(kind, word, said):
            return
        if self.words.stale(kind, word, said):
            self.words.hear(kind, word, said)
            return
        self.words.apply(kind, word, said)
        if value["on"]:
            if kind not in self.switches and switch in STOPS_CLOCK:
                self.heard.append((said.entered, f"{scope}:{switch}", said.at, None))
            self.switches.setdefault(kind, said.at)
            return
        since = self.switches.pop(kind, None)
        if since is not None and switch in STOPS_CLOCK:
            stops = [*self.scoped.get(scope, []), (since, said.last)]
            self.scoped[scope] = bounded(stops, MOST_OF_SCOPE)
            self._heard_end(f"{scope}:{switch}", said.last)

    def _heard_end(self, what: str, at: datetime) -> None:
        self.heard = [
            (entered, name, since, at if name == what and until is None else until)
            for entered, name, since, until in self.heard
        ]

    def refusals(self, at: datetime, tripped: bool, entered: datetime | None = None) -> None:
        """The refusal guard of the platform trips, or is settled."""
        if tripped and (self.refusals_since is None or at < self.refusals_since):
            self.heard.append((entered or at, "refusals", at, None))
        if not tripped and self.refusals_since is not None:
            self._heard_end("refusals", at)
        if tripped:
            # A record of the log that is read after a trip here may be older than the trip.
            self.refusals_since = min(at, self.refusals_since or at)
        elif self.refusals_since is not None:
            stops = [*self.scoped.get("refusals", []), (self.refusals_since, at)]
            self.scoped["refusals"] = bounded(stops, MOST_OF_SCOPE)
            self.refusals_since = None

    def cluster(self, at: datetime, changed: bool) -> None:
        """The cluster is seen to have changed, or a worker has started anew since."""
        if changed:
            self.cluster_since = self.cluster_since or at
        elif self.cluster_since is not None:
            self._stopped(self.cluster_since, at)
            self.cluster_since = None

    def hold(self, said: OracleSaid, expires_at: datetime | None, now: datetime) -> None:
        """An operator's hold: until `unhold` or `expires_at`, over at once if that is past."""
        if expires_at is not None and expires_at <= now:
            self._stopped(said.at, expires_at)
            return
        self._numbered += 1
        self.holds[self._numbered] = (said.at, expires_at)

    def unhold(self, said: OracleSaid) -> None:
        """Ends every hold, and no appeal."""
        for number in list(self.holds):
            self._end_hold(number, said.last)

    def hold_expired(self, number: int) -> None:
        """One hold is over by its own `expires_at`."""
        end = self.holds[number][1]
        assert end is not None
        self._end_hold(number, end)

    def _end_hold(self, number: int, at: datetime) -> None:
        begun, expires_at = self.holds.pop(number)
        self._stopped(begun, min(at, expires_at or at))

    def appeal(self, appeal_id: str, said: OracleSaid) -> bool:
        """An appeal is open until a verdict of its id. False: too many are, so it is unclear."""
        known = self.appeals.get(appeal_id)
        if known is None and len(self.appeals) >= MOST_APPEALS:
            self.unclear.open(APPEALS, said.entered, said.at)
            return False
        first, newest = known or (said.at, said.at)
        self.appeals[appeal_id] = (min(first, said.at), max(newest, said.at))
        return True

    def verdict(self, appeal_id: str, said: OracleSaid, upheld: bool) -> bool:
        """Ends the appeal of its id, no other; False if it ends none."""
        known = self.appeals.get(appeal_id)
        if known is None or (not upheld and said.at < known[1]):
            return False
        self._end_appeal(appeal_id, said.last)
        return True

    def _end_appeal(self, appeal_id: str, at: datetime) -> None:
        self._stopped(self.appeals.pop(appeal_id)[0], at)

    def owner_changed(self, said: OracleSaid) -> None:
        """Ends the appeals opened before it, and the mark of an upheld one."""
        for appeal_id, (_, newest) in list(self.appeals.items()):
            if newest < said.at:
                self._end_appeal(appeal_id, said.last)
        self.unmark(said.at)

    def mark(self, at: datetime) -> None:
        """An appeal is upheld: no new cycle until a later word ends that."""
        if self.unmarked_at is None or self.unmarked_at <= at:
            self.upheld_at = at if self.upheld_at is None else max(at, self.upheld_at)

    def unmark(self, at: datetime) -> None:
        """A later `owner_changed`, or `unhold` with reason `appeal`, ends the mark."""
        self.unmarked_at = at if self.unmarked_at is None else max(at, self.unmarked_at)
        if self.upheld_at is not None and at >= self.upheld_at:
            self.upheld_at = None

    def _stopped(self, start: datetime, end: datetime) -> None:
        self.own = bounded([*self.own, (start, end)], MOST_OF_ACCOUNT)

    @property
    def over(self) -> list[Stretch]:
        """Every stop that has ended."""
        ended = [stop for stops in self.scoped.values() for stop in stops]
        return [*bounded([*self.own, *self.unclear.over], MOST_OF_ACCOUNT), *ended]

    def own_stretches(self) -> list[Stretch]:
        """When the clock stood still for what is the account's own, or the cluster's."""
        since = [at for at, _ in self.holds.values()]
        since += [first for first, _ in self.appeals.values()]
        since += [group.first for group in self.unclear.groups.values()]
        since += [self.cluster_since] if self.cluster_since else []
        ended = bounded([*self.own, *self.unclear.over], MOST_OF_ACCOUNT)
        return [*ended, *((at, None) for at in since)]

    @property
    def running(self) -> list[datetime]:
        """Since when each of what stops the clock now does so."""
        found = [at for at, _ in self.holds.values()]
        found += [at for (_, switch), at in self.switches.items() if switch in STOPS_CLOCK]
        found += [first for first, _ in self.appeals.values()]
        found += [group.first for group in self.unclear.groups.values()]
        since = (self.refusals_since, self.cluster_since)
        return [*found, *(at for at in since if at is not None)]

    @property
    def stopped(self) -> bool:
        """Whether the clock of the answer stands still."""
        return bool(self.running)

    def stretches(self) -> list[Stretch]:
        """When the clock stood still, in order, what overlaps as one [50]; the last may go on."""
        return merged([*self.over, *((at, None) for at in self.running)])
