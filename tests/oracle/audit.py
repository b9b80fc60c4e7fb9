"""What must hold between the events of one account, judged by the output topics alone.

It knows no input, no policy and no state: safety invariants 1, 2, 4, 7, 9 and 10 of
streams/operate/audit/INVARIANTS.md. `check_accounts` takes event values in any order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from schemas.enums import ADVERSE_EVENTS
from tests.oracle.policy import instant


def check_accounts(events: Iterable[dict[str, Any]], *, from_start: bool = True) -> list[str]:
    """Breaches per account; `from_start`: sequences and cycles begin at 1."""
    accounts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        accounts[f"{event['platform']}:{event['account_id']}"].append(event)
    breaches: list[str] = []
    for key, own in accounts.items():
        breaches += [f"{key}: {what}" for what in _check_account(own, from_start)]
    return breaches


def _check_account(events: list[dict[str, Any]], from_start: bool) -> list[str]:
    breaches: list[str] = []
    for mode in ("enforce", "shadow"):
        ordered = sorted(
            (event for event in events if event["mode"] == mode),
            key=lambda event: event["sequence"],
        )
        breaches += [f"{mode}: {what}" for what in _check_order(ordered, from_start)]
    live = [event for event in events if event["mode"] == "enforce"]
    lent = _lent_to_shadow(events)
    shadow = [event for event in events if event["mode"] == "shadow" and event not in lent]
    for mode, own in (("enforce", live + lent), ("shadow", shadow)):
        own.sort(key=_turns(own))
        cycles: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for event in own:
            cycles[event["cycle"]].append(event)
        if from_start and sorted(cycles) != list(range(1, len(cycles) + 1)):
            breaches.append(f"{mode}: cycles are {sorted(cycles)}")
        for number, cycle in sorted(cycles.items()):
            followed = _Cycle(from_start)
            breaches += [f"{mode} cycle {number}: {what}" for what in followed.run(cycle)]
            if number != max(cycles) and followed.open:
                breaches.append(f"{mode} cycle {number}: still open when the next began")
    return breaches


def _turns(events: list[dict[str, Any]]) -> Callable[[dict[str, Any]], Any]:
    """An order of two sequences, which nothing but `decided_at` joins.

    A live cycle's shadow surfaces count in the other sequence. Of one instant it is not told which
    came first: what lifts a restriction of an earlier one may have.
    """
    applied = {
        event["throttle_id"]: event["decided_at"]
        for event in events
        if event["event"] == "throttle.applied"
    }

    def turn(event: dict[str, Any]) -> Any:
        begun = applied.get(event.get("throttle_id", ""), event["decided_at"])
        lifts = event["event"] == "throttle.lifted" and event["mode"] == "shadow"
        first = lifts and begun < event["decided_at"]
        return event["decided_at"], not first, event["mode"], event["sequence"]

    return turn


def _lent_to_shadow(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Throttle events that a live cycle wrote in shadow: they name the live invitation."""
    live = {event["invitation_id"] for event in events if event["mode"] == "enforce"}
    return [
        event for event in events if event["mode"] == "shadow" and event["invitation_id"] in live
    ]


def _check_order(events: list[dict[str, Any]], from_start: bool) -> list[str]:
    if not events:
        return []
    sequences = [event["sequence"] for event in events]
    first = 1 if from_start else sequences[0]
    breaches = []
    if sequences != list(range(first, first + len(sequences))):
        breaches.append(f"sequences are {sequences}, not rising by one from {first}")
    times = [event["decided_at"] for event in events]
    if times != sorted(times):
        breaches.append("decided_at goes back while sequence rises")
    return breaches


