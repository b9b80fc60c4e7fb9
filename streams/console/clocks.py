"""Reads what an account waits for: its answer windows, and the time of each due timer."""

from collections.abc import Iterator
from typing import NamedTuple

from schemas.enums import Mode
from streams.console.charts import DialClock, clock
from streams.core.lifecycle import Invitation
from streams.core.model.instants import merge, reckon
from streams.core.model.timer import Timer
from streams.core.rules.agenda import agenda_of
from streams.core.rules.invitation import clock_stops
from streams.operate.account_states import Known


class PageDue(NamedTuple):
    """A timer: what it is, when it acts (ms), of which surface, and whether it is adverse."""

    timer: Timer
    at: int
    surface: str | None
    adverse: bool


def clocks(known: Known) -> Iterator[DialClock]:
    """Yields the clock of the open invitation, live or shadow, if the owner can still answer."""
    account, context = known.account, known.context
    for mode in (Mode.ENFORCE, Mode.SHADOW):
        life = account.life(mode)
        cycle = life.cycle
        if cycle is None or life.state not in (Invitation.DELIVERED, Invitation.DECLINED):
            continue
        if cycle.deadline_at is None or cycle.clock_base is None or cycle.clock_from is None:
            continue
        stops = clock_stops(account, cycle, context)
        found = reckon(cycle.clock_base, cycle.clock_from, stops)
        deadline, counted_to = max(found.deadline, cycle.deadline_at), context.now
        if found.stopped:
            deadline = found.deadline
            counted_to = next(start for start, end in merge(stops) if end is None)
            counted_to = max(counted_to, cycle.clock_from)
        left = max(0, deadline - counted_to)
        start = cycle.delivered_at or cycle.clock_from
        kept = [(max(since, start), until) for since, until in stops]
        yield clock(str(mode), start, deadline, context.now, kept, left, found.stopped)


def due(known: Known) -> list[PageDue]:
    """Returns what is due, the nearest first; not the deadline of a clock that stands still."""
    still = {it.mode for it in clocks(known) if it.stopped}
    agenda = agenda_of(known.account, known.context).items
    items = [it for it in agenda if it.timer is not Timer.DEADLINE or str(it.mode) not in still]
    found = [
        PageDue(it.timer, it.at, None if it.surface is None else str(it.surface), it.timer.adverse)
        for it in items
    ]
    return sorted(found, key=lambda it: (it.at, it.timer.rank))
