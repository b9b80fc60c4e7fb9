"""What the owner's word does to a life.

schemas/CONTRACT.md, "Which word is the newest", "Answers, receipts, unclear words" and
"Invitation".
"""

from typing import Any

from schemas.enums import Ignored
from tests.oracle.unclear import ANSWERS
from tests.oracle.words import KINDS, SKEW, OracleSaid

ANSWERS_KIND = KINDS["granted"]


class AnswerRules:
    """Mixed into `Life`."""

    def _answer(self, value: dict[str, Any], said: OracleSaid) -> None:
        word = value["answer"]
        named = (value.get("invitation_id"), value.get("notice_version"))
        more = None if word == "withdrawn" else named
        if self.words.repeats(ANSWERS_KIND, word, said, more):
            self.ignore(Ignored.REPEAT)
            return
        unheard = None if word == "withdrawn" else self._why_not(value, said)
        if unheard is not None:
            self.ignore(unheard)
            return
        if self.words.stale(ANSWERS_KIND, word, said):
            self.words.hear(ANSWERS_KIND, word, said, more)
            self.ignore(Ignored.STALE)
            if word == "granted" and self.state not in ("NONE", "GRANTED"):
                self._taken_back(said)
            return
        if word == "granted" and self.state == "GRANTED" and not self._newer_grant(value, said):
            self.ignore(Ignored.RECORDED)
            return
        self.words.apply(ANSWERS_KIND, word, said, more)
        if word != "withdrawn":
            self.brakes.unclear.answered(said)
        if self.state != "NONE" and self.cycle["mode"] != "shadow":
            self._answered(value, said)

    def _why_not(self, value: dict[str, Any], said: OracleSaid) -> Ignored | None:
        """Why a grant or a refusal answers nothing that was asked; it may be an unclear word."""
        if self.over or not self._answers_count():
            return Ignored.NO_CYCLE
        first = self.cycle["first_issued_at"]
        late = said.entered > first
        why = None
        if not self.names_cycle(value):
            why = Ignored.OTHER_CYCLE
        elif value.get("invitation_id") is None and said.at < first - SKEW:
            why = Ignored.BEFORE_ISSUE
        elif value["answer"] == "granted" and self._notice_of(value) is None:
            why, late = Ignored.OTHER_NOTICE, True
        if why is not None and late:
            self.brakes.unclear.open(ANSWERS, said.entered, said.at)
            return Ignored.UNCLEAR
        return why

    def _notice_of(self, value: dict[str, Any]) -> int | None:
        """The place of the notice that a grant counts for, of those in force since the issue."""
        notices = self.cycle["notices"]
        version = value.get("notice_version") or notices[0][1]
        places = [place for place, one in enumerate(notices) if one[1] == version]
        return places[-1] if places else None

    def _newer_grant(self, value: dict[str, Any], said: OracleSaid) -> bool:
        place = self._notice_of(value)
        assert place is not None
        named = value.get("notice_version") is not None
        known = self.cycle["notices"][self.cycle["consent"]]
        other = self.cycle["notices"][place][:2] != known[:2]
        newer = place > self.cycle["consent"] and other
        return named and newer and said.at > self.cycle["consent_at"]

    def _taken_back(self, said: OracleSaid) -> None:
        """A grant read after a later refusal or withdrawal gives nothing, but ends the cycle."""
        words = self.words.of_word
        others = [words.get((ANSWERS_KIND, word)) for word in ("declined", "withdrawn")]
        at = max(other for other in others if other is not None)
        self.lift_all("granted")
        self.emit("consent.withdrawn", "answer", answered_at=at)
        self.end_cycle()

    def _answered(self, value: dict[str, Any], said: OracleSaid) -> None:
        answer, cycle = value["answer"], self.cycle
        cycle["reissue"], cycle["extend_waits"] = None, None
        if answer == "granted":
            self._granted(value, said)
        elif self.state == "GRANTED":
            self.emit("consent.withdrawn", "answer", answered_at=said.at)
            self.end_cycle()
        elif answer == "declined":
            misplaced = self.read_out_of_place(said.at, said.entered)
            if self.state in ("INVITED", "UNDELIVERED"):
                self.deliver(said.at, "answer")
                # Nobody had told a deadline, and the one told now has passed [93].
                told = cycle["deadline_at"]
                misplaced = misplaced or (told is not None and said.entered > told)
            cycle["answered"] = True
            if self.state == "DELIVERED":
                self.state, cycle["refused_at"] = "DECLINED", said.at
                cycle["refusal_entered"] = said.entered
                cycle["overdue"] = cycle["overdue"] or misplaced
                self.refused_within_policy()
                self.emit("consent.declined", "answer", answered_at=said.at)

    def _granted(self, value: dict[str, Any], said: OracleSaid) -> None:
        cycle, reason = self.cycle, "answer"
        place = self._notice_of(value)
        assert place is not None
        if self.state in ("INVITED", "UNDELIVERED"):
            self.deliver(said.at, "answer")
        elif self.state == "EXPIRED":
            reason = "in_time" if said.at <= cycle["deadline_at"] else "late"
        self.state = "GRANTED"
        cycle.update(answered=True, consent=place, consent_at=said.at)
        version = cycle["notices"][place][1]
        self.emit("consent.granted", reason, answered_at=said.at, notice_version=version)
        self.lift_all("granted")
        given = cycle["notices"][place][:2]
        later = cycle["notices"][place + 1 :]
        if any(renew and (name, number) != given for name, number, renew in later):
            self.emit("consent.voided", "notice")
            self.end_cycle(cool_down=False)
