"""Counts the events of shadow and live in a period, by step of the funnel and by surface."""

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
class ShadowCounts:
    """The counts of one platform in a period.

    `shadow`, `live`: the lines of the funnel; None: nothing happened. `surfaces`: by surface and
    mode, how many accounts got a restriction in the period, and how many are restricted at its end.
    An account is in one mode, but a surface of a live account may be in shadow.
    """

    shadow: Line | None
    live: Line | None
    surfaces: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    restricted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The same over all surfaces, by mode."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts as JSON of `byline shadow report --json`."""

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


def said(connection: Connection, platform: str, start: int, end: int) -> ShadowCounts:
    """Counts the events of a platform from `start` to `end` (ms, without it)."""
    lines = {}
    for mode in (Mode.SHADOW, Mode.ENFORCE):
        found = funnel(connection, Asked(start, end, platform=platform, mode=mode))
        # `eligible` is counted without a mode, so a line with this count alone is ambiguous.
        lines[mode] = found[0] if found and any(found[0].counts.values()) else None
    told = ShadowCounts(lines[Mode.SHADOW], lines[Mode.ENFORCE])
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
    """Counts the shadow events of a period by name."""
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
    """Counts the accounts that were invited in shadow in a period, each once."""
    cycles = tables.cycles
    statement = select(func.count(func.distinct(cycles.c.account))).where(
        cycles.c.platform == platform,
        cycles.c.mode == Mode.SHADOW,
        cycles.c.issued_at >= start,
        cycles.c.issued_at < end,
    )
    return connection.scalar(statement) or 0


def unproven(connection: Connection, platform: str, accounts: Iterable[str]) -> tuple[int, int]:
    """Returns two counts of these accounts (ids without platform).

    The first: those that ever got a live notice. The second: those of them whose newest notice has
    no proof of delivery, because it failed or no receipt or answer came.
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
