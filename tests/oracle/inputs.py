"""What each input does to a life: readings, labels, account changes, receipts, brakes, policies.

Answers are in `answers.py`, controls in `controls.py`.
"""

from datetime import datetime
from typing import Any

from schemas.enums import Ignored
from tests.oracle.policy import OraclePolicy
from tests.oracle.words import KINDS, SKEW, OracleSaid

MOST_RECEIPTS = 100


class InputRules:
    """Mixed into `Life`; every method here answers to one topic."""

    def take(self, name: str, value: Any, entered: datetime) -> str:
        """Apply one input and name the cause that conditions are looked at for."""
        if name == "policy":
            self._take_up(value)
            return "policy"
        if name == "follower-counts":
            return self._reading(value, entered)
        if name == "category-changes":
            self._label(value, entered)
        elif name == "account-changes":
            self._account_change(value["change"], OracleSaid.of(value["observed_at"], entered))
        elif name == "notice-receipts":
            self._receipt(value, OracleSaid.of(value["occurred_at"], entered))
        elif name == "consent-answers":
            self._answer(value, OracleSaid.of(value["occurred_at"], entered))
        elif name == "controls":
            self._control(value, OracleSaid.of(value["issued_at"], entered))
        elif name == "switches":
            self.brakes.set_switch(value, OracleSaid.of(value["issued_at"], entered))
        elif name == "refused":
            self._refused(value, entered)
        elif name == "refusals":
            self.brakes.refusals(entered, tripped=value, entered=entered)
        elif name == "cluster":
            self.brakes.cluster(self.clock, changed=value)
        else:
            raise ValueError(f"no such input: {name}")
        return "input"

    def _take_up(self, policy: OraclePolicy) -> None:
        self.policy = policy
        self.facts.policy_at = self.clock
        if self.cycle:
            self.cycle["notices"].append((policy.notice_id, policy.notice_version, policy.renew))

    def _refused(self, topic: str, entered: datetime) -> None:
        """A refused record of this account: an unclear word, of an answer only where one counts."""
        if topic == "consent-answers" and not self._answers_count():
            return
        self.brakes.unclear.open(topic, entered)

    def _answers_count(self) -> bool:
        return self.state != "NONE" and self.cycle["mode"] != "shadow"

    # ---- facts ---------------------------------------------------------------------------------

    def _reading(self, value: Any, entered: datetime) -> str:
        if value is None:
            return "input"
        due = self.facts.leave_due(self.policy, self.pinned)
        if due is not None and due < entered and due <= self.clock and not self.facts.closed:
            self.kept_readings.append(value)
            return "input"
        return "reading" if self._count(value) else "input"

    def _count(self, value: Any) -> bool:
        kept = bool(any(self.cycles.values()) or self.had_control or self.brakes.unclear)
        judged = self.unstarted or self.clock
        return self.facts.read_count(value, self.policy, judged, kept)

    def _label(self, value: Any, entered: datetime) -> None:
        facts = self.facts
        until = facts.label_until
        ending = until is not None and not facts.label_expired and until <= self.clock
        if self.kept_labels or (ending and until is not None and until < entered):
            self.kept_labels.append(value)
        else:
            facts.read_label(value, self.bound(), self.policy)

    def release_kept(self) -> str | None:
        """What entered after a favourable end counts once that end has come; the cause, if any."""
        facts, cause = self.facts, None
        if self.kept_labels and (facts.label_until is None or facts.label_expired):
            kept, self.kept_labels = self.kept_labels, []
            for value in kept:
                facts.read_label(value, self.clock, self.policy)
            cause = "input"
        if self.kept_readings and facts.state != "LEAVING":
            kept, self.kept_readings = self.kept_readings, []
            for value in kept:
                cause = "reading" if self._count(value) else cause
        return cause

    # ---- account changes -----------------------------------------------------------------------

    def _account_change(self, change: str, said: OracleSaid) -> None:
        words, kind = self.words, KINDS[change]
        if words.repeats(kind, change, said):
            self.ignore(Ignored.REPEAT)
            return
        if words.stale(kind, change, said):
            words.hear(kind, change, said)
            self.ignore(Ignored.STALE)
            self._too_late(change, said.at)
            return
        words.apply(kind, change, said)
        self.brakes.unclear.applied("account-changes", said)
        if change == "owner_changed":
            self.brakes.owner_changed(said)
        self.facts.change(change, said.at)
        if change in ("closed", "owner_changed"):
            self._end_all(change)

    def _too_late(self, change: str, at: datetime) -> None:
        """A stale word that protects ends what was begun not later than PT5M after its time."""
        if change not in ("closed", "owner_changed", "exempted") or self.state == "NONE":
            return
        consented = self.state == "GRANTED"
        begun = self.cycle["consent_at"] if consented else self.cycle["first_issued_at"]
        if begun <= at + SKEW and not (consented and change == "exempted"):
            self._end_all(change)

    def _end_all(self, change: str) -> None:
        if self.state == "GRANTED":
            self.emit("consent.voided", change)
            self.end_cycle()
        elif self.state != "NONE":
            self.close(change)

    # ---- receipts ------------------------------------------------------------------------------

    def names_cycle(self, value: dict[str, Any]) -> bool:
        """Whether it names the invitation at hand or none."""
        if self.state == "NONE":
            return False
        mine = self.invitation_id(self.cycle["mode"], self.cycle["number"])
        return value.get("invitation_id") in (None, mine)

    def _receipt(self, value: dict[str, Any], said: OracleSaid) -> None:
        if self.state == "NONE" or self.cycle["mode"] == "shadow":
            self.ignore(Ignored.NO_CYCLE)
            return
        if not self.names_cycle(value):
            self.ignore(Ignored.OTHER_CYCLE)
            return
        cycle = self.cycle
        alike = (value["outcome"], said.stated, value.get("failure"))
        if alike in cycle["receipts"]:
            self.ignore(Ignored.REPEAT)
            return
        cycle["receipts"] = [*cycle["receipts"], alike][-MOST_RECEIPTS:]
        fresh = cycle["failed_at"] is None or said.at > cycle["failed_at"]
        if value["outcome"] == "delivered":
            if self.state in ("INVITED", "UNDELIVERED") and fresh:
                self.deliver(said.at, "receipt")
                cycle["delivery_entered"] = said.entered
            elif self.state == "DECLINED":
                self.delivered_before(said.at, said.entered)
            return
        if (self.over and self.state == "EXPIRED") or self.over_unheard(said.entered):
            return  # It is one after the end of the cycle [81].
        bounced = fresh and cycle["delivery_at"] is not None
        bounced = bounced and said.at >= cycle["delivery_at"] - SKEW
        silent = self.state == "EXPIRED" and not cycle["answered"]
        if self.state == "UNDELIVERED":
            cycle["failed_at"] = max(said.at, cycle["failed_at"])
        elif self.state == "INVITED" or (bounced and (self.state == "DELIVERED" or silent)):
            self._note_bounce(said.entered)
            self._undeliverable(value.get("failure") or "other", said.at)

    def _note_bounce(self, entered: datetime) -> None:
        """When the last notice failed, and the earliest deadline that such a failure ended [82]."""
        cycle = self.cycle
        if cycle["deadline_at"] is not None:
            known, deadline = cycle["bounced"] or (entered, cycle["deadline_at"])
            cycle["bounced"] = (max(entered, known), min(cycle["deadline_at"], deadline))

    def _undeliverable(self, failure: str, at: datetime) -> None:
        cycle = self.cycle
        cycle["failed_at"] = max(at, cycle["failed_at"] or at)
        cycle["delivery_at"] = None
        self.state = "UNDELIVERED"
        self.emit("invitation.undeliverable", failure)
        self.lift_all("undeliverable")
        if cycle["extend_waits"] is not None:
            self.promise(cycle["extend_waits"])
