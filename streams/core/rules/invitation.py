"""Conditions of the invitation machine: what a receipt, a control or changed facts do to a cycle.

Each function handles one input. It returns the changes in order, or why the input does not count.
Timers are in `agenda`, restrictions in `throttle`. The *terms* of a cycle are what its invitation
promised. A *stop* is a period in which the answer window stands still (model/instants.py). An input
*enters* when its record is appended to Kafka. Instants are milliseconds UTC.
"""

from typing import Any

from msgspec.structs import replace

from schemas.enums import Event, Ground, Ignored, Mode
from streams.core.inputs.entry import SKEW
from streams.core.lifecycle import INVITATION, OPEN, Input, Invitation, row_of
from streams.core.model import ids
from streams.core.model.account import Account, Cycle, Life, Terms
from streams.core.model.change import EventDraft, RowChange
from streams.core.model.instants import Reckoning, Stop, reckon, rfc3339
from streams.core.model.policy import Policy
from streams.core.rules.applicable_phase import ApplicablePhase, label_field
from streams.core.rules.context import DecisionContext
from streams.core.rules.throttle import in_order, release_all
from streams.core.rules.unclear import is_unclear, unclear_since

Decided = list[RowChange] | Ignored
"""The changes, or why an input does not count."""

LIVES = (Mode.ENFORCE, Mode.SHADOW)


def row_change(
    life: Life,
    mode: Mode,
    input_: Input,
    *drafts: EventDraft,
    sets_life: dict[str, Any] | None = None,
    sets_cycle: dict[str, Any] | None = None,
) -> RowChange:
    """Makes the change for a row of the invitation table. The drafts must match what it emits."""
    row = INVITATION[life.state][input_]
    assert tuple(draft.event for draft in drafts) == row.emits, (life.state, input_, drafts)
    return RowChange(
        "invitation",
        life.state,
        input_,
        row.next_state,
        drafts,
        life_mode=mode,
        life={"state": row.next_state, **(sets_life or {})},
        cycle=sets_cycle or {},
    )


def ending(
    life: Life,
    mode: Mode,
    context: DecisionContext,
    input_: Input,
    lift_reason: Ground,
    *drafts: EventDraft,
) -> list[RowChange]:
    """Makes the changes for a row that leads to NONE.

    They send the event and the lifts of restrictions, start the cool-down, and delete the cycle.
    """
    row = INVITATION[life.state][input_]
    until = None
    if row.cool_down:
        cool_down = context.policy.stability.cool_down if context.policy else 0
        until = context.now + cool_down
    change = row_change(life, mode, input_, *drafts, sets_life={"cool_down_until": until})
    lifts = release_all(life, mode, context, lift_reason) if row.lifts else []
    changes = [*lifts, change] if row.lifts_first else [change, *lifts]
    changes[-1] = replace(changes[-1], ends_cycle=True)
    return changes


def terms_of(account: Account, policy: Policy, standing: ApplicablePhase, time: int) -> Terms:
    """Returns the terms of an invitation that is issued now; they are fixed for the whole cycle."""
    field = label_field(account, policy, time)
    assert field is not None
    assert account.label is not None
    surfaces = {
        surface: (restriction.level, policy.surface_mode(restriction, standing.mode))
        for surface, restriction in in_order(policy.consequence.surfaces or {})
    }
    return Terms(
        phase=standing.phase.name,
        line=standing.line,
        field=field,
        field_source=account.label.source,
        notice_id=policy.notice.id,
        notice_version=policy.notice.version,
        answer_window=policy.notice.answer_window,
        answer_by=standing.phase.answer_by,
        surfaces={name: terms for name, terms in surfaces.items() if terms[1] is not Mode.OFF},
        on=tuple(sorted(policy.consequence.on)),
        reminders=tuple(sorted(policy.notice.reminders, reverse=True)),
        expires_after=policy.consequence.expires_after,
        policy_version=policy.version,
        policy_digest=policy.digest,
        exit_ratio_ppm=policy.stability.exit_ratio_ppm,
        leave_after=policy.stability.leave_after,
        max_age=policy.stability.max_age,
        keep=policy.keep_on_fall_below,
        followers=account.followers,
    )


