"""One evaluation of an account: makes all changes that its facts and the time require, in order.

`decide` has all conditions, `evolve` has none. Timers act only up to `context.as_of`: all input
topics have been read up to the ends that they had then. The *agenda* lists the timers of an
account. streams/core/LIFECYCLE.md, "From an input to events".
"""

from collections.abc import Callable

from msgspec.structs import replace

from schemas.enums import Event, Ground, Mode
from streams.core.lifecycle import (
    INVITATION,
    OPEN,
    Eligibility,
    Impossible,
    Input,
    Invitation,
)
from streams.core.model.account import Account
from streams.core.model.change import EventDraft, RowChange
from streams.core.model.instants import rfc3339
from streams.core.model.policy import MOST_REMINDERS
from streams.core.model.timer import Timer
from streams.core.rules.agenda import Agenda, Item, agenda_of
from streams.core.rules.applicable_phase import ApplicablePhase, failing, phase_of
from streams.core.rules.context import DecisionContext
from streams.core.rules.eligibility import decide_eligibility, dwell_over, leave_over
from streams.core.rules.facts import drop_expired_hold
from streams.core.rules.invitation import (
    LIVES,
    decide_deadline,
    decide_gone,
    decide_new_notice,
    issue,
    reissue,
    row_change,
)
from streams.core.rules.throttle import apply_all, decide_release, release, renew
from streams.core.rules.waiting import take_kept

Take = Callable[[RowChange], None]
"""Applies a change to the account, and sends its events."""

_MOST_CHANGES = 200
"""The most changes in one evaluation. More can only be an endless loop, which is a bug."""


def settle(account: Account, context: DecisionContext, take: Take) -> Agenda:
    """Makes all changes that are required now. Returns the account's agenda afterwards.

    Raises:
        RuntimeError: there are more than 200 changes.
    """
    took = 0
    entered = False
    while True:
        changes = _ended_before_label(account, context) or decide(account, context)
        if not changes:
            agenda = agenda_of(account, context)
            item = _actable(agenda, context, entered)
            if item is None:
                return agenda
            changes = act(account, context, item)
        for change in changes:
            entered = entered or change.input is Input.DWELL_OVER
            take(change)
        took += len(changes)
        if took > _MOST_CHANGES:
            raise RuntimeError(f"an account does not settle: {changes[-1].input}")


def _ended_before_label(account: Account, context: DecisionContext) -> list[RowChange]:
    """Makes what ended, in the owner's favour, before the label did; empty if nothing has.

    A late round finds several ends at once. The conditions are those of the round, so without this
    the end of the label would come first, and a cycle that had ended already would be cancelled.
    """
    label = account.label
    if context.as_of is None or label is None or label.valid_until is None:
        return []
    if label.valid_until > context.as_of or account.eligibility is Eligibility.OUTSIDE:
        return []
    items = agenda_of(account, context).items
    ends = [item for item in items if item.timer.ends and item.at < label.valid_until]
    first = min(ends, key=lambda item: (item.at, item.timer.rank), default=None)
    return [] if first is None else act(account, context, first)


def _actable(agenda: Agenda, context: DecisionContext, entered: bool) -> Item | None:
    """Returns the item of the agenda to act on now, or None.

    In a round of timers it is any item that is due. After an input it can only be a reissue, or an
    issue if the account has become INSIDE in this evaluation. Both wait while a timer of the
    account is due, because that acts first and inputs before it may not be read yet.
    """
    if context.as_of is not None:
        return agenda.to_do(context)
    if context.time < context.now:
        return None
    for item in agenda.items:
        if item.at <= context.time and (
            item.timer is Timer.REISSUE or (item.timer is Timer.ISSUE and entered)
        ):
            return item
    return None


def decide(account: Account, context: DecisionContext) -> list[RowChange]:
    """Returns the next changes that the facts require without a timer; empty if there are none.

    It also ends an expired hold, and applies a reading or label that was kept aside.
    """
    drop_expired_hold(account, context.time)
    standing = _standing(account, context)
    if account.eligibility is Eligibility.OUTSIDE:
        gone = _decide_gone(account, context, standing)
        if gone:
            return gone
    if take_kept(account, context.policy):
        standing = _standing(account, context)
    change = decide_eligibility(account, context, standing)
    if change is not None:
        return [change]
    gone = _decide_gone(account, context, standing)
    if gone:
        return gone
    voided = decide_new_notice(account, context)
    if voided:
        return voided
    for mode in LIVES:
        if account.life(mode).cycle is None:
            continue
        later = decide_deadline(account, context, mode)
        if later is not None:
            return [later]
        released = decide_release(account, mode, context)
        if released:
            return released
    return []


def _standing(account: Account, context: DecisionContext) -> ApplicablePhase | None:
    """Returns the phase that applies to the account; None if none is in force."""
    policy = context.policy
    return None if policy is None else phase_of(account, policy, context.time)


def _decide_gone(
    account: Account, context: DecisionContext, standing: ApplicablePhase | None
) -> list[RowChange]:
    """Cancels open cycles whose conditions failed, before a new dwell may start."""
    for mode in LIVES:
        if account.life(mode).state in OPEN:
            reason = _gone(account, context, mode, standing)
            if reason is not None:
                return decide_gone(account, context, mode, reason)
    return []


