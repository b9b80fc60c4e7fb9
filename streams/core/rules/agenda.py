"""Computes the agenda of an account: every timer, and the reasons that defer adverse events.

The same list says when to evaluate the account again and what to do then, so the two always agree.
Instants are milliseconds UTC.
"""

from msgspec import Struct
from msgspec.structs import replace

from schemas.enums import Deferral, Event, Mode, Surface
from streams.core.lifecycle import Eligibility, Invitation
from streams.core.model import ids
from streams.core.model.account import Account, Cycle
from streams.core.model.policy import Policy
from streams.core.model.timer import Timer
from streams.core.rules.applicable_phase import ApplicablePhase, deferrals, phase_of
from streams.core.rules.context import DecisionContext
from streams.core.rules.milder import leaves_at
from streams.core.rules.throttle import cycle_ends_at, ends_at, in_order, restrictable


class Item(Struct, frozen=True, gc=False):
    """A timer that acts at `at`. `since`: from when it has been waiting, for a fair order."""

    at: int
    timer: Timer
    since: int
    mode: Mode = Mode.ENFORCE
    surface: Surface | None = None

    def before(self, other: "Item") -> bool:
        """Whether it acts before another item that is due as well."""
        return (self.at, self.timer.rank) < (other.at, other.timer.rank)


class Agenda(Struct, frozen=True):
    """The timers of an account, and the deferred adverse events with their reasons."""

    items: list[Item]
    deferred: list[tuple[Event, list[Deferral]]]

    @property
    def next_at(self) -> int | None:
        """The earliest instant of an item."""
        return min([item.at for item in self.items], default=None)

    @property
    def favourable_at(self) -> int | None:
        """The earliest instant of an item that leads to nothing adverse."""
        return min((item.at for item in self.items if not item.timer.adverse), default=None)

    def since(self, at: int | None) -> int:
        """Returns the time from which an account waits for its items at `at`; 0 if `at` is None.

        Accounts that are due at the same instant act in this order.
        """
        return min([item.since for item in self.items if item.at == at], default=0)

    def first(self, until: int, favourable_only: bool = False) -> Item | None:
        """Returns the first item due by `until`; None without one.

        Items of one instant are in the order of `Timer`. `favourable_only` leaves out adverse ones.
        """
        found: Item | None = None
        for item in self.items:
            if item.at > until or (favourable_only and item.timer.adverse):
                continue
            if found is None or item.before(found):
                found = item
        return found

    def to_do(self, context: DecisionContext) -> Item | None:
        """Returns the next item to do in a round of timers, or None."""
        assert context.as_of is not None
        return self.first(context.as_of, self.adverse_waits(context))

    def adverse_waits(self, context: DecisionContext) -> bool:
        """Whether adverse items wait for a later round.

        They wait in a round for favourable items only. They also wait if an item that ends
        something in the owner's favour lies after `as_of` but not after `now`: an adverse decision,
        dated `now`, would come after that end.
        """
        as_of, now = context.as_of, context.now
        if context.favourable_only or as_of is None:
            return context.favourable_only
        return as_of < now and any(
            as_of < item.at <= now and item.timer.ends for item in self.items
        )


def agenda_of(account: Account, context: DecisionContext) -> Agenda:
    """Returns the agenda of an account."""
    agenda = Agenda([], [])
    if account.hold is not None and account.hold.expires_at is not None:
        _add(agenda, account.hold.expires_at, Timer.HOLD)
    policy = context.policy
    if policy is None or account.closed:
        return agenda
    _eligibility(agenda, account, policy, context)
    for mode in (Mode.ENFORCE, Mode.SHADOW):
        life = account.life(mode)
        if life.cycle is not None:
            _cycle(agenda, account, policy, context, mode, life.state, life.cycle)
    _issue(agenda, account, policy, context)
    return agenda


def _add(
    agenda: Agenda, at: int, timer: Timer, mode: Mode = Mode.ENFORCE, surface: Surface | None = None
) -> None:
    agenda.items.append(Item(at, timer, at, mode, surface))


def _eligibility(
    agenda: Agenda, account: Account, policy: Policy, context: DecisionContext
) -> None:
    state = account.eligibility
    if state is not Eligibility.OUTSIDE and account.label and account.label.valid_until:
        _add(agenda, account.label.valid_until, Timer.LABEL)
    if state is Eligibility.DWELLING and account.dwell_from is not None:
        _add(agenda, account.dwell_from + policy.stability.dwell, Timer.DWELL)
    leave_at = leaves_at(account, policy) if state is Eligibility.LEAVING else None
    if leave_at is not None:
        _add(agenda, leave_at, Timer.LEAVE)
    for phase in policy.phases:
        begins = phase.starts_at is not None and phase.starts_at > context.time
        if begins and phase.starts_at is not None and account.above_line_since:
            _add(agenda, phase.starts_at, Timer.PHASE)


