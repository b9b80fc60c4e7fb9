"""Work-lists for people, from the topics alone: undeliverable, pending, open appeals.

Each account is known by its newest event (the order number tells) and its controls; nothing else
is remembered, so that a list over millions of accounts fits in memory.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from schemas.inputs import Control, input_key
from schemas.words import Command, Event
from streams.operate.audit.records import Record, iso, millis, stamp

WorkList = Literal["undeliverable", "pending", "appeals"]
WORK_LISTS: tuple[WorkList, ...] = ("undeliverable", "pending", "appeals")
TOPICS = ("invitations", "consents", "controls")
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
    _holds: dict[str, int | None] = field(default_factory=dict)
    _appeals: dict[str, tuple[int, str]] = field(default_factory=dict)

    def feed(self, record: Record) -> None:
        """Take one record."""
        if record.value is None or record.key is None:
            return
        key = record.key.decode(errors="replace")
        if record.topic == "controls":
            self._control(key, record.value)
        else:
            self._event(key, json.loads(record.value))

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

    def _control(self, key: str, value: bytes) -> None:
        try:
            control = Control.model_validate_json(value)
        except ValidationError:
            return
        if input_key("controls", control) != key:
            return
        match control.command:
            case Command.HOLD:
                ends = control.expires_at
                self._holds[key] = None if ends is None else stamp(ends)
            case Command.UNHOLD:
                self._holds.pop(key, None)
            case Command.APPEAL_OPENED:
                self._appeals[key] = (stamp(control.issued_at), control.reason.value)
            case Command.APPEAL_UPHELD | Command.APPEAL_REJECTED:
                self._appeals.pop(key, None)

    def rows(self, which: WorkList, now: int, within: int) -> list[Row]:
        """The list at an instant; `pending` within so many milliseconds; the oldest or nearest
        first. What is pending and held, or under appeal, is named with what it waits for.
        """
        if which == "undeliverable":
            return _sorted(
                Row(key, it.decided_at, it.reason, None, it.surfaces, (), it.invitation_id)
                for key, it in self._lives.items()
                if it.event == Event.INVITATION_UNDELIVERABLE
            )
        if which == "appeals":
            return _sorted(
                Row(key, iso(at), reason, None, self._lives.get(key, _Life()).surfaces)
                for key, (at, reason) in self._appeals.items()
            )
        return _sorted(
            Row(
                key,
                it.decided_at,
                "declined" if it.declined else "no_answer",
                it.deadline_at,
                it.surfaces,
                self._waits(key, now),
                it.invitation_id,
            )
            for key, it in self._lives.items()
            if it.event in WAITING and it.deadline_at and millis(it.deadline_at) <= now + within
        )

    def _waits(self, key: str, now: int) -> tuple[str, ...]:
        until = self._holds.get(key, 0)
        held = ("hold",) if until is None or until > now else ()
        return (*held, *(("appeal",) if key in self._appeals else ()))


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.due_at or row.since, row.account))