def issued_draft(terms: Terms, mode: Mode, reason: Ground) -> EventDraft:
    """Makes the event `invitation.issued` for these terms."""
    window = terms.answer_window
    return EventDraft(
        Event.INVITATION_ISSUED,
        reason,
        mode,
        {
            "phase": terms.phase,
            "line": terms.line,
            "field": terms.field,
            "notice_id": terms.notice_id,
            "notice_version": terms.notice_version,
            "answer_window_seconds": None if window is None else window // 1000,
            "answer_by": None if terms.answer_by is None else rfc3339(terms.answer_by),
            "surfaces_at_stake": list(terms.surfaces),
        },
    )


def issue(account: Account, context: DecisionContext, standing: ApplicablePhase) -> list[RowChange]:
    """Starts a cycle. In the shadow life its notice counts as delivered at once."""
    assert context.policy is not None
    mode = standing.mode
    life = account.life(mode)
    terms = terms_of(account, context.policy, standing, context.time)
    cycle = Cycle(terms=terms, issued_at=context.now, first_issued_at=context.now)
    if context.id_key is not None:
        number = life.cycle_number + 1
        cycle.keyed_id = ids.invitation_id(*context.ref, mode, number, context.id_key)
    until = account.heard.paused_until if account.heard is not None else None
    if until is not None and until > context.now:
        # A sender with a fast clock may have dated a stop's end in the future; that end counts.
        cycle.stops = ((context.now, until),)
    change = row_change(
        life,
        mode,
        Input.INSIDE,
        issued_draft(terms, mode, Ground.OVER_LINE),
        sets_life={
            "cycle_number": life.cycle_number + 1,
            "cycle": cycle,
            "cool_down_until": None,
        },
    )
    changes = [replace(change, counts=Event.INVITATION_ISSUED, account={"spent": True})]
    if mode is Mode.SHADOW:
        seen = Life(state=Invitation.INVITED, cycle=cycle)
        draft, effects = delivery(cycle, mode, context, context.now, Ground.PROJECTED)
        changes.append(row_change(seen, mode, Input.PROJECTED, draft, sets_cycle=effects))
    return changes


def reissue(life: Life, mode: Mode, context: DecisionContext) -> list[RowChange]:
    """Sends the notice once more, in the same cycle."""
    assert life.cycle is not None
    draft = issued_draft(life.cycle.terms, mode, Ground.REISSUED)
    effects = {"reissue_wanted": False, "issued_at": context.now}
    change = row_change(life, mode, Input.REISSUE, draft, sets_cycle=effects)
    return [replace(change, counts=Event.INVITATION_ISSUED)]


def base_deadline(cycle: Cycle, policy: Policy | None, delivered_at: int) -> int | None:
    """Returns the deadline without any stop: by the terms, or by the policy if that is later.

    None if the terms have no answer window.
    """
    window, answer_by = cycle.terms.answer_window, cycle.terms.answer_by
    if window is None:
        return None
    if policy is not None:
        window = max(window, policy.notice.answer_window or 0)
        for phase in policy.phases:
            if phase.name == cycle.terms.phase and phase.answer_by is not None:
                answer_by = max(answer_by or 0, phase.answer_by)
    return max(delivered_at + window, answer_by or 0)


def delivery(
    cycle: Cycle, mode: Mode, context: DecisionContext, occurred_at: int, reason: Ground
) -> tuple[EventDraft, dict[str, Any]]:
    """Returns the event `invitation.delivered`, and the fields that it sets on the cycle.

    `delivered_at` is not before the issue, and the deadline is not before an earlier one or an
    extension.
    """
    delivered_at = max(occurred_at, cycle.issued_at)
    base = base_deadline(cycle, context.policy, delivered_at)
    floors = (cycle.deadline_at or 0, cycle.extended_to or 0)
    deadline = None if base is None else max(base, *floors)
    effects = {
        "delivered_at": delivered_at,
        "delivery_at": None if occurred_at == delivered_at else occurred_at,
        "deadline_at": deadline,
        "clock_base": deadline,
        "clock_from": delivered_at,
        "reminded_count": 0,
        "overdue": False,
        "delivery_entry": None,
    }
    if deadline is not None:
        window = deadline - delivered_at
        effects["reminded_count"] = sum(before >= window for before in cycle.terms.reminders)
    data = {
        "delivered_at": rfc3339(delivered_at),
        "deadline_at": None if deadline is None else rfc3339(deadline),
    }
    return EventDraft(Event.INVITATION_DELIVERED, reason, mode, data), effects


