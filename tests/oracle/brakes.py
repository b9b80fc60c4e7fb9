"""What defers: holds, appeals and switches, and how long they stop the clock of the answer."""

from datetime import datetime
from typing import Any

STOPS_CLOCK = ("adverse_off", "answers_paused")
SWITCH_DEFERS = {
    "adverse_off": {"issued", "reminded", "expired", "renewed"},
    "invitations_off": {"issued"},
    "throttles_off": {"expired", "renewed"},
    "answers_paused": {"reminded", "expired"},
}


Stretch = tuple[datetime, datetime | None]


class Brakes:
    """Brakes on one account. What stops the clock runs from `issued_at` to `issued_at`."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.holds: dict[str, dict[str, datetime | None]] = {}
        self.appeal_since: datetime | None = None
        self.switches: dict[tuple[str, str], datetime] = {}
        self.over: list[Stretch] = []
        """Of each hold, appeal and switch that stopped the clock and has ended."""

    def defers(self, kind: str) -> bool:
        """Whether a hold, an appeal or a switch defers `issued|reminded|expired|renewed`."""
        if self.holds or self.appeal_since is not None:
            return True
        return any(kind in SWITCH_DEFERS[switch] for _, switch in self.switches)

    def set_switch(self, value: dict[str, Any], at: datetime) -> bool:
        """Apply a switch record; False if it is about another platform."""
        if value["scope"] not in ("*", self.platform):
            return False
        place = (value["scope"], value["switch"])
        if value["on"]:
            self.switches.setdefault(place, at)
            return True
        since = self.switches.pop(place, None)
        if since is not None and value["switch"] in STOPS_CLOCK:
            self.over.append((since, at))
        return True

    def hold(self, control_id: str, at: datetime, expires_at: datetime | None) -> None:
        """An operator's hold: until `unhold` or `expires_at`."""
        self.holds[control_id] = {"at": at, "expires_at": expires_at}

    def unhold(self, at: datetime) -> None:
        """Ends every hold, and no appeal."""
        for control_id in list(self.holds):
            self._end_hold(control_id, at)

    def hold_expired(self, control_id: str) -> None:
        """One hold is over by its own `expires_at`."""
        end = self.holds[control_id]["expires_at"]
        assert end is not None
        self._end_hold(control_id, end)

    def _end_hold(self, control_id: str, at: datetime) -> None:
        hold = self.holds.pop(control_id)
        begun = hold["at"]
        assert begun is not None
        self.over.append((begun, min(at, hold["expires_at"] or at)))

    def appeal(self, at: datetime) -> None:
        """An appeal is open until one of the two verdicts."""
        if self.appeal_since is None:
            self.appeal_since = at

    def verdict(self, at: datetime) -> None:
        """Ends the appeal, and no hold."""
        if self.appeal_since is not None:
            self.over.append((self.appeal_since, at))
            self.appeal_since = None

    @property
    def stopped(self) -> bool:
        """Whether the clock of the answer stands still."""
        return bool(
            self.holds
            or self.appeal_since is not None
            or any(switch in STOPS_CLOCK for _, switch in self.switches)
        )

    def stretches(self) -> list[Stretch]:
        """When the clock stood still, in order, what overlaps as one [40]; the last may go on."""
        running = [hold["at"] for hold in self.holds.values()]
        running += [at for (_, switch), at in self.switches.items() if switch in STOPS_CLOCK]
        running.append(self.appeal_since)
        found = [*self.over, *((at, None) for at in running if at is not None)]
        merged: list[Stretch] = []
        for start, end in sorted(found, key=lambda one: one[0]):
            if end is not None and end <= start:
                continue
            if merged:
                before, until = merged[-1]
                if until is None:
                    break
                if start <= until:
                    merged[-1] = (before, None if end is None else max(end, until))
                    continue
            merged.append((start, end))
        return merged