def _gone(
    account: Account, context: DecisionContext, mode: Mode, standing: ApplicablePhase | None
) -> Ground | None:
    """Returns why an open cycle of this mode must be cancelled; None if it need not."""
    policy = context.policy
    if account.eligibility is Eligibility.OUTSIDE:
        return failing(account, context, standing) or Ground.LEFT
    if standing is not None and standing.mode is not mode:
        return Ground.POLICY
    cycle = account.life(mode).cycle
    if policy is not None and cycle is not None:
        names = policy.in_force(context.time).names[mode]
        return None if cycle.terms.phase in names else Ground.POLICY
    return None


def act(account: Account, context: DecisionContext, item: Item) -> list[RowChange]:
    """Returns the changes that an item of the agenda makes.

    Raises:
        Impossible: the account's state has no such timer.
    """
    life = account.life(item.mode)
    if item.timer is Timer.DEADLINE:
        return _expire(account, context, item.mode)
    if item.timer is Timer.DWELL:
        return [dwell_over(account)]
    if item.timer is Timer.LEAVE:
        return [leave_over(account), *_left(account, context)]
    if item.timer is Timer.EXPIRY:
        return _end_restriction(account, context, item)
    if item.timer is Timer.CYCLE:
        return _end_cycle(account, context, item.mode)
    if item.timer is Timer.REVIEW and item.surface is not None:
        return [renew(account, item.mode, context, item.surface)]
    if item.timer is Timer.REISSUE:
        return reissue(life, item.mode, context)
    if item.timer is Timer.REMINDER and life.cycle is not None:
        return [_remind(account, context, item.mode)]
    if item.timer is Timer.ISSUE and context.policy is not None:
        standing = phase_of(account, context.policy, context.time)
        if standing is not None:
            return issue(account, context, standing)
    raise Impossible(life.state, Input.DEADLINE_PASSED)


def _left(account: Account, context: DecisionContext) -> list[RowChange]:
    """Cancels the cycle of an account whose leaving is over, whatever else has failed since."""
    changes: list[RowChange] = []
    for mode in LIVES:
        if account.life(mode).state in OPEN:
            changes += decide_gone(account, context, mode, Ground.LEFT)
    return changes


def _remind(account: Account, context: DecisionContext, mode: Mode) -> RowChange:
    """Sends one reminder; if several are due at once, the last of them.

    Its ordinal is its place in the list of reminders in the terms. After each further delivery the
    list begins again, with higher ordinals.
    """
    life = account.life(mode)
    cycle = life.cycle
    assert cycle is not None
    assert cycle.deadline_at is not None
    reminders = cycle.terms.reminders
    due = sum(cycle.deadline_at - before <= context.time for before in reminders)
    place = max(due, cycle.reminded_count + 1)
    earlier = cycle.ordinals.get(Event.INVITATION_DELIVERED, 1) - 1
    ordinal = place + earlier * max(MOST_REMINDERS, len(reminders))
    data = {"deadline_at": rfc3339(cycle.deadline_at)}
    draft = EventDraft(Event.INVITATION_REMINDED, Ground.REMINDER, mode, data, ordinal=ordinal)
    effects = {"reminded_count": place}
    return row_change(life, mode, Input.REMINDER_DUE, draft, sets_cycle=effects)


def _expire(account: Account, context: DecisionContext, mode: Mode) -> list[RowChange]:
    """Expires the invitation, then restricts each surface that may be restricted."""
    life = account.life(mode)
    assert life.cycle is not None
    assert life.cycle.deadline_at is not None
    reason = Ground.DECLINED if life.state is Invitation.DECLINED else Ground.NO_ANSWER
    data = {"deadline_at": rfc3339(life.cycle.deadline_at)}
    draft = EventDraft(Event.INVITATION_EXPIRED, reason, mode, data)
    effects = {"expired_at": context.now}
    change = row_change(life, mode, Input.DEADLINE_PASSED, draft, sets_cycle=effects)
    applied = apply_all(account, mode, context, reason)
    if any(applied_change.drafts[0].mode is mode for applied_change in applied):
        change = replace(change, counts=Event.THROTTLE_APPLIED)
    return [change, *applied]


def _end_restriction(account: Account, context: DecisionContext, item: Item) -> list[RowChange]:
    """Lifts a restriction whose time is up. The last one ends the cycle."""
    life = account.life(item.mode)
    assert life.cycle is not None
    assert item.surface is not None
    lifted = release(life, item.mode, context, item.surface, Input.EXPIRY_DUE, Ground.ENDED)
    if len(life.cycle.throttles) > 1:
        return [lifted]
    return [lifted, *_end_cycle(account, context, item.mode)]


def _end_cycle(account: Account, context: DecisionContext, mode: Mode) -> list[RowChange]:
    """Ends an expired cycle without a restriction in force. This emits no event."""
    life = account.life(mode)
    row = INVITATION[life.state][Input.ENDED]
    cool_down = context.policy.stability.cool_down if context.policy else 0
    ended = RowChange(
        "invitation",
        life.state,
        Input.ENDED,
        row.next_state,
        life_mode=mode,
        life={"state": row.next_state, "cool_down_until": context.now + cool_down},
        ends_cycle=True,
    )
    return [ended]
