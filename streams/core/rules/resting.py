"""Finds the follower counts at which a newer reading of an account changes nothing but its count.

A caller that knows them, as a backtest does, may leave out such readings but the last before the
account is evaluated: state, events and decisions are then the same. See `state/reading.py`.
"""

from bisect import bisect_right
from typing import NamedTuple

from schemas.enums import MAX_FOLLOWERS
from streams.core.model.account import Account
from streams.core.model.policy import Policy
from streams.core.rules.milder import cycle_exit_line, open_cycle


class RestingCounts(NamedTuple):
    """The counts from `low` to below `high`. A fall by more than half is no rest even so."""

    low: int
    high: int


def resting_counts(account: Account, policy: Policy) -> RestingCounts | None:
    """Returns the counts at which an account is at rest; None: each reading has to be applied.

    They lie between the same lines, and on the same side of an open cycle's exit line, as the count
    that is stored; an account that is leaving may be at rest below it. An account is not at rest
    while an event is deferred, and while the next reading may begin a run over a line.
    """
    followers = account.followers
    if followers is None or followers < policy.floor or account.closed:
        return None
    if account.deferred is not None:
        return None
    lines = policy.lines
    place = bisect_right(lines, followers)
    if account.above_line_since.keys() != set(lines[:place]):
        return None
    low = max(policy.floor, lines[place - 1] if place else 0)
    high = lines[place] if place < len(lines) else MAX_FOLLOWERS + 1
    cycle = open_cycle(account)
    if cycle is not None:
        exits_at = cycle_exit_line(cycle, policy)
        if followers < exits_at:
            high = min(high, exits_at)
        else:
            low = max(low, exits_at)
    return RestingCounts(low, high)
