"""What each input does to a life: the rows of contract section 5 that an input takes."""

from datetime import datetime, timedelta
from typing import Any

from tests.oracle.policy import instant

SKEW = timedelta(minutes=5)
"""By so much may another's clock be off (contract section 3)."""


class InputRules:
    """Mixed into `Life`; every method here answers to one topic."""

    def take(self, name: str, value: Any) -> str:
        """Apply one input and name the cause that conditions are looked at for."""
        if name == "policy":
            self.policy = value
            self.facts.policy_at = self.clock
            return "policy"
        if name == "follower-counts":
            return self._reading(value)
        if name == "category-changes":
            self.facts.read_label(value, self.clock, self.policy)
        elif name == "account-changes":
            self._account_change(value["change"], instant(value["observed_at"]))
        elif name == "notice-receipts":
            self._receipt(value)
        elif name == "consent-answers":
            self._answer(value)
        elif name == "controls":
            self._control(value)
        elif name == "switches":
            self.brakes.set_switch(value, instant(value["issued_at"]))
        else:
            raise ValueError(f"no such input: {name}")
        return "input"

    def _reading(self, value: Any) -> str:
        if value is not None:
            had_cycle = any(self.cycles.values())
            self.facts.read_count(value, self.policy, bool(had_cycle or self.controls_seen))
        return "reading"

    def _account_change(self, change: str, at: datetime) -> None:
        self.facts.change(change, at)
        if change not in ("closed", "owner_changed"):
            return
        if self.state == "GRANTED":
            self.emit("consent.voided", change)
            self.end_cycle()
        elif self.state != "NONE":
            self.close(change)

    def _names_cycle(self, value: dict[str, Any]) -> bool:
        if self.state == "NONE":
            return False
        mine = self.invitation_id(self.cycle["mode"], self.cycle["number"])
        return value.get("invitation_id") in (None, mine)

    def _receipt(self, value: dict[str, Any]) -> None:
        if not self._names_cycle(value) or self.cycle["mode"] == "shadow":
            return
        at = instant(value["occurred_at"])
        told = (at, value["outcome"])
        if told in self.cycle["receipts"]:
            return
        self.cycle["receipts"].add(told)
        if value["outcome"] == "delivered":
            if self.state in ("INVITED", "UNDELIVERED"):
                self.deliver(at, "receipt")
        elif self.state == "INVITED" or (
            self.state == "DELIVERED" and at >= self.cycle["delivered_at"]
        ):
            self.state = "UNDELIVERED"
            self.emit("invitation.undeliverable", value.get("failure") or "other")

    def _answer(self, value: dict[str, Any]) -> None:
        at, answer = instant(value["occurred_at"]), value["answer"]
        if self.answered_at is not None and at < self.answered_at:
            return
        then = self.answers_then if at == self.answered_at else set()
        if answer in then or (answer == "granted" and "withdrawn" in then):
            return
        if answer != "withdrawn" and not self._asked(value, at):
            return
        self.answers_then = {answer} | then
        self.answered_at = at
        if self.state != "NONE" and self.cycle["mode"] != "shadow":
            self._answered(answer, at)

    def _asked(self, value: dict[str, Any], at: datetime) -> bool:
        """Whether a grant or a refusal answers the live invitation at hand, and its notice."""
        if not self._names_cycle(value) or self.cycle["mode"] == "shadow":
            return False
        if value.get("invitation_id") is None and at < self.cycle["first_issued_at"] - SKEW:
            return False
        same = value.get("notice_version") in (None, self.cycle["notice"][1])
        return same or value["answer"] != "granted"

    def _answered(self, answer: str, at: datetime) -> None:
        if self.state == "GRANTED":
            if answer != "granted":
                self.emit("consent.withdrawn", "answer", answered_at=at)
                self.end_cycle()
        elif answer == "granted":
            self._granted(at)
        elif answer == "declined":
            if self.state in ("INVITED", "UNDELIVERED"):
                self.deliver(at, "answer")
            if self.state == "DELIVERED":
                self.state = "DECLINED"
                self.emit("consent.declined", "answer", answered_at=at)

    def _granted(self, at: datetime) -> None:
        notice_version = self.cycle["notice"][1]
        reason = "answer"
        if self.state in ("INVITED", "UNDELIVERED"):
            self.deliver(at, "answer")
        elif self.state == "EXPIRED":
            reason = "in_time" if at <= self.cycle["deadline_at"] else "late"
        self.state = "GRANTED"
        self.emit("consent.granted", reason, answered_at=at, notice_version=notice_version)
        self.lift_all("granted")

    def _control(self, value: dict[str, Any]) -> None:
        if value["control_id"] in self.controls_seen:
            return
        self.controls_seen.add(value["control_id"])
        command, at = value["command"], instant(value["issued_at"])
        until = instant(value["until"]) if value.get("until") else None
        expires_at = instant(value["expires_at"]) if value.get("expires_at") else None
        if command == "hold":
            self.brakes.hold(value["control_id"], at, expires_at)
        elif command == "unhold":
            self.brakes.unhold(at)
        elif command == "appeal_opened":
            self.brakes.appeal(at)
        elif command == "appeal_rejected":
            self.brakes.verdict(at)
        elif command == "appeal_upheld":
            self._stand_down("appeal")
            self.brakes.verdict(at)
        elif command == "lift":
            self._stand_down("operator")
        elif command == "extend":
            known = self.state in ("DELIVERED", "DECLINED") and self.cycle["deadline_at"]
            if known and until is not None and until > self.cycle["deadline_at"]:
                since = max(instant(value["issued_at"]), self.cycle["counted"][1])
                self.cycle["counted"] = (until, since)
                self.extend(until, "operator")
        elif command == "reissue" and self.state == "UNDELIVERED":
            self.cycle["reissue"] = True

    def _stand_down(self, reason: str) -> None:
        """`lift` and `appeal_upheld`: the invitation ends, or what an expired one restricts."""
        if self.state == "EXPIRED":
            self.lift_all(reason)
        elif self.state in ("INVITED", "UNDELIVERED", "DELIVERED", "DECLINED"):
            self.close(reason)
