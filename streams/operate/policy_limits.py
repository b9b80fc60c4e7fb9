"""Compares stability, consequence, caps and guards of two versions of a policy."""

from collections.abc import Iterator
from math import inf

from schemas.enums import Level, Surface
from streams.core.model.policy import Guards, Policy, Restriction
from streams.operate.policy_compare import (
    NEW_ONLY,
    Direction,
    PolicyDifference,
    listed,
    measure,
    plain,
    size_or,
    strength,
)
from streams.operate.policy_show import ratio_words
from streams.policies.scalars import format_duration


def stability(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    """Yields the differences of `stability`: dwell, exit ratio and the other times."""
    old, new = a.stability, b.stability
    for key, before, after, stricter_up in (
        ("dwell", old.dwell, new.dwell, False),
        ("leave_after", old.leave_after, new.leave_after, True),
        ("cool_down", old.cool_down, new.cool_down, False),
        ("max_age", old.max_age, new.max_age, True),
    ):
        yield from measure(
            f"stability.{key}",
            before,
            after,
            format_duration,
            size_or(inf),
            stricter_up=stricter_up,
        )
    ratios = (old.exit_ratio_ppm, new.exit_ratio_ppm)
    yield from measure("stability.exit_ratio", *ratios, ratio_words, float, stricter_up=False)


def consequence(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    """Yields the differences of `consequence`: surfaces, levels, grounds, review and end."""
    old, new = a.consequence, b.consequence
    if (old.surfaces is None) != (new.surfaces is None):
        words = ["null" if c.surfaces is None else "announced" for c in (old, new)]
        yield from plain("consequence.surfaces", *words)
    before, after = old.surfaces or {}, new.surfaces or {}
    for surface in Surface:
        yield from measure(
            f"consequence.surfaces.{surface.value}",
            before.get(surface),
            after.get(surface),
            _restriction_words,
            _restriction_size,
            stricter_up=True,
            note=NEW_ONLY,
            absent="untouched",
        )
    if old.on != new.on:
        stricter = bool(new.on - old.on)
        yield PolicyDifference(
            "consequence.on",
            f"{listed(old.on)} → {listed(new.on)}",
            Direction.STRICTER if stricter else Direction.MILDER,
            NEW_ONLY if stricter else "",
        )
    for key, length, new_length in (
        ("review_after", old.review_after, new.review_after),
        ("expires_after", old.expires_after, new.expires_after),
    ):
        yield from measure(
            f"consequence.{key}", length, new_length, format_duration, float, stricter_up=True
        )


def _restriction_words(restriction: Restriction) -> str:
    mode = "" if restriction.mode is None else f" in {restriction.mode.value}"
    return f"{restriction.level.value}{mode}"


def _restriction_size(restriction: Restriction | None) -> float:
    """Returns how strong a restriction is. Mode outranks level: in shadow nobody is restricted."""
    if restriction is None:
        return -1
    return 2 * strength(restriction.mode) + (restriction.level is Level.OFF)


def limits(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    """Yields the differences of `on_fall_below`, the caps and the roll-out percentage."""
    if a.keep_on_fall_below != b.keep_on_fall_below:
        keeps = b.keep_on_fall_below
        change = "close → keep" if keeps else "keep → close"
        direction = Direction.STRICTER if keeps else Direction.MILDER
        yield PolicyDifference("on_fall_below", change, direction)
    for where, before, after in (
        ("caps.invitations_per_day", a.invitations_per_day, b.invitations_per_day),
        ("caps.throttles_per_hour", a.throttles_per_hour, b.throttles_per_hour),
        ("rollout_percent", a.rollout_percent, b.rollout_percent),
    ):
        yield from measure(where, before, after, str, float, stricter_up=True)


def guards(a: Guards | None, b: Guards | None) -> Iterator[PolicyDifference]:
    """Yields the differences of the guards.

    A guard stops adverse events, so having none, or one with a higher rate, is stricter.
    """
    if a is None or b is None:
        if a is not b:
            change = "removed" if b is None else "added"
            yield PolicyDifference(
                "guards", change, Direction.STRICTER if b is None else Direction.MILDER
            )
        return
    if a.window != b.window:
        yield from plain("guards.window", format_duration(a.window), format_duration(b.window))
    yield from measure("guards.minimum", a.minimum, b.minimum, str, float, stricter_up=True)
    for key, before, after in (
        ("undelivered_ratio", a.undelivered_ppm, b.undelivered_ppm),
        ("overturned_ratio", a.overturned_ppm, b.overturned_ppm),
        ("sudden_eligible_ratio", a.sudden_eligible_ppm, b.sudden_eligible_ppm),
        ("sudden_drop_ratio", a.sudden_drop_ppm, b.sudden_drop_ppm),
    ):
        yield from measure(
            f"guards.{key}", before, after, ratio_words, size_or(inf), stricter_up=True
        )
