"""What shadow said in a period, beside what live did: by step, and by surface."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, func, select

from schemas.enums import Event, Mode
from schemas.topics import OUTPUTS
from streams.index import tables
from streams.index.funnel import Asked, Line, funnel

SHADOW_TOPICS = tuple(topic.name for topic in OUTPUTS if topic.name.startswith("shadow."))


@dataclass(slots=True)
class Said:
    """Of one platform. `shadow`, `live`: the lines of the funnel; None: nothing happened.

    `surfaces`: by surface and mode the accounts that were restricted at any time of the period, and
    those that still are at its end. An account is in one mode; a surface of its own may be in
    shadow.
    """

    shadow: Line | None
    live: Line | None
    surfaces: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    restricted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By mode, over all surfaces: ever in the period, and at its end."""

    def as_dict(self) -> dict[str, Any]:
        """For a program to read."""

        def pair(it: tuple[int, int]) -> dict[str, int]:
            return {"ever": it[0], "at_the_end": it[1]}

        return {
            "shadow": None if self.shadow is None else self.shadow.as_dict(),
            "live": None if self.live is None else self.live.as_dict(),
            "restricted": {mode: pair(it) for mode, it in sorted(self.restricted.items())},
            "surfaces": {
                surface: {mode: pair(it) for mode, it in sorted(its.items())}
                for surface, its in sorted(self.surfaces.items())
            },
        }


def said(connection: Connection, platform: str, start: int, end: int) -> Said:
    """What went out from `start` to `end` (ms, the end is not in it)."""
    lines = {}
    for mode in (Mode.SHADOW, Mode.ENFORCE):
        found = funnel(connection, Asked(start, end, platform=platform, mode=mode))
        # Who became eligible did so whatever the mode.
        lines[mode] = found[0] if found and any(found[0].counts.values()) else None
    told = Said(lines[Mode.SHADOW], lines[Mode.ENFORCE])
    ever: dict[tuple[str, str], set[str]] = {}
    now: dict[tuple[str, str], set[str]] = {}
    for account, mode, surface, event, at in _throttles(connection, platform, end):
        place = (surface, mode)
        if event == Event.THROTTLE_APPLIED:
            now.setdefault(place, set()).add(account)
            if at >= start:
                ever.setdefault(place, set()).add(account)
        elif event == Event.THROTTLE_LIFTED:
            now.setdefault(place, set()).discard(account)
    for place in {*ever, *now}:
        pair = (len(ever.get(place, ())), len(now.get(place, ())))
        if any(pair):
            told.surfaces.setdefault(place[0], {})[place[1]] = pair
    for mode in (Mode.SHADOW, Mode.ENFORCE):
        sets = [{a for (_, m), its in by.items() if m == mode for a in its} for by in (ever, now)]
        told.restricted[mode] = (len(sets[0]), len(sets[1]))
    return told


def _throttles(connection: Connection, platform: str, end: int) -> Iterable[Any]:
    events = tables.events
    mine = and_(
        events.c.topic.in_(("throttles", "shadow.throttles")),
        events.c.platform == platform,
        events.c.decided_at < end,
    )
    columns = (events.c.account, events.c.mode, events.c.surface, events.c.event)
    order = (events.c.topic, events.c.partition, events.c.offset)
    return connection.execute(select(*columns, events.c.decided_at).where(mine).order_by(*order))


def counted(connection: Connection, platform: str, start: int, end: int) -> Counter[str]:
    """By event, how many went out in shadow."""
    events = tables.events
    statement = (
        select(events.c.event, func.count())
        .where(
            events.c.topic.in_(SHADOW_TOPICS),
            events.c.platform == platform,
            events.c.decided_at >= start,
            events.c.decided_at < end,
        )
        .group_by(events.c.event)
    )
    return Counter({str(event): int(count) for event, count in connection.execute(statement)})


def invited(connection: Connection, platform: str, start: int, end: int) -> int:
    """Accounts that shadow invited at least once."""
    cycles = tables.cycles
    statement = select(func.count(func.distinct(cycles.c.account))).where(
        cycles.c.platform == platform,
        cycles.c.mode == Mode.SHADOW,
        cycles.c.issued_at >= start,
        cycles.c.issued_at < end,
    )
    return connection.scalar(statement) or 0


def unproven(connection: Connection, platform: str, accounts: Iterable[str]) -> tuple[int, int]:
    """Of accounts: how many were ever sent a live notice, and the newest of how many of these has
    no proof of delivery, because it failed or nobody ever heard of it.
    """
    cycles = tables.cycles
    mine = select(
        cycles.c.account, cycles.c.cycle, cycles.c.delivered_at, cycles.c.undeliverable_at
    ).where(
        cycles.c.platform == platform,
        cycles.c.mode == Mode.ENFORCE,
        cycles.c.issued_at.is_not(None),
    )
    newest: dict[str, tuple[int, bool]] = {}
    for account, cycle, delivered, failed in connection.execute(mine):
        if cycle >= newest.get(account, (0, False))[0]:
            proof = delivered is not None and (failed is None or failed < delivered)
            newest[account] = (cycle, proof)
    told = [newest[name] for it in accounts if (name := f"{platform}:{it}") in newest]
    return len(told), sum(not proof for _, proof in told)