def cancelled(mode: Mode, reason: Ground) -> EventDraft:
    """Makes the event `invitation.cancelled`."""
    return EventDraft(Event.INVITATION_CANCELLED, reason, mode, {})


def decide_departure(
    account: Account, context: DecisionContext, input_: Input, reason: Ground
) -> list[RowChange]:
    """Cancels open cycles and voids consents of an account that closed or changed its owner."""
    changes: list[RowChange] = []
    for mode in LIVES:
        changes += _departure(account.life(mode), mode, context, input_, reason)
    return changes


def decide_past(
    account: Account, context: DecisionContext, input_: Input, reason: Ground, at: int
) -> Decided:
    """Decides for a stale account change, which was still true at its time `at`.

    It ends an open cycle that was first issued up to `at` plus the allowed clock skew, and voids a
    consent that was answered up to then. An exemption voids no consent.
    """
    changes: list[RowChange] = []
    for mode in LIVES:
        life = account.life(mode)
        if life.cycle is None:
            continue
        began = life.cycle.first_issued_at or life.cycle.issued_at
        if life.state is Invitation.GRANTED:
            if input_ is Input.GONE:
                continue
            began = life.cycle.answered_at or began
        if began <= at + SKEW:
            changes += _departure(life, mode, context, input_, reason)
    return [replace(change, stale=True) for change in changes] or Ignored.STALE


def _departure(
    life: Life, mode: Mode, context: DecisionContext, input_: Input, reason: Ground
) -> list[RowChange]:
    if life.state in OPEN:
        return ending(life, mode, context, input_, reason, cancelled(mode, reason))
    if life.state is Invitation.GRANTED:
        draft = EventDraft(Event.CONSENT_VOIDED, reason, mode, {})
        return ending(life, mode, context, input_, reason, draft)
    return []


def decide_gone(
    account: Account, context: DecisionContext, mode: Mode, reason: Ground
) -> list[RowChange]:
    """Cancels an open cycle whose conditions no longer hold."""
    return ending(account.life(mode), mode, context, Input.GONE, reason, cancelled(mode, reason))


def decide_new_notice(account: Account, context: DecisionContext) -> list[RowChange]:
    """Voids a consent to an older notice version if the policy renews."""
    life, policy = account.live, context.policy
    if life.state is not Invitation.GRANTED or life.cycle is None or policy is None:
        return []
    terms, notice = life.cycle.terms, policy.notice
    agreed = life.cycle.consent or terms.notice_version
    own = agreed != terms.notice_version or notice.id == terms.notice_id
    if (agreed == notice.version and own) or not notice.renew:
        return []
    return void_notice(life, context) if policy.mode is Mode.ENFORCE else []


def void_notice(life: Life, context: DecisionContext) -> list[RowChange]:
    """Voids the consent to a notice that a newer version with `renew` has replaced."""
    draft = EventDraft(Event.CONSENT_VOIDED, Ground.NOTICE, Mode.ENFORCE, {})
    return ending(life, Mode.ENFORCE, context, Input.NEW_NOTICE, Ground.POLICY, draft)


def clock_stops(
    account: Account, cycle: Cycle, context: DecisionContext
) -> list[tuple[int, int | None]]:
    """Returns every stop of the cycle's answer window; the end None means: has not ended."""
    return _own_stops(account, cycle, context) + context.switches.stops(context.ref.platform)


def _own_stops(account: Account, cycle: Cycle, context: DecisionContext) -> list[Stop]:
    """Returns the stops of the account and of the cluster, without those of switches."""
    stops: list[Stop] = list(cycle.stops)
    if account.hold is not None:
        stops.append((account.hold.since, None))
    if account.heard is not None:
        stops += [(appeal.since, None) for appeal in account.heard.appeals.values()]
    if is_unclear(account):
        stops += [(since, None) for since in unclear_since(account)]
    return stops + context.cluster.stops()


def reckon_as_heard(
    account: Account,
    cycle: Cycle,
    context: DecisionContext,
    base: int,
    counted_from: int,
    floor: int = 0,
    ended: Stop | None = None,
) -> Reckoning:
    """Reckons a deadline as a worker without delay did: by what had entered before it passed.

    `floor`: the deadline was not before it. `ended`: a stop of the account that is left out. A
    switch whose record states an earlier time than its entry stops no deadline between the two.
    """
    heard, parts = context.switches.as_heard(context.ref.platform)
    stops = _own_stops(account, cycle, context)
    if ended is not None:
        stops.remove(ended)
    stops += heard
    for since, until, entry in parts:
        reckoned = reckon(base, counted_from, stops)
        if not reckoned.stopped and max(reckoned.deadline, floor) < entry:
            return reckoned
        stops.append((since, until))
    return reckon(base, counted_from, stops)


