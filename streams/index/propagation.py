"""Who carries out what was decided: share and delay of acknowledgement, by enforcing system.

A system is held to the platforms and surfaces of which it has ever acknowledged an event. As long
as none has ever acknowledged anything, there is none, and silence means nothing. Once one has, its
silence is told: since the first event that is newer than all it has acknowledged.
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
    """A period (ms; the end is not in it) and a platform or all.

    `before`: events decided later may still be acknowledged, and count neither way.
    """

    start: int
    end: int
    before: int
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """An enforcing system in a period. Delays in milliseconds, None where it acknowledged nothing.

    `asked`: events that it had to carry out. `failed`: of these it only ever said that it could
    not. `silent_since`: None while it speaks.
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
        """Acknowledged of asked, in millionths."""
        return self.acknowledged * 1_000_000 // self.asked if self.asked else None

    def as_dict(self) -> dict[str, Any]:
        """For a program to read."""
        since = None if self.silent_since is None else rfc3339(self.silent_since)
        duties = [{"platform": platform, "surface": surface} for platform, surface in self.duties]
        plain = asdict(self) | {"silent_since": since, "duties": duties}
        return {**plain, "share_ppm": self.share_ppm}


class _Heard(NamedTuple):
    """What a system said of the events of the period."""

    delays: list[int]
    failed: int


def systems(connection: Connection, asked: Asked) -> list[System]:
    """Every system that ever acknowledged an event, by name."""
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
    """Of each system its duties, and when the newest event was decided that it spoke of."""
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
    """How many events of the period each platform and surface has."""
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
    """Of each system the delay of its first acknowledgement of each event that it carried out."""
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
    """The first event of its duties that is newer than all that it spoke of, and old enough."""
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
