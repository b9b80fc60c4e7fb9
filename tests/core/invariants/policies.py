"""Random policies, with every option, small enough to be crossed often.

schemas/CONTRACT.md, "Policies".
"""

from dataclasses import replace
from random import Random
from typing import Any

from schemas.enums import Field, Level, Mode, Surface
from streams.core.model.policy import (
    Consequence,
    Guards,
    Notice,
    Phase,
    Policy,
    Restriction,
    Stability,
)
from tests.core.given import DAY, HOUR, MINUTE, START, policy

LABELS = {"财经": Field.FINANCE, "法律": Field.LAW, "军事": Field.MILITARY}
EXEMPT = frozenset({"日常生活"})
_SURFACES = (Surface.RECOMMEND_FEED, Surface.SEARCH, Surface.TIPS, Surface.AD_SHARE)
_MODES = (None, None, None, Mode.SHADOW, Mode.OFF)
_ON = (
    frozenset({"declined", "no_answer"}),
    frozenset({"declined", "no_answer"}),
    frozenset({"declined"}),
    frozenset({"no_answer"}),
    frozenset[str](),
)


def _surfaces(draw: Random) -> dict[Surface, Restriction]:
    chosen = draw.sample(_SURFACES, draw.randrange(1, 4))
    return {
        surface: Restriction(draw.choice((Level.LIMITED, Level.OFF)), draw.choice(_MODES))
        for surface in chosen
    }


def _phases(draw: Random) -> tuple[Phase, ...]:
    answer_by = draw.choice((None, None, START + draw.randrange(1, 5) * DAY))
    first = Phase("first", 1000, START - DAY, answer_by, None)
    if draw.random() < 0.6:
        return (first,)
    starts = draw.choice((None, START - HOUR, START + draw.randrange(1, 60) * HOUR))
    mode = draw.choice((None, None, Mode.SHADOW, Mode.OFF))
    return (first, Phase("second", 500, starts, None, mode))


def _notice(draw: Random, version: str = "1") -> Notice:
    window = draw.choice((6, 24, 72)) * HOUR
    reminders = draw.choice(((), (2 * HOUR,), (6 * HOUR, HOUR)))
    return Notice("notice", version, draw.random() < 0.5, window, reminders)


def _stability(draw: Random) -> Stability:
    return Stability(
        dwell=draw.choice((0, HOUR, HOUR, 6 * HOUR)),
        exit_ratio_ppm=draw.choice((1_000_000, 950_000, 800_000)),
        leave_after=draw.choice((0, HOUR, DAY)),
        cool_down=draw.choice((0, 2 * HOUR, DAY)),
        max_age=draw.choice((None, None, DAY, 3 * DAY)),
    )


def _consequence(draw: Random) -> Consequence:
    expires_after = draw.choice((12 * HOUR, 2 * DAY, 5 * DAY))
    review_after = draw.choice((6 * HOUR, 12 * HOUR))
    return Consequence(_surfaces(draw), draw.choice(_ON), review_after, expires_after)


def _guards(draw: Random) -> Guards | None:
    if draw.random() < 0.8:
        return None
    rate = draw.choice((None, 300_000))
    return Guards(draw.choice((HOUR, DAY)), draw.choice((1, 3)), rate, 500_000, rate, rate)


def _mode(draw: Random) -> Mode:
    return draw.choice((Mode.ENFORCE,) * 8 + (Mode.SHADOW,) * 2 + (Mode.OFF,))


def random_policy(draw: Random, platform: str = "weibo") -> Policy:
    """A policy of version 1."""
    return policy(
        platform=platform,
        mode=draw.choice((Mode.ENFORCE,) * 8 + (Mode.SHADOW,) * 2),
        notice=_notice(draw),
        phases=_phases(draw),
        covered=draw.choice((None, None, frozenset({Field.FINANCE, Field.LAW}))),
        labels=LABELS,
        exempt_labels=EXEMPT,
        stability=_stability(draw),
        consequence=_consequence(draw),
        keep_on_fall_below=draw.random() < 0.3,
        invitations_per_day=draw.choice((0, 1, 2, 1000, 1000, 1000)),
        throttles_per_hour=draw.choice((0, 1, 2, 1000, 1000, 1000)),
        rollout_percent=draw.choice((100, 100, 100, 50)),
        guards=_guards(draw),
    )


def changed(draw: Random, before: Policy) -> Policy:
    """The next version: a few parts drawn anew, so milder in some and stricter in others."""
    parts: dict[str, Any] = {
        "mode": _mode(draw),
        "notice": _notice(draw, draw.choice(("1", "2"))),
        "phases": _phases(draw),
        "covered": draw.choice((None, frozenset({Field.FINANCE}), frozenset({Field.LAW}))),
        "labels": draw.choice((LABELS, {"财经": Field.FINANCE})),
        "stability": _stability(draw),
        "consequence": _consequence(draw),
        "keep_on_fall_below": draw.random() < 0.5,
        "invitations_per_day": draw.choice((0, 1, 1000)),
        "throttles_per_hour": draw.choice((0, 1, 1000)),
        "rollout_percent": draw.choice((0, 50, 100)),
        "guards": _guards(draw),
    }
    chosen = draw.sample(sorted(parts), draw.choice((1, 1, 2, 3)))
    return replace(before, version=before.version + 1, **{name: parts[name] for name in chosen})


def family(draw: Random, platform: str = "weibo") -> tuple[Policy, ...]:
    """A policy and the versions that follow it."""
    versions = [random_policy(draw, platform)]
    for _ in range(draw.choice((1, 2))):
        versions.append(changed(draw, versions[-1]))
    return tuple(versions)


LATE = (0, 0, 0, 1, MINUTE, HOUR, 7 * HOUR, 30 * HOUR)
"""How long an input was under way, in milliseconds."""
