"""Measures how enforcing systems carry out throttle events: share and delay of acknowledgements.

A system is expected to carry out events of each platform and surface of which it has ever
acknowledged an event: its duties. A system that never acknowledged anything is not known, so its
silence means nothing. A known system is silent since the first event of its duties that is newer
than all events it has acknowledged.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median_low
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from schemas.enums import AckOutcome, Mode
from streams.core.model.instants import rfc3339
from streams.index import tables
from streams.index.unobeyed import SAID, THROTTLES

Duty = tuple[str, str]
"""A platform and a surface."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The question: a period (ms, without its end), and a platform; None: all.

    `before`: events decided at or after it (ms) do not count: they may still be acknowledged.
    """

    start: int
    end: int
    before: int
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """An enforcing system in a period.

    `asked`: events that it had to carry out. `acknowledged`: events that it said it carried out.
    `failed`: events for which it only ever reported a failure. `median_ms`, `p95_ms`: delay from
    decision to acknowledgement; None: it acknowledged nothing. `silent_since` (ms): None: it is not
    silent.
    """

    system: str
    duties: tuple[Duty, ...]
    asked: int
    acknowledged: int
    failed: int
    median_ms: int | None
    p95_ms: int | None
    silent_since: int | None

    @property
    def share_ppm(self) -> int | None:
        """The share of acknowledged in asked events, in millionths; None: none were asked."""
        return self.acknowledged * 1_000_000 // self.asked if self.asked else None

    def as_dict(self) -> dict[str, Any]:
        """Returns the system as JSON of `byline propagation --json`."""
        since = None if self.silent_since is None else rfc3339(self.silent_since)
        duties = [{"platform": platform, "surface": surface} for platform, surface in self.duties]
        plain = asdict(self) | {"silent_since": since, "duties": duties}
        return {**plain, "share_ppm": self.share_ppm}


class _Heard(NamedTuple):
    """A system's acknowledgements in the period: delays (ms), and the number of failures."""

    delays: list[int]
    failed: int


def systems(connection: Connection, asked: Asked) -> list[System]:
    """Returns every system that ever acknowledged an event, in order of names."""
    duties, newest = _duties(connection, asked.platform)
    if not duties:
        return []
    counts = _counts(connection, asked)
    heard = _heard(connection, asked)
    found = []
    for name in sorted(duties):
        mine = tuple(sorted(duties[name]))
        said = heard.get(name, _Heard([], 0))
        delays = sorted(said.delays)
        found.append(
            System(
                name,
                mine,
                sum(counts.get(it, 0) for it in mine),
                len(delays),
                said.failed,
                median_low(delays) if delays else None,
                delays[min(len(delays) - 1, len(delays) * 95 // 100)] if delays else None,
                _silent_since(connection, mine, newest[name], asked.before),
            )
        )
    return found


def _mine() -> Any:
    events, acks = tables.events, tables.acks
    return and_(
        events.c.account == acks.c.account,
        events.c.event_id == acks.c.event_id,
        events.c.topic == THROTTLES,
        events.c.mode == Mode.ENFORCE,
        events.c.event.in_(SAID),
    )


def _duties(
    connection: Connection, platform: str | None
) -> tuple[Mapping[str, set[Duty]], Mapping[str, int]]:
    """Returns each system's duties, and when (ms) the newest event it acknowledged was decided."""
    events, acks = tables.events, tables.acks
    group = (acks.c.system, events.c.platform, events.c.surface)
    statement = select(*group, func.max(events.c.decided_at)).select_from(
        acks.join(events, _mine())
    )
    if platform is not None:
        statement = statement.where(events.c.platform == platform)
    duties: dict[str, set[Duty]] = defaultdict(set)
    newest: dict[str, int] = defaultdict(int)
    for system, name, surface, at in connection.execute(statement.group_by(*group)):
        duties[system].add((name, surface))
        newest[system] = max(newest[system], at)
    return duties, newest


def _counts(connection: Connection, asked: Asked) -> Mapping[Duty, int]:
    """Counts the events of the period by platform and surface."""
    events = tables.events
    group = (events.c.platform, events.c.surface)
    limits = [
        events.c.topic == THROTTLES,
        events.c.mode == Mode.ENFORCE,
        events.c.event.in_(SAID),
        *_period(asked),
    ]
    found = connection.execute(select(*group, func.count()).where(and_(*limits)).group_by(*group))
    return {(platform, surface): count for platform, surface, count in found}


def _period(asked: Asked) -> list[Any]:
    at = tables.events.c.decided_at
    return [at >= asked.start, at < min(asked.end, asked.before)]


def _heard(connection: Connection, asked: Asked) -> Mapping[str, _Heard]:
    """Returns each system's acknowledgements of events in the period.

    The delay of an event is the time (ms) from its decision to the system's first acknowledgement.
    """
    events, acks = tables.events, tables.acks
    done = func.min(case((acks.c.outcome != AckOutcome.FAILED, acks.c.entered_at)))
    statement = (
        select(acks.c.system, done, events.c.decided_at)
        .select_from(acks.join(events, _mine()))
        .where(and_(*_period(asked)))
        .group_by(acks.c.system, acks.c.account, acks.c.event_id, events.c.decided_at)
    )
    if asked.platform is not None:
        statement = statement.where(events.c.platform == asked.platform)
    delays: dict[str, list[int]] = defaultdict(list)
    failed: dict[str, int] = defaultdict(int)
    for system, at, decided_at in connection.execute(statement):
        if at is None:
            failed[system] += 1
        else:
            delays[system].append(max(0, at - decided_at))
    names = {*delays, *failed}
    return {name: _Heard(delays.get(name, []), failed.get(name, 0)) for name in names}


def _silent_since(
    connection: Connection, duties: tuple[Duty, ...], newest: int, before: int
) -> int | None:
    """Returns when (ms) the first event was decided since which a system is silent, or None.

    The event is of its duties, newer than `newest`, the last one that it acknowledged, and was
    decided before `before`. Times are in ms.
    """
    events = tables.events
    limits = [
        events.c.topic == THROTTLES,
        events.c.mode == Mode.ENFORCE,
        events.c.event.in_(SAID),
        events.c.decided_at > newest,
        events.c.decided_at < before,
    ]
    group = (events.c.platform, events.c.surface)
    statement = select(*group, func.min(events.c.decided_at)).where(and_(*limits)).group_by(*group)
    found = [at for *duty, at in connection.execute(statement) if tuple(duty) in duties]
    return min(found, default=None)
