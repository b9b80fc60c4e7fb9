"""Conditions of the eligibility machine: when the rule applies to an account, and when not.

A *line* is the follower number of a phase. While a cycle is open, an account leaves below the
cycle's exit line (milder.py), otherwise below the line itself. A *run* over a line is the time
since which all readings were at or above it; it must last the *dwell* before an invitation.
"""

from streams.core.lifecycle import ELIGIBILITY, Eligibility, Input
from streams.core.model.account import Account, Cycle
from streams.core.model.change import RowChange
from streams.core.model.policy import Policy
from streams.core.rules.applicable_phase import ApplicablePhase, failing
from streams.core.rules.context import DecisionContext
from streams.core.rules.milder import cycle_leave_after, is_below, open_cycle, pinned_exit_line


def decide_eligibility(
    account: Account, context: DecisionContext, standing: ApplicablePhase | None
) -> RowChange | None:
    """Returns the next change that the facts require without a timer; None if there is none.

    `standing`: the phase that applies to the account.
    """
    policy = context.policy
    fails = failing(account, context, standing) is not None
    state = account.eligibility
    if state is Eligibility.OUTSIDE:
        if fails or policy is None or standing is None:
            return None
        return _enter(account, context, policy, standing)
    if fails or policy is None or standing is None:
        return conditions_fail(account)
    if state is Eligibility.DWELLING:
        return _dwell(account, policy, standing)
    cycle = open_cycle(account)
    if cycle is None:
        return _without_cycle(account, context, policy, standing)
    return _with_cycle(account, context, policy, standing, cycle)


def _enter(
    account: Account, context: DecisionContext, policy: Policy, standing: ApplicablePhase
) -> RowChange | None:
    run = account.above_line_since.get(standing.line)
    if run is None or account.label is None:
        return None
    dwell_from = max(
        run,
        account.label.since,
        standing.phase.starts_at or 0,
        account.opened_at or 0,
        account.exempt_at or 0,
        context.policy_since,
        account.dwell_after,
    )
    return _change(
        Eligibility.OUTSIDE,
        Input.CONDITIONS_HOLD,
        dwell_from=dwell_from,
        line=standing.line,
        spent=False,
    )


def _dwell(account: Account, policy: Policy, standing: ApplicablePhase) -> RowChange | None:
    broken = account.above_line_since.get(account.line) is None
    if broken or standing.line > account.line:
        return conditions_fail(account)
    if policy.stability.dwell == 0:
        return dwell_over(account)
    return None


def conditions_fail(account: Account) -> RowChange:
    """Makes the account OUTSIDE at once; a dwell begins again from zero."""
    return _change(account.eligibility, Input.CONDITIONS_FAIL, dwell_from=None, leaving_since=None)


def dwell_over(account: Account) -> RowChange:
    """Makes the account INSIDE after its dwell."""
    return _change(account.eligibility, Input.DWELL_OVER)


def leave_over(account: Account) -> RowChange:
    """Makes the account OUTSIDE after it stayed below the exit line for `leave_after`."""
    return _change(account.eligibility, Input.LEAVE_OVER, dwell_from=None, leaving_since=None)


def _without_cycle(
    account: Account, context: DecisionContext, policy: Policy, standing: ApplicablePhase
) -> RowChange | None:
    """Decides for an INSIDE or LEAVING account without an open cycle.

    A reading below the line makes it OUTSIDE at once.
    """
    higher = standing.line > account.line
    if account.eligibility is Eligibility.LEAVING or (
        higher and not _lasted(account, context, policy, standing)
    ):
        return conditions_fail(account)
    if standing.line != account.line:
        return _follow(account, standing)
    return conditions_fail(account) if account.above_line_since.get(account.line) is None else None


def _with_cycle(
    account: Account,
    context: DecisionContext,
    policy: Policy,
    standing: ApplicablePhase,
    cycle: Cycle,
) -> RowChange | None:
    """Decides for an INSIDE or LEAVING account with an open cycle. A higher line ends nothing."""
    below = is_below(account, cycle, policy)
    if account.eligibility is Eligibility.LEAVING:
        if not below and context.reading:
            return _change(account.eligibility, Input.NOT_BELOW_EXIT, leaving_since=None)
        if cycle_leave_after(cycle, policy) == 0:
            return leave_over(account)
        return None
    if below:
        since = _leaving_since(account, context, cycle)
        return _change(account.eligibility, Input.BELOW_EXIT, leaving_since=since)
    if standing.line < account.line or (
        standing.line > account.line and _lasted(account, context, policy, standing)
    ):
        return _follow(account, standing)
    return None


def _leaving_since(account: Account, context: DecisionContext, cycle: Cycle) -> int | None:
    """Returns when a leaving began: the time of the reading, or of a new policy that caused it."""
    if account.observed_at is None or account.followers is None:
        return account.observed_at
    by_the_terms = not cycle.terms.keep and account.followers < pinned_exit_line(cycle)
    if not context.policy_changed or by_the_terms:
        return account.observed_at
    return max(account.observed_at, context.policy_since)


def _follow(account: Account, standing: ApplicablePhase) -> RowChange:
    """Sets the account's line to that of the applicable phase."""
    lower = standing.line < account.line
    input_ = Input.LOWER_LINE if lower else Input.HIGHER_LINE
    return _change(account.eligibility, input_, line=standing.line)


def _lasted(
    account: Account, context: DecisionContext, policy: Policy, standing: ApplicablePhase
) -> bool:
    """Whether the run over the applicable line has lasted the dwell."""
    run = account.above_line_since.get(standing.line)
    return run is not None and run + policy.stability.dwell <= context.time


def _change(state: Eligibility, input_: Input, **account: int | None) -> RowChange:
    row = ELIGIBILITY[state][input_]
    return RowChange(
        "eligibility",
        state,
        input_,
        row.next_state,
        account={"eligibility": row.next_state, **account},
    )
