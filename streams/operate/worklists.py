"""Work-lists for people, from the topics alone: undeliverable, pending, open appeals.

Each account is known by its newest event (the order number tells) and its controls; nothing else
is remembered, so that a list over millions of accounts fits in memory. What was refused as a dead
letter is not in force.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from schemas.inputs import input_key
from schemas.words import Event
from streams.core.brakes import Brakes
from streams.operate.audit.records import Record, iso, millis
from streams.operate.in_force import Heard, Levers, Standing, heard, refused_place

WorkList = Literal["undeliverable", "pending", "appeals"]
WORK_LISTS: tuple[WorkList, ...] = ("undeliverable", "pending", "appeals")
TOPICS = ("invitations", "consents", "controls", "switches", "dead-letters")
WAITING = frozenset(
    {
        Event.INVITATION_DELIVERED,
        Event.INVITATION_REMINDED,
        Event.INVITATION_EXTENDED,
        Event.CONSENT_DECLINED,
    }
)


@dataclass(slots=True)
class Row:
    """One account on a list. `since` and `due_at` as the wire writes times."""

    account: str
    since: str
    reason: str
    due_at: str | None = None
    surfaces: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    invitation_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a program to read."""
        return asdict(self)


@dataclass(slots=True)
class _Life:
    sequence: int = 0
    event: str = ""
    reason: str = ""
    decided_at: str = ""
    invitation_id: str = ""
    deadline_at: str | None = None
    deadline_sequence: int = 0
    surfaces: tuple[str, ...] = ()
    declined: bool = False


@dataclass(slots=True)
class WorkLists:
    """Feed it every record of TOPICS (live ones), in the order of each topic; then ask."""

    _lives: dict[str, _Life] = field(default_factory=dict)
    _said: dict[str, list[Heard]] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)
    _levers: Levers = field(default_factory=Levers)

    def feed(self, record: Record) -> None:
        """Take one record."""
        if record.value is None or record.key is None:
            return
        if record.topic == "controls":
            word = heard(record)
            if word is not None:
                self._said.setdefault(input_key("controls", word.control), []).append(word)
        elif record.topic in ("switches", "dead-letters"):
            self._levers.feed(record)
            place = refused_place(record)
            if place is not None and place.startswith("controls"):
                self._refused.add(place)
        else:
            self._event(record.key.decode(errors="replace"), json.loads(record.value))

    def _event(self, key: str, event: dict[str, Any]) -> None:
        life = self._lives.setdefault(key, _Life())
        number = event["sequence"]
        if event["event"] == Event.INVITATION_ISSUED:
            life.surfaces = tuple(event["surfaces_at_stake"])
        if event.get("deadline_at") and number > life.deadline_sequence:
            life.deadline_at, life.deadline_sequence = event["deadline_at"], number
        if number > life.sequence:
            life.sequence, life.event, life.reason = number, event["event"], event["reason"]
            life.decided_at, life.invitation_id = event["decided_at"], event["invitation_id"]
            life.declined = event["event"] == Event.CONSENT_DECLINED or (
                life.declined and event["event"] in WAITING
            )

    def rows(self, which: WorkList, now: int, within: int) -> list[Row]:
        """The list at an instant; `pending` within so many milliseconds; the oldest or nearest
        first. What is pending and held, under appeal or under a brake, is named with what it waits
        for.
        """
        if which == "undeliverable":
            return _sorted(
                Row(key, it.decided_at, it.reason, None, it.surfaces, (), it.invitation_id)
                for key, it in self._lives.items()
                if it.event == Event.INVITATION_UNDELIVERABLE
            )
        if which == "appeals":
            standings = ((key, self._standing(key)) for key in self._said)
            return _sorted(
                Row(
                    key,
                    iso(it.appeal.since),
                    it.appeal_reason,
                    None,
                    self._lives.get(key, _Life()).surfaces,
                )
                for key, it in standings
                if it.appeal is not None
            )
        brakes, _ = self._levers.brakes()
        return _sorted(
            Row(
                key,
                it.decided_at,
                "declined" if it.declined else "no_answer",
                it.deadline_at,
                it.surfaces,
                self._waits(key, now, brakes),
                it.invitation_id,
            )
            for key, it in self._lives.items()
            if it.event in WAITING and it.deadline_at and millis(it.deadline_at) <= now + within
        )

    def _standing(self, key: str) -> Standing:
        standing = Standing()
        for place, control in self._said.get(key, ()):
            if place not in self._refused:
                standing.hear(control)
        return standing

    def _waits(self, key: str, now: int, brakes: Brakes) -> tuple[str, ...]:
        standing = self._standing(key)
        people = (
            *(("hold",) if standing.hold_at(now) is not None else ()),
            *(("appeal",) if standing.appeal is not None else ()),
        )
        platform = key.partition(":")[0]
        return (*people, *brakes.stopping(platform, Event.INVITATION_EXPIRED))


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.due_at or row.since, row.account))
