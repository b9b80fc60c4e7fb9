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


class Brakes:
    """Brakes on one account. A pause is the union of all that stops the clock, by `issued_at`."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.holds: dict[str, dict[str, datetime | None]] = {}
        self.appeal_since: datetime | None = None
        self.switches: dict[tuple[str, str], datetime] = {}
        self.pause_start: datetime | None = None
        self.last_end: datetime | None = None

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
            if place not in self.switches:
                self.switches[place] = at
                if value["switch"] in STOPS_CLOCK:
                    self._began(at)
        elif self.switches.pop(place, None) is not None and value["switch"] in STOPS_CLOCK:
            self._ended(at)
        return True

    def hold(self, control_id: str, at: datetime, expires_at: datetime | None) -> None:
        """An operator's hold: until `unhold` or `expires_at`."""
        self.holds[control_id] = {"at": at, "expires_at": expires_at}
        self._began(at)

    def unhold(self, at: datetime) -> None:
        """Ends every hold, and no appeal."""
        if self.holds:
            self.holds.clear()
            self._ended(at)

    def hold_expired(self, control_id: str) -> None:
        """One hold is over by its own `expires_at`."""
        end = self.holds.pop(control_id)["expires_at"]
        assert end is not None
        self._ended(end)

    def appeal(self, at: datetime) -> None:
        """An appeal is open until one of the two verdicts."""
        if self.appeal_since is None:
            self.appeal_since = at
            self._began(at)

    def verdict(self, at: datetime) -> None:
        """Ends the appeal, and no hold."""
        if self.appeal_since is not None:
            self.appeal_since = None
            self._ended(at)

    @property
    def stopped(self) -> bool:
        """Whether the clock of the answer stands still."""
        return bool(
            self.holds
            or self.appeal_since is not None
            or any(switch in STOPS_CLOCK for _, switch in self.switches)
        )

    def take_pause(self) -> tuple[datetime, datetime] | None:
        """The pause that has just ended, once; None while it lasts or if there is none."""
        if self.stopped or self.pause_start is None:
            return None
        start, end = self.pause_start, self.last_end
        assert end is not None
        self.pause_start = None
        return start, end

    def _began(self, at: datetime) -> None:
        if self.last_end is not None and self.pause_start is None:
            at = max(at, self.last_end)
        self.pause_start = at if self.pause_start is None else min(self.pause_start, at)

    def _ended(self, at: datetime) -> None:
        self.last_end = at if self.last_end is None else max(self.last_end, at)
