"""Unclear words of an account, and the seventeenth open appeal.

schemas/CONTRACT.md, "Answers, receipts, unclear words" and "Controls and appeals".
"""

from dataclasses import dataclass
from datetime import datetime

from tests.oracle.words import OracleSaid

ANSWERS = "consent-answers"
APPEALS = "appeals"
"""Appeals beyond the sixteen that may be open: only `settle` ends them."""


@dataclass
class UnclearGroup:
    """Unclear words of one kind. Times of a refused record are its entry."""

    first: datetime
    newest: datetime
    entered: datetime
    own_time: datetime | None


class OracleUnclear:
    """What is unclear about an account, by topic, and what ended it."""

    def __init__(self) -> None:
        self.groups: dict[str, UnclearGroup] = {}
        self.over: list[tuple[datetime, datetime]] = []
        self._answered: OracleSaid | None = None
        """The newest granted or declined applied, by entry."""
        self.by_answer: tuple[datetime, datetime] | None = None
        """The stop that the last granted or declined ended."""

    def __bool__(self) -> bool:
        return bool(self.groups)

    def open(self, topic: str, entered: datetime, own_time: datetime | None = None) -> None:
        """An unclear word. `own_time`: None where it could not be read."""
        answered = self._answered if topic == ANSWERS else None
        if answered is not None and answered.entered > entered:
            settled = own_time is None or answered.at >= own_time
        else:
            settled = False
        if settled:
            return
        at = entered if own_time is None else own_time
        group = self.groups.setdefault(topic, UnclearGroup(at, at, entered, own_time))
        group.first, group.newest = min(group.first, at), max(group.newest, at)
        group.entered = max(group.entered, entered)
        if own_time is not None:
            group.own_time = max(own_time, group.own_time or own_time)

    def answered(self, said: OracleSaid) -> None:
        """A granted or declined is applied: it ends (a) unless it is older than what is unclear."""
        if self._answered is None or said.entered >= self._answered.entered:
            self._answered = said
        self.by_answer = None
        group = self.groups.get(ANSWERS)
        if group is None or said.entered < group.entered:
            return
        if group.own_time is None or said.at >= group.own_time:
            self._end(ANSWERS, said.last)
            self.by_answer = (group.first, said.last)

    def applied(self, topic: str, said: OracleSaid) -> None:
        """A word of `account-changes` or `controls` is applied: it ends (b) of its topic."""
        group = self.groups.get(topic)
        if group is not None and said.entered >= group.entered:
            self._end(topic, said.last)

    def settle(self, said: OracleSaid) -> None:
        """Ends what is there and not later than its time."""
        for topic, group in list(self.groups.items()):
            if said.at >= group.newest:
                self._end(topic, said.last)

    def cycle_ended(self, at: datetime) -> None:
        """(a) ends with the cycle or the consent."""
        if ANSWERS in self.groups:
            self._end(ANSWERS, at)

    def _end(self, topic: str, at: datetime) -> None:
        self.over.append((self.groups.pop(topic).first, at))
