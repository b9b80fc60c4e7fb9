"""Conditions of the throttle machine: which surfaces are restricted, how, and until when.

A surface can be restricted only if the cycle's terms and the present policy both name it, at the
milder of both levels and in the weaker of both modes. The terms are what the invitation promised.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import structs

from schemas.enums import Event, Ground, Level, Mode, Surface
from streams.core.lifecycle import THROTTLE, Input, Invitation, Throttle
from streams.core.model import ids
from streams.core.model.account import Account, Cycle, Life, Throttled
from streams.core.model.change import EventDraft, RowChange
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy, weakest
from streams.core.rules.context import DecisionContext
from streams.core.rules.milder import shorter
from streams.core.rules.statement import statement

_T = TypeVar("_T")
_place = {surface: place for place, surface in enumerate(Surface)}.__getitem__
_NO_ANSWER = frozenset({Ground.NO_ANSWER})
_DECLINED = frozenset({Ground.DECLINED})
_DECLINED_LATE = _DECLINED | _NO_ANSWER


def in_order(by_surface: Mapping[Surface, _T]) -> list[tuple[Surface, _T]]:
    """Returns the items of a mapping in the order of `schemas.enums.Surface`."""
    return [(surface, by_surface[surface]) for surface in sorted(by_surface, key=_place)]


def grounds(cycle: Cycle) -> frozenset[Ground]:
    """Returns the grounds on which an expiry restricts; the policy's `on` must name all of them.

    For a refusal that entered Kafka after the deadline these are a refusal and no answer. A worker
    without delay saw no answer at the deadline, so a late one must not restrict for the refusal
    alone.
    """
    if cycle.answered_at is None:
        return _NO_ANSWER
    # A stop of the clock may have ended before the refusal entered, and be known only since then.
    if cycle.declined_late or (cycle.declined_entry or 0) > (cycle.deadline_at or 0):
        return _DECLINED_LATE
    return _DECLINED


def restrictable(
    cycle: Cycle, policy: Policy | None, life_mode: Mode
) -> dict[Surface, tuple[Level, Mode]]:
    """Returns level and mode of the surfaces that an expiry of this cycle may restrict now."""
    if policy is None or cycle.restriction_waived:
        return {}
    if not grounds(cycle) <= policy.consequence.on.intersection(cycle.terms.on):
        return {}
    present, off = policy.restrictions(life_mode), Mode.OFF
    allowed: dict[Surface, tuple[Level, Mode]] = {}
    for surface, terms in cycle.terms.surfaces.items():
        restriction = present.get(surface)
        if restriction is None:
            continue
        if terms != restriction:
            terms = _milder_of(terms, restriction)
        if terms[1] is not off:
            allowed[surface] = terms
    return allowed


def _milder_of(one: tuple[Level, Mode], other: tuple[Level, Mode]) -> tuple[Level, Mode]:
    """Returns the milder of two levels and the weaker of two modes."""
    milder = Level.LIMITED if Level.LIMITED in (one[0], other[0]) else Level.OFF
    return milder, weakest(one[1], other[1])


def apply_all(
    account: Account, life_mode: Mode, context: DecisionContext, reason: Ground
) -> list[RowChange]:
    """Makes the restrictions that follow an expiry, in the order of `schemas.enums.Surface`."""
    life = account.life(life_mode)
    cycle = life.cycle
    assert cycle is not None
    allowed = restrictable(cycle, context.policy, life_mode)
    return [
        _apply(account, life, life_mode, context, surface, level, mode, reason)
        for surface, (level, mode) in in_order(allowed)
    ]


def _apply(
    account: Account,
    life: Life,
    life_mode: Mode,
    context: DecisionContext,
    surface: Surface,
    level: Level,
    mode: Mode,
    reason: Ground,
) -> RowChange:
    assert life.cycle is not None
    assert context.policy is not None
    terms = life.cycle.terms
    expires_after = min(terms.expires_after, context.policy.consequence.expires_after)
    expires_at = context.now + expires_after
    ordinal = life.cycle.ordinals.get(f"{Event.THROTTLE_APPLIED}/{surface}", 0) + 1
    throttled = Throttled(
        level=level,
        mode=mode,
        ordinal=ordinal,
        effective_at=context.now,
        review_at=context.now + context.policy.consequence.review_after,
        expires_at=expires_at,
    )
    data: dict[str, Any] = {
        "throttle_id": throttle_id(context, life_mode, life, surface, ordinal),
        "surface": surface,
        "level": level,
        "effective_at": rfc3339(throttled.effective_at),
        "review_at": rfc3339(throttled.review_at),
        "expires_at": rfc3339(throttled.expires_at),
    }
    data["statement"] = statement(
        account,
        life,
        context.policy,
        reason,
        surface,
        throttled,
        data["throttle_id"],
        context.time,
    )
    draft = EventDraft(Event.THROTTLE_APPLIED, reason, mode, data, surface)
    return _change(Throttle.FREE, Input.APPLY, life_mode, surface, throttled, draft)


def throttle_id(
    context: DecisionContext, life_mode: Mode, life: Life, surface: Surface, ordinal: int
) -> str:
    """Returns the id of a restriction: the same in its applied, renewed and lifted events."""
    return ids.derive(*context.ref, life_mode, life.cycle_number, "throttle", surface, ordinal)


def release(
    life: Life,
    life_mode: Mode,
    context: DecisionContext,
    surface: Surface,
    input_: Input,
    reason: Ground,
) -> RowChange:
    """Lifts the restriction of one surface, for one of the reasons of `throttle.lifted`."""
    assert life.cycle is not None
    throttled = life.cycle.throttles[surface]
    data = {
        "throttle_id": throttle_id(context, life_mode, life, surface, throttled.ordinal),
        "surface": surface,
        "lifted_at": rfc3339(context.now),
    }
    draft = EventDraft(Event.THROTTLE_LIFTED, reason, throttled.mode, data, surface)
    return _change(Throttle.THROTTLED, input_, life_mode, surface, None, draft)


def release_all(
    life: Life, life_mode: Mode, context: DecisionContext, reason: Ground
) -> list[RowChange]:
    """Lifts every restriction of this life."""
    throttles = life.cycle.throttles if life.cycle is not None else {}
    return [
        release(life, life_mode, context, surface, Input.RELEASE, reason)
        for surface, _ in in_order(throttles)
    ]


def renew(
    account: Account, life_mode: Mode, context: DecisionContext, surface: Surface
) -> RowChange:
    """Renews a restriction after its review: sets the next review, keeps the end."""
    life = account.life(life_mode)
    assert life.cycle is not None
    assert context.policy is not None
    throttled = life.cycle.throttles[surface]
    renewed = Throttled(
        level=throttled.level,
        mode=throttled.mode,
        ordinal=throttled.ordinal,
        effective_at=throttled.effective_at,
        review_at=context.now + context.policy.consequence.review_after,
        expires_at=throttled.expires_at,
    )
    data = {
        "throttle_id": throttle_id(context, life_mode, life, surface, throttled.ordinal),
        "surface": surface,
        "review_at": rfc3339(renewed.review_at),
    }
    draft = EventDraft(Event.THROTTLE_RENEWED, Ground.REVIEW, throttled.mode, data, surface)
    return _change(Throttle.THROTTLED, Input.REVIEW_DUE, life_mode, surface, renewed, draft)


def decide_release(account: Account, life_mode: Mode, context: DecisionContext) -> list[RowChange]:
    """Lifts restrictions that the present policy allows no longer, or only in a milder form.

    Their surfaces leave the terms: a later, stricter policy cannot restrict them in this cycle.
    """
    life = account.life(life_mode)
    cycle = life.cycle
    if cycle is None or not cycle.throttles or context.policy is None:
        return []
    allowed = restrictable(cycle, context.policy, life_mode)
    freed = {
        surface: throttled
        for surface, throttled in cycle.throttles.items()
        if surface not in allowed or _milder(throttled, *allowed[surface])
    }
    if not freed:
        return []
    left = {name: terms for name, terms in cycle.terms.surfaces.items() if name not in freed}
    effects = {"terms": structs.replace(cycle.terms, surfaces=left)}
    return [
        structs.replace(
            release(life, life_mode, context, surface, Input.RELEASE, Ground.POLICY), cycle=effects
        )
        for surface, _ in in_order(freed)
    ]


def _milder(throttled: Throttled, level: Level, mode: Mode) -> bool:
    """Whether level or mode allowed now is milder than that of the restriction in force."""
    if throttled.level is level and throttled.mode is mode:
        return False
    lighter = throttled.level is Level.OFF and level is Level.LIMITED
    weaker = throttled.mode is Mode.ENFORCE and mode is not Mode.ENFORCE
    return lighter or weaker


def cycle_ends_at(cycle: Cycle, policy: Policy | None) -> int | None:
    """Returns when an expired cycle ends by itself; None: never.

    It ends with its last restriction. Without one, it ends after the shorter `expires_after` of
    terms and present policy.
    """
    if cycle.throttles:
        return max(ends_at(throttled, policy) for throttled in cycle.throttles.values())
    expired_at = cycle.deadline_at if cycle.expired_at is None else cycle.expired_at
    lasts = silence_lasts(cycle, policy)
    return None if expired_at is None or lasts is None else expired_at + lasts


def silence_lasts(cycle: Cycle, policy: Policy | None) -> int | None:
    """Returns how long a cycle lasts that expired and restricts nothing, in milliseconds."""
    present = None if policy is None else policy.consequence.expires_after
    return shorter(cycle.terms.expires_after, present)


def is_over(life: Life, policy: Policy | None, entry: int) -> bool:
    """Whether the record of an answer entered after its expired cycle had ended by time.

    The timer of that end may not have acted yet. Such an answer belongs to no cycle. `entry`: when
    the record was appended to Kafka, in milliseconds UTC.
    """
    if life.state is not Invitation.EXPIRED or life.cycle is None:
        return False
    if life.cycle.restriction_waived and not life.cycle.throttles:
        return False
    ends = cycle_ends_at(life.cycle, policy)
    return ends is not None and entry > ends


def ends_at(throttled: Throttled, policy: Policy | None) -> int:
    """Returns when a restriction ends: as communicated, or earlier by a milder present policy."""
    if policy is None:
        return throttled.expires_at
    return min(throttled.expires_at, throttled.effective_at + policy.consequence.expires_after)


def _change(
    state: Throttle,
    input_: Input,
    life_mode: Mode,
    surface: Surface,
    throttled: Throttled | None,
    draft: EventDraft,
) -> RowChange:
    row = THROTTLE[state][input_]
    return RowChange(
        "throttle",
        state,
        input_,
        row.next_state,
        (draft,),
        life_mode=life_mode,
        surface=surface,
        throttle=throttled,
    )