class _Cycle:
    """One invitation, event by event, as a distrustful consumer would follow it."""

    def __init__(self, from_start: bool) -> None:
        self.issued = self.delivered = not from_start
        self.blind = not from_start
        self.deadline: Any = None
        self.delivered_at: Any = None
        self.window: Any = None
        self.notice_version: str | None = None
        self.at_stake: list[str] | None = None
        self.over = self.granted = self.expired = False
        self.active: dict[str, str] = {}
        self.breaches: list[str] = []

    def run(self, events: list[dict[str, Any]]) -> list[str]:
        if len({event["invitation_id"] for event in events}) > 1:
            self._say("several invitation_ids")
        for event in events:
            kind = event["event"]
            if event["event"] in ADVERSE_EVENTS and (self.over or self.granted):
                self._say(f"{kind} after the cycle was answered or closed")
            if not self.issued and kind != "invitation.issued":
                self._say(f"{kind} before any issue")
            getattr(self, "_" + kind.replace(".", "_"))(event)
        return self.breaches

    @property
    def open(self) -> bool:
        """Neither closed nor run to the end of its last restriction."""
        return not (self.over or self.blind or (self.expired and not self.active))

    def _say(self, what: str) -> None:
        self.breaches.append(what)

    def _invitation_issued(self, event: dict[str, Any]) -> None:
        if self.issued and not self.blind and event["reason"] != "reissued":
            self._say("issued twice")
        self.issued, self.at_stake = True, event["surfaces_at_stake"]
        self.window = event["answer_window_seconds"]

    def _invitation_delivered(self, event: dict[str, Any]) -> None:
        if self.active:
            self._say(f"delivered again while {sorted(self.active)} are restricted")
        self.delivered, self.delivered_at = True, event["delivered_at"]
        if event["deadline_at"] is not None and self.window is not None:
            soonest = instant(event["delivered_at"]) + timedelta(seconds=self.window)
            if instant(event["deadline_at"]) < soonest:
                self._say("deadline_at is sooner than the window")
        self._later(event, strictly=False)

    def _later(self, event: dict[str, Any], strictly: bool) -> None:
        new = event["deadline_at"]
        if self.deadline is not None and (new is None or new < self.deadline):
            self._say(f"{event['event']} moves the deadline from {self.deadline} to {new}")
        if strictly and self.deadline is not None and new == self.deadline:
            self._say(f"{event['event']} does not move the deadline")
        self.deadline = new

    def _invitation_undeliverable(self, event: dict[str, Any]) -> None:
        # Also after the expiry, by which what it restricts is lifted: the window runs anew.
        self.delivered = self.expired = False

    def _invitation_reminded(self, event: dict[str, Any]) -> None:
        self._same_deadline(event)
        if event["decided_at"] >= event["deadline_at"]:
            self._say("reminded after the deadline")

    def _invitation_extended(self, event: dict[str, Any]) -> None:
        if self.expired:
            self._say("extended after it expired")
        self._later(event, strictly=True)

    def _same_deadline(self, event: dict[str, Any]) -> None:
        if not self.delivered:
            self._say(f"{event['event']} without a delivered notice")
        if self.deadline is not None and event["deadline_at"] != self.deadline:
            self._say(f"{event['event']} names another deadline than {self.deadline}")

    def _invitation_expired(self, event: dict[str, Any]) -> None:
        self._same_deadline(event)
        if self.expired:
            self._say("expired twice")
        if event["decided_at"] < event["deadline_at"]:
            self._say("expired before its deadline")
        self.expired = True

    def _invitation_cancelled(self, event: dict[str, Any]) -> None:
        if self.over or self.granted:
            self._say("cancelled though closed or granted")
        self.over = True

    def _consent_granted(self, event: dict[str, Any]) -> None:
        newer = self.notice_version not in (None, event["notice_version"])
        if (self.granted and not newer) or self.over or not self.delivered:
            self._say("granted twice, after the end or without a delivered notice")
        self.notice_version = event["notice_version"]
        if not self.granted and (event["reason"] == "answer") == self.expired and not self.blind:
            self._say(f"granted {event['reason']} but expired is {self.expired}")
        self.granted = True

    def _consent_declined(self, event: dict[str, Any]) -> None:
        if self.granted or self.over or self.expired or not self.delivered:
            self._say("declined out of place")

    def _ends_consent(self, event: dict[str, Any]) -> None:
        if not self.granted and not self.blind:
            self._say(f"{event['event']} without a consent")
        self.granted, self.over = False, True

    _consent_voided = _ends_consent

    def _consent_withdrawn(self, event: dict[str, Any]) -> None:
        # Of an open cycle: its grant was read after the later word that takes it back.
        if self.over or self.active:
            self._say("withdrawn after the end, or with restrictions left")
        self.granted, self.over = False, True

    def _throttle_applied(self, event: dict[str, Any]) -> None:
        surface, reasons = event["surface"], event["statement"]
        if not (self.delivered and (self.expired or self.blind)):
            self._say(f"{surface} applied without delivered and expired before it")
        if self.deadline is not None and event["effective_at"] < self.deadline:
            self._say(f"{surface} applied before the deadline")
        if surface in self.active:
            self._say(f"{surface} applied twice")
        if self.at_stake is not None and surface not in self.at_stake:
            self._say(f"{surface} was not at stake")
        if event["effective_at"] >= min(event["review_at"], event["expires_at"]):
            self._say(f"{surface}: takes effect when its review or end is due")
        for name, known in (("delivered_at", self.delivered_at), ("deadline_at", self.deadline)):
            if known is not None and reasons[name] != known:
                self._say(f"{surface}: the statement's {name} is not what was said")
        same = ("surface", "level", "effective_at", "review_at", "expires_at")
        if any(reasons["restriction"][name] != event[name] for name in same):
            self._say(f"{surface}: the statement's restriction differs from the event")
        self.active[surface] = event["throttle_id"]

    def _throttle_renewed(self, event: dict[str, Any]) -> None:
        self._is_active(event)

    def _throttle_lifted(self, event: dict[str, Any]) -> None:
        self._is_active(event)
        self.active.pop(event["surface"], None)

    def _is_active(self, event: dict[str, Any]) -> None:
        known = self.active.get(event["surface"])
        if known != event["throttle_id"] and not (self.blind and known is None):
            self._say(f"{event['event']} on {event['surface']}, which is not restricted by it")
