"""Compares two versions of a policy: each difference in words, stricter, milder or neutral.

For `byline policy diff A B`:

    for difference in diff(load_policy(a), load_policy(b)):
        print(difference)             # stricter  notice.answer_window: P14D → P7D (…)
        difference.as_dict()          # the same for --json
    needs_rescan(differences)         # whether readings already dropped must be read again

Stricter means that more accounts can be invited or restricted, sooner, longer or harder. For terms
that are pinned at issue (notice, window, surfaces, levels) a stricter value applies to new
invitations only, a milder one at once (schemas/CONTRACT.md, "Terms"). `show` is in
`policy_show.py`.
"""

from collections.abc import Iterable, Iterator
from math import inf

from schemas.enums import Field
from streams.core.model.policy import Phase, Policy
from streams.operate.policy_compare import (
    LOWERS_FLOOR,
    NEW_ONLY,
    WIDENS_LABELS,
    Direction,
    PolicyDifference,
    listed,
    measure,
    plain,
    size_or,
    strength,
)
from streams.operate.policy_limits import consequence, guards, limits, stability
from streams.operate.policy_show import show
from streams.policies.scalars import format_duration, format_instant

__all__ = ["Direction", "PolicyDifference", "diff", "needs_rescan", "show"]


def needs_rescan(differences: Iterable[PolicyDifference]) -> bool:
    """Returns whether readings and labels must be read again from the start for the new policy."""
    return any(difference.rescan for difference in differences)


def diff(a: Policy, b: Policy) -> list[PolicyDifference]:
    """Returns what changes from `a` to `b`, in the order of the file; empty if only layout does.

    Raises:
        ValueError: the two are not of one platform.
    """
    if a.platform != b.platform:
        raise ValueError(
            f"{a.platform} and {b.platform} are two platforms; compare one with itself"
        )
    return [
        *plain("version", a.version, b.version),
        *measure("mode", a.mode, b.mode, str, strength, stricter_up=True),
        *_notice(a, b),
        *plain("impact_assessment", a.impact_assessment, b.impact_assessment),
        *plain("approvals", _approvers(a), _approvers(b)),
        *_phases(a, b),
        *_fields(a, b),
        *_labels(a, b),
        *stability(a, b),
        *_floor(a, b),
        *consequence(a, b),
        *limits(a, b),
        *guards(a.guards, b.guards),
    ]


def _approvers(policy: Policy) -> str:
    return listed(actor for actor, _ in policy.approvals)


def _notice(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    yield from plain("notice.id", a.notice.id, b.notice.id)
    if b.notice.version != a.notice.version:
        change = f"{a.notice.version} → {b.notice.version}"
        if b.notice.renew:
            note = "voids consents to the old version"
            yield PolicyDifference("notice.version", change, Direction.STRICTER, note)
        else:
            yield PolicyDifference("notice.version", change, Direction.NEUTRAL, NEW_ONLY)
    yield from plain("notice.renew", a.notice.renew, b.notice.renew)
    windows = (a.notice.answer_window, b.notice.answer_window)
    yield from measure(
        "notice.answer_window",
        *windows,
        format_duration,
        size_or(inf),
        stricter_up=False,
        note=NEW_ONLY,
    )
    reminders = [listed(map(format_duration, policy.notice.reminders)) for policy in (a, b)]
    yield from plain("notice.reminders", *reminders)


def _phases(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    old, new = ({phase.name: phase for phase in policy.phases} for policy in (a, b))
    for name, phase in old.items():
        if name not in new:
            change = f"removed ({_phase_words(phase)})"
            direction = Direction.NEUTRAL if phase.starts_at is None else Direction.MILDER
            yield PolicyDifference(f"phases.{name}", change, direction)
    for name, phase in new.items():
        where = f"phases.{name}"
        if name not in old:
            change = f"added ({_phase_words(phase)})"
            direction = Direction.NEUTRAL if phase.starts_at is None else Direction.STRICTER
            yield PolicyDifference(where, change, direction)
            continue
        before = old[name]
        yield from measure(
            f"{where}.followers", before.followers, phase.followers, str, float, stricter_up=False
        )
        for key, absent, old_at, new_at in (
            ("from", inf, before.starts_at, phase.starts_at),
            ("answer_by", -inf, before.answer_by, phase.answer_by),
        ):
            yield from measure(
                f"{where}.{key}", old_at, new_at, format_instant, size_or(absent), stricter_up=False
            )
        yield from measure(
            f"{where}.mode", before.mode, phase.mode, str, strength, stricter_up=True
        )


def _phase_words(phase: Phase) -> str:
    start = "no start" if phase.starts_at is None else f"from {format_instant(phase.starts_at)}"
    return f"{phase.followers} followers, {start}"


def _fields(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    if a.covered == b.covered:
        return
    before, after = (frozenset(Field) if p.covered is None else p.covered for p in (a, b))
    change = f"{_covered(a)} → {_covered(b)}"
    if after - before:
        yield PolicyDifference("fields.covered", change, Direction.STRICTER, WIDENS_LABELS)
    elif before - after:
        yield PolicyDifference("fields.covered", change, Direction.MILDER)
    else:
        yield PolicyDifference("fields.covered", change, Direction.NEUTRAL)


def _covered(policy: Policy) -> str:
    return "any" if policy.covered is None else listed(policy.covered)


def _labels(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    """Yields labels that are mapped differently; `_fields` has what `covered` alone changes."""
    for label in sorted({*a.labels, *b.labels, *a.exempt_labels, *b.exempt_labels}):
        before, after = _meaning(a, label), _meaning(b, label)
        if before == after:
            continue
        old, new = a.field_of(label), b.field_of(label)
        direction, note = Direction.NEUTRAL, ""
        if new is not None and old is None:
            direction, note = Direction.STRICTER, WIDENS_LABELS
        elif old is not None and new is None:
            direction = Direction.MILDER
        yield PolicyDifference(f"fields.labels.{label}", f"{before} → {after}", direction, note)


def _meaning(policy: Policy, label: str) -> str:
    if label in policy.exempt_labels:
        return "exempt"
    return policy.labels.get(label, "unmapped")


def _floor(a: Policy, b: Policy) -> Iterator[PolicyDifference]:
    """Yields the difference of the floor, the follower count below which readings are dropped.

    It follows from the phases' lines and the exit ratio.
    """
    floors = (a.floor, b.floor)
    yield from measure("floor", *floors, str, float, stricter_up=False, note=LOWERS_FLOOR)