def _cycle(
    agenda: Agenda,
    account: Account,
    policy: Policy,
    context: DecisionContext,
    mode: Mode,
    state: Invitation,
    cycle: Cycle,
) -> None:
    if state is Invitation.DELIVERED or state is Invitation.DECLINED:
        _deadline(agenda, account, policy, context, mode, state, cycle)
    if cycle.reissue_wanted and state in (Invitation.INVITED, Invitation.UNDELIVERED):
        item = Item(0, Timer.REISSUE, cycle.failed_at or cycle.issued_at, mode)
        issued = Event.INVITATION_ISSUED
        _offer(agenda, account, context, issued, mode, item, issued)
    if state is not Invitation.EXPIRED:
        return
    if not cycle.throttles and not cycle.restriction_waived:
        ends = cycle_ends_at(cycle, policy)
        if ends is not None:
            _add(agenda, ends, Timer.CYCLE, mode)
    for surface, throttled in in_order(cycle.throttles):
        end = ends_at(throttled, policy)
        _add(agenda, end, Timer.EXPIRY, mode, surface)
        if throttled.review_at < end and context.now < end:
            item = Item(throttled.review_at, Timer.REVIEW, throttled.review_at, mode, surface)
            _offer(agenda, account, context, Event.THROTTLE_RENEWED, mode, item)


def _deadline(
    agenda: Agenda,
    account: Account,
    policy: Policy,
    context: DecisionContext,
    mode: Mode,
    state: Invitation,
    cycle: Cycle,
) -> None:
    deadline = cycle.deadline_at
    if deadline is None or cycle.delivered_at is None:
        return
    if state is Invitation.DELIVERED:
        left = cycle.terms.reminders[cycle.reminded_count :]
        if left and deadline > context.now:
            item = Item(deadline - left[0], Timer.REMINDER, deadline - left[0], mode)
            _offer(agenda, account, context, Event.INVITATION_REMINDED, mode, item)
    item = Item(deadline, Timer.DEADLINE, deadline, mode)
    if deadline > context.time:
        agenda.items.append(item)
        return
    restricts = any(allowed is mode for _, allowed in restrictable(cycle, policy, mode).values())
    capped = Event.THROTTLE_APPLIED if restricts else None
    _offer(agenda, account, context, Event.INVITATION_EXPIRED, mode, item, capped)


def _issue(agenda: Agenda, account: Account, policy: Policy, context: DecisionContext) -> None:
    standing = issuable(account, policy, context)
    if standing is None:
        return
    cool_down_until = account.life(standing.mode).cool_down_until or 0
    since = max((account.dwell_from or 0) + policy.stability.dwell, cool_down_until)
    item = Item(cool_down_until, Timer.ISSUE, since, standing.mode)
    capped = Event.INVITATION_ISSUED
    _offer(agenda, account, context, Event.INVITATION_ISSUED, standing.mode, item, capped)


def issuable(account: Account, policy: Policy, context: DecisionContext) -> ApplicablePhase | None:
    """Returns the phase under which a new cycle may begin, if nothing defers it; else None."""
    if account.eligibility is not Eligibility.INSIDE:
        return None
    if account.live.state is not Invitation.NONE or account.shadow.state is not Invitation.NONE:
        return None
    if ids.bucket(*context.ref) >= policy.rollout_percent:
        return None
    return phase_of(account, policy, context.time)


def _offer(
    agenda: Agenda,
    account: Account,
    context: DecisionContext,
    event: Event,
    mode: Mode,
    item: Item,
    capped: Event | None = None,
) -> None:
    """Adds an adverse item to the agenda; if it is deferred, the reasons and when to try again."""
    if item.at > context.time:
        agenda.items.append(item)
        return
    by = deferrals(account, context, event)
    policy = context.policy
    over = (
        capped is not None
        and policy is not None
        and context.limits.cap_reached(policy, capped, mode, context.now)
    )
    if over and capped is not None:
        by.append(Deferral.CAP)
        agenda.items.append(replace(item, at=context.limits.retry_at(capped, context.now)))
    closed_until = context.limits.guard_tripped_until(context.ref.platform, context.now)
    if closed_until is not None:
        agenda.items.append(replace(item, at=closed_until))
    if by:
        agenda.deferred.append((event, by))
    else:
        agenda.items.append(item)
