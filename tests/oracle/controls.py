"""What an operator's word does to a life.

schemas/CONTRACT.md, "Controls and appeals" and "Invitation".
"""

import json
from typing import Any

from schemas.enums import Ignored
from schemas.inputs import Control
from tests.oracle.policy import instant
from tests.oracle.words import KINDS, OracleSaid

MOST_CONTROLS = 256
FIELDS = tuple(Control.model_fields)


class ControlRules:
    """Mixed into `Life`."""

    def _control(self, value: dict[str, Any], said: OracleSaid) -> None:
        self.had_control = True
        digest = json.dumps([_plain(value.get(name)) for name in FIELDS])
        if any(digest == known for _, known in self.controls):
            self.ignore(Ignored.REPEAT)
            return
        self.controls = sorted([*self.controls, (said.at, digest)], key=lambda one: one[0])
        self.controls = self.controls[-MOST_CONTROLS:]
        effect = getattr(self, "_on_" + value["command"])
        why = effect(value, said)
        if why is not None:
            self.ignore(why)
        if why in (None, Ignored.WAITS) and value["command"] != "settle":
            self.brakes.unclear.applied("controls", said)

    def _on_hold(self, value: dict[str, Any], said: OracleSaid) -> None:
        self.words.apply(KINDS["hold"], "hold", said)
        self.brakes.hold(said, _time(value, "expires_at"), self.clock)

    def _on_unhold(self, value: dict[str, Any], said: OracleSaid) -> Ignored | None:
        if value.get("reason") == "appeal":
            self.brakes.unmark(said.at)
            return None
        if self.words.stale(KINDS["unhold"], "unhold", said):
            return Ignored.STALE
        self.words.apply(KINDS["unhold"], "unhold", said)
        self.brakes.unhold(said)
        return None

    def _on_settle(self, value: dict[str, Any], said: OracleSaid) -> None:
        self.brakes.unclear.settle(said)
        stop = self.brakes.unclear.by_answer
        late = self.state == "DECLINED" and said.entered < self.cycle["refusal_entered"]
        if late and stop is not None:
            self.settled_before_refusal(said, stop)

    def _on_appeal_opened(self, value: dict[str, Any], said: OracleSaid) -> Ignored | None:
        known = self.brakes.appeal(value.get("appeal_id") or "", said)
        return None if known else Ignored.UNCLEAR

    def _on_appeal_rejected(self, value: dict[str, Any], said: OracleSaid) -> Ignored | None:
        appeal_id = value.get("appeal_id") or ""
        if appeal_id not in self.brakes.appeals:
            return Ignored.OTHER_APPEAL
        return None if self.brakes.verdict(appeal_id, said, upheld=False) else Ignored.STALE

    def _on_appeal_upheld(self, value: dict[str, Any], said: OracleSaid) -> None:
        self._stand_down("appeal")
        self.brakes.verdict(value.get("appeal_id") or "", said, upheld=True)
        self.brakes.mark(said.at)

    def _on_lift(self, value: dict[str, Any], said: OracleSaid) -> None:
        self._stand_down("operator")

    def _stand_down(self, reason: str) -> None:
        """`lift` and `appeal_upheld`: the invitation ends, or what an expired one restricts."""
        if self.state == "EXPIRED":
            self.cycle["released"] = True
            self.lift_all(reason)
        elif self.state in ("INVITED", "UNDELIVERED", "DELIVERED", "DECLINED"):
            self.close(reason)

    def _on_reissue(self, value: dict[str, Any], said: OracleSaid) -> Ignored | None:
        if self.state in ("NONE", "GRANTED"):
            return None
        if said.at < self.cycle["issued_at"]:
            return Ignored.STALE
        self.cycle["reissue"] = said.at
        return None

    def _on_extend(self, value: dict[str, Any], said: OracleSaid) -> Ignored | None:
        until = _time(value, "until")
        if until is None:
            return Ignored.NO_UNTIL
        if self.state in ("INVITED", "UNDELIVERED"):
            self.promise(until)
        elif self.state in ("DELIVERED", "DECLINED"):
            if self.cycle["deadline_at"] is None or until <= self.cycle["deadline_at"]:
                return Ignored.NOT_LATER
            since = max(said.at, self.cycle["counted"][1])
            self.cycle["counted"] = (until, since)
            self.extend(until, "operator")
        elif self.state == "EXPIRED":
            self.cycle["extend_waits"] = max(until, self.cycle["extend_waits"] or until)
            return Ignored.WAITS
        return None


def _time(value: dict[str, Any], name: str) -> Any:
    return instant(value[name]) if value.get(name) else None


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)
