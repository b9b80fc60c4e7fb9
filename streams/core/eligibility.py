"""Conditions of the eligibility machine.

When an account falls under the rule, and when no longer.
"""

from schemas.words import Mode
from streams.core.account import Account
from streams.core.change import Change
from streams.core.lifecycle import ELIGIBILITY, OPEN, Eligibility, Input, Invitation
from streams.core.moment import Moment
from streams.core.policy import Policy
from streams.core.standing import Standing, exit_line, failing, standing_of


def decide_eligibility(account: Account, moment: Moment) -> Change | None:
    """The next change that the facts demand by themselves; None when they are in accord."""
    policy = moment.policy
    standing = standing_of(account, policy, moment.time) if policy else None
    fails = failing(account, moment, standing) is not None
    state = account.eligibility
    if state is Eligibility.OUTSIDE:
        if fails or policy is None or standing is None:
            return None
        return _enter(account, moment, policy, standing)
    if fails or policy is None or standing is None:
        return _change(state, Input.CONDITIONS_FAIL, dwell_from=None, leaving_since=None)
    if state is Eligibility.DWELLING:
        return _dwell(account, policy, standing)
    return _inside(account, moment, policy, standing)


def _enter(account: Account, moment: Moment, policy: Policy, standing: Standing) -> Change | None:
    run = account.runs.get(standing.line)
    if run is None or account.label is None:
        return None
    dwell_from = max(
        run,
        account.label.since,
        standing.phase.starts_at or 0,
        account.opened_at or 0,
        account.exempt_at or 0,
        moment.policy_since,
    )
    return _change(
        Eligibility.OUTSIDE, Input.CONDITIONS_HOLD, dwell_from=dwell_from, line=standing.line
    )


def _dwell(account: Account, policy: Policy, standing: Standing) -> Change | None:
    broken = account.runs.get(account.line) is None
    if broken or standing.line > account.line:
        return _change(Eligibility.DWELLING, Input.CONDITIONS_FAIL, dwell_from=None)
    if policy.stability.dwell == 0:
        return dwell_over(account)
    return None


def dwell_over(account: Account) -> Change:
    """The dwell has lasted: the account is inside."""
    return _change(account.eligibility, Input.DWELL_OVER)


def leave_over(account: Account) -> Change:
    """The account stayed below the exit line for the whole time: it is outside."""
    return _change(account.eligibility, Input.LEAVE_OVER, dwell_from=None, leaving_since=None)


def _inside(account: Account, moment: Moment, policy: Policy, standing: Standing) -> Change | None:
    state = account.eligibility
    if standing.line > account.line and not _lasted(account, moment, policy, standing):
        return _change(state, Input.CONDITIONS_FAIL, dwell_from=None, leaving_since=None)
    below = (
        account.followers is not None
        and account.followers < exit_line(policy, standing.line)
        and not _kept(account, policy)
    )
    if below and state is Eligibility.INSIDE:
        return _change(
            state, Input.BELOW_EXIT, leaving_since=account.observed_at, line=standing.line
        )
    if below and policy.stability.leave_after == 0:
        return leave_over(account)
    if not below and state is Eligibility.LEAVING:
        return _change(state, Input.NOT_BELOW_EXIT, leaving_since=None, line=standing.line)
    if not below and standing.line < account.line:
        # Coming back over the higher line takes a dwell again.
        return _change(state, Input.LOWER_LINE, line=standing.line)
    return None


def _lasted(account: Account, moment: Moment, policy: Policy, standing: Standing) -> bool:
    """Whether the run over a line that is higher than before has already lasted the dwell."""
    run = account.runs.get(standing.line)
    return run is not None and run + policy.stability.dwell <= moment.time


def _kept(account: Account, policy: Policy) -> bool:
    """`on_fall_below: keep`: falling below changes nothing once invited."""
    return policy.keep_on_fall_below and any(
        account.life(mode).state in OPEN or account.life(mode).state is Invitation.GRANTED
        for mode in (Mode.ENFORCE, Mode.SHADOW)
    )


def _change(state: Eligibility, input_: Input, **account: int | None) -> Change:
    row = ELIGIBILITY[state][input_]
    return Change(
        "eligibility",
        state,
        input_,
        row.next_state,
        account={"eligibility": row.next_state, **account},
    )
