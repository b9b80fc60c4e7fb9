"""Evaluates the conditions that an account has to meet, from its facts. It changes nothing.

A phase is a follower line that applies from an instant on. Instants are milliseconds UTC.
"""

from msgspec import Struct

from schemas.enums import Deferral, Event, Field, Ground, Mode
from streams.core.lifecycle import Eligibility, Invitation
from streams.core.model.account import Account, Hold
from streams.core.model.policy import Phase, Policy
from streams.core.rules.context import DecisionContext
from streams.core.rules.milder import max_age
from streams.core.rules.unclear import is_unclear


class ApplicablePhase(Struct, frozen=True, gc=False):
    """The phase that an account is in, and the mode of its life there."""

    phase: Phase
    mode: Mode

    @property
    def line(self) -> int:
        """The follower number of the phase."""
        return self.phase.followers


def phase_of(account: Account, policy: Policy, time: int) -> ApplicablePhase | None:
    """Returns the phase with the lowest line among those in force; None if no phase is in force.

    If a higher phase enforces while lower ones only shadow, an account that is at or above the
    enforcing line, or has a live cycle, is in the enforcing phase. So a shadow phase never ends a
    live cycle.
    """
    in_force = policy.in_force(time)
    enforcing, lowest = in_force.lowest_enforcing, in_force.lowest
    if lowest is None:
        return None
    if enforcing is not None:
        over = account.followers is not None and account.followers >= enforcing.followers
        if over or account.live.state is not Invitation.NONE:
            return ApplicablePhase(enforcing, Mode.ENFORCE)
    return ApplicablePhase(lowest, policy.phase_mode(lowest))


def label_field(account: Account, policy: Policy, time: int) -> Field | None:
    """Returns the covered field of the account's label; None if it has none or is past its end."""
    label = account.label
    if label is None or (label.valid_until is not None and label.valid_until <= time):
        return None
    return policy.field_of(label.text)


def failing(
    account: Account, context: DecisionContext, standing: ApplicablePhase | None
) -> Ground | None:
    """Returns why the rule cannot apply to an account, whatever its count; None if it can."""
    if account.closed:
        return Ground.CLOSED
    if account.exempt:
        return Ground.EXEMPTED
    if context.policy is None or standing is None:
        return Ground.POLICY
    if label_field(account, context.policy, context.time) is None:
        return Ground.POLICY if context.policy_changed else Ground.LABEL
    return None


def holding(hold: Hold | None, time: int) -> bool:
    """Whether a hold is in force."""
    return hold is not None and (hold.expires_at is None or hold.expires_at > time)


def upheld(account: Account) -> bool:
    """Whether an upheld appeal prevents new cycles; an `owner_changed` or `unhold` may end that."""
    return account.heard is not None and account.heard.upheld_at is not None


def stale(account: Account, context: DecisionContext) -> bool:
    """Whether the last reading is older than `max_age` allows, or no count is known."""
    limit = None if context.policy is None else max_age(account, context.policy)
    if limit is None:
        return False
    if account.observed_at is None or account.followers is None:
        return True
    return account.observed_at + limit < context.now


def deferrals(account: Account, context: DecisionContext, event: Event) -> list[Deferral]:
    """Returns the reasons that defer an adverse event of an account, in the order of `Deferral`."""
    by = [Deferral(switch) for switch in context.switches.stopping(context.ref.platform, event)]
    if context.cluster.since is not None:
        by.append(Deferral.CLUSTER_CHANGED)
    if holding(account.hold, context.time):
        by.append(Deferral.HOLD)
    if account.heard is not None and account.heard.appeals:
        by.append(Deferral.APPEAL)
    if event is Event.INVITATION_ISSUED and upheld(account):
        by.append(Deferral.APPEAL_UPHELD)
    if is_unclear(account):
        by.append(Deferral.UNCLEAR_ANSWER)
    if account.eligibility is Eligibility.LEAVING:
        by.append(Deferral.LEAVING)
    if stale(account, context):
        by.append(Deferral.STALE)
    if context.limits.guard_tripped_until(context.ref.platform, context.now) is not None:
        by.append(Deferral.GUARD)
    return by