def decide_deadline(account: Account, context: DecisionContext, mode: Mode) -> RowChange | None:
    """Makes the change that moves the deadline later after a stop or a milder policy; else None."""
    life = account.life(mode)
    cycle = life.cycle
    if cycle is None or life.state not in (Invitation.DELIVERED, Invitation.DECLINED):
        return None
    if cycle.deadline_at is None or cycle.clock_base is None or cycle.clock_from is None:
        return None
    stops = clock_stops(account, cycle, context)
    if stops or cycle.clock_base > cycle.deadline_at:
        told, since = cycle.clock_base, cycle.clock_from
        reckoned = reckon(told, since, stops)
        if reckoned.stopped:
            return None
        later = reckoned.deadline
        if later > cycle.deadline_at:
            unheard = _passed_unheard(account, cycle, context, told, since, later)
            return _extended(life, mode, Input.CLOCK_RESUMED, Ground.PAUSE, later, unheard)
    assert cycle.delivered_at is not None
    base = base_deadline(cycle, context.policy, cycle.delivered_at)
    if base is None or (not stops and base <= cycle.deadline_at):
        return None
    milder = reckon(base, cycle.delivered_at, stops)
    if milder.stopped or milder.deadline <= cycle.deadline_at:
        return None
    effects = {"clock_base": base, "clock_from": cycle.delivered_at}
    effects |= _passed_unheard(account, cycle, context, base, cycle.delivered_at, milder.deadline)
    pinned = base_deadline(cycle, None, cycle.delivered_at)
    if base == pinned:
        # The window of the terms plus all stops ends later than the date that an operator set.
        return _extended(life, mode, Input.CLOCK_RESUMED, Ground.PAUSE, milder.deadline, effects)
    return _extended(life, mode, Input.MILDER_POLICY, Ground.POLICY, milder.deadline, effects)


def _passed_unheard(
    account: Account,
    cycle: Cycle,
    context: DecisionContext,
    base: int,
    counted_from: int,
    deadline: int,
) -> dict[str, Any]:
    """Returns what notes on the cycle that its deadline had passed in silence before a stop of it
    was known: a refusal behind it is late. Empty if it had not. `deadline`: with all stops.
    """
    if account.live.state is not Invitation.DELIVERED or account.live.cycle is not cycle:
        return {}
    told = cycle.deadline_at or 0
    heard = reckon_as_heard(account, cycle, context, base, counted_from, told)
    passed = not heard.stopped and max(heard.deadline, told) < deadline
    return {"overdue": True} if passed else {}


def extend(life: Life, mode: Mode, until: int, issued_at: int) -> Decided:
    """Extends the deadline to `until`, by an operator's control; an earlier date does not count.

    Before a delivery there is no deadline; then `until` becomes the earliest possible one. After
    the expiry, `until` is kept for another delivery.
    """
    cycle = life.cycle
    if cycle is None or life.state not in OPEN:
        return Ignored.RECORDED
    if row_of(life.state, Input.EXTEND) is None:
        cycle.extend_waits = max(until, cycle.extend_waits or 0)
        return Ignored.WAITS
    cycle.extended_to = max(until, cycle.extended_to or 0)
    if life.state in (Invitation.INVITED, Invitation.UNDELIVERED):
        return [row_change(life, mode, Input.EXTEND)]
    if cycle.deadline_at is None or until <= cycle.deadline_at:
        return Ignored.NOT_LATER
    counted_from = max(issued_at, cycle.clock_from or issued_at)
    effects = {"clock_base": until, "clock_from": counted_from}
    return [_extended(life, mode, Input.EXTEND, Ground.OPERATOR, until, effects)]


def _extended(
    life: Life, mode: Mode, input_: Input, reason: Ground, deadline: int, effects: dict[str, Any]
) -> RowChange:
    draft = EventDraft(Event.INVITATION_EXTENDED, reason, mode, {"deadline_at": rfc3339(deadline)})
    return row_change(life, mode, input_, draft, sets_cycle={"deadline_at": deadline, **effects})
