"""The check that no restriction comes before its deadline."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.enums import Event
from streams.local.demo.evidence import Evidence, instant, place
from streams.local.demo.tally import Seen


@dataclass(slots=True)
class Told:
    """What the events of one invitation told its owner: window and deadlines."""

    window: timedelta = timedelta(0)
    answer_by: datetime | None = None
    delivered_at: datetime | None = None
    deadlines: list[datetime] = field(default_factory=list)


def no_restriction_before_its_deadline(evidence: Evidence) -> Iterator[str]:
    """Checks that a restriction follows a delivered notice and the whole window with extensions.

    Yields a sentence for each fault.
    """
    told = _told(evidence.events)
    for item in evidence.events:
        if item.event == Event.THROTTLE_APPLIED:
            yield from _early(item, told[str(item.value.get("invitation_id"))])
    for invitation_id, one in told.items():
        if one.deadlines != sorted(one.deadlines):
            yield f"the deadline of {invitation_id} moved to an earlier time"


def _told(events: Sequence[Seen]) -> dict[str, Told]:
    told: dict[str, Told] = defaultdict(Told)
    for item in sorted(events, key=lambda item: int(item.value.get("sequence", 0))):
        one = told[str(item.value.get("invitation_id"))]
        if item.event == Event.INVITATION_ISSUED:
            one.window = timedelta(seconds=item.value.get("answer_window_seconds") or 0)
            by = item.value.get("answer_by")
            one.answer_by = None if by is None else instant(by)
        elif item.event == Event.INVITATION_DELIVERED:
            one.delivered_at = instant(item.value["delivered_at"])
        if item.event.startswith("invitation.") and item.value.get("deadline_at"):
            one.deadlines.append(instant(item.value["deadline_at"]))
    return told


def _early(item: Seen, told: Told) -> Iterator[str]:
    where = f"{place(item)}: {item.key} {item.value.get('surface')}"
    if told.delivered_at is None or not told.deadlines:
        yield f"{where} was restricted without a delivered notice"
        return
    deadline = told.deadlines[-1]
    for name in ("effective_at", "decided_at"):
        moment = instant(item.value[name])
        if moment < deadline:
            yield f"{where}: {name} {moment} is before the deadline {deadline}"
    if deadline < told.delivered_at + told.window:
        yield f"{where}: the deadline {deadline} leaves less than the whole window"
    if told.answer_by is not None and deadline < told.answer_by:
        yield f"{where}: the deadline {deadline} is before the announced {told.answer_by}"
    if instant(item.value["statement"]["deadline_at"]) != deadline:
        yield f"{where}: its statement names another deadline"
