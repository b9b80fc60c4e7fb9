"""Chooses, while a cycle is open, the milder of its terms and the present policy.

The terms are fixed at issue. Those of a cycle of the first edition lack the exit line,
`leave_after`, `max_age` and `on_fall_below`; the present policy's values apply then.
schemas/CONTRACT.md, "Eligibility" and "Terms".
"""

from streams.core.lifecycle import OPEN
from streams.core.model.account import Account, Cycle
from streams.core.model.policy import Policy, exit_line


def open_cycle(account: Account) -> Cycle | None:
    """Returns the open cycle, live or shadow; None without one. A granted cycle is not open."""
    life = account.live
    if life.cycle is not None and life.state in OPEN:
        return life.cycle
    life = account.shadow
    return life.cycle if life.cycle is not None and life.state in OPEN else None


def shorter(one: int | None, other: int | None) -> int | None:
    """Returns the shorter of two durations. None means unlimited."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def cycle_exit_line(cycle: Cycle, policy: Policy) -> int:
    """Returns the higher of two exit lines: by the terms and by the present policy.

    The policy's is that of the phase with the name of the cycle's phase, if it has one.
    """
    return max(pinned_exit_line(cycle), policy.exit_lines.get(cycle.terms.phase, 0))


def pinned_exit_line(cycle: Cycle) -> int:
    """Returns the exit line of the terms; 0 if they have none."""
    ratio = cycle.terms.exit_ratio_ppm
    return 0 if ratio is None else exit_line(cycle.terms.line, ratio)


def cycle_leave_after(cycle: Cycle, policy: Policy) -> int:
    """Returns how long the count must stay below the exit line to leave, in milliseconds."""
    present = policy.stability.leave_after
    pinned = cycle.terms.exit_ratio_ppm is not None
    return min(cycle.terms.leave_after, present) if pinned else present


def cycle_keeps(cycle: Cycle, policy: Policy) -> bool:
    """Whether a cycle stays open below the exit line: terms and policy say to keep it."""
    pinned = cycle.terms.exit_ratio_ppm is not None
    return policy.keep_on_fall_below and (cycle.terms.keep or not pinned)


def max_age(account: Account, policy: Policy) -> int | None:
    """Returns how old a reading may be for an adverse event, in milliseconds; None: any age."""
    cycle = open_cycle(account)
    present = policy.stability.max_age
    if cycle is None or cycle.terms.exit_ratio_ppm is None:
        return present
    return shorter(cycle.terms.max_age, present)


def is_below(account: Account, cycle: Cycle, policy: Policy) -> bool:
    """Whether the count is below the exit line of an open cycle that does not stay open there."""
    followers = account.followers
    if followers is None or _above_lines(followers, cycle, policy) or cycle_keeps(cycle, policy):
        return False
    return followers < cycle_exit_line(cycle, policy)


def _above_lines(followers: int, cycle: Cycle, policy: Policy) -> bool:
    """Whether a count is below no line at all, and so below no exit line, which are not higher."""
    return followers >= policy.lines[-1] and followers >= cycle.terms.line


def same_side(account: Account, before: int, after: int, policy: Policy) -> bool:
    """Whether two counts lie on the same side of the open cycle's exit line; True without one."""
    cycle = open_cycle(account)
    lowest = after if after < before else before
    if cycle is None or _above_lines(lowest, cycle, policy):
        return True
    exits_at = cycle_exit_line(cycle, policy)
    return (before < exits_at) is (after < exits_at)


def leaves_at(account: Account, policy: Policy) -> int | None:
    """Returns the instant at which a leaving is over; None if the account is not leaving."""
    cycle = open_cycle(account)
    if account.leaving_since is None or cycle is None:
        return None
    return account.leaving_since + cycle_leave_after(cycle, policy)
