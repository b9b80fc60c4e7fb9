"""What an input says about an account, written down as facts; what follows is decided elsewhere.

Facts with a time of their own are kept by that time: what is older than what is known is stale.
"""

from schemas.words import Cause, Change
from streams.core.account import Account, Hold, Label, Life
from streams.core.clock import milliseconds
from streams.core.decode import AccountChange, CategoryChange, FollowerCount
from streams.core.lifecycle import Eligibility
from streams.core.policy import Policy

_OPENING = frozenset({Cause.ORGANIC, Cause.OWNER_PURGE})
"""Causes that may open a dwell: a correction or a purge by the platform does not."""


def read_count(account: Account, reading: FollowerCount, policy: Policy) -> bool:
    """Write a reading down; False when it is older than the one applied."""
    observed_at = milliseconds(reading.observed_at)
    if account.observed_at is not None and observed_at < account.observed_at:
        return False
    account.observed_at = observed_at
    account.followers = followers = reading.followers
    account.opening = reading.cause in _OPENING
    runs = account.runs
    for line in policy.lines:
        if followers < line:
            runs.pop(line, None)
        elif line not in runs and account.opening:
            runs[line] = observed_at
    return True


def ended(account: Account, observed_at: int) -> bool:
    """Whether a reading, read once more, is from before a closing that made us forget it."""
    return account.followers is None and observed_at <= (account.opened_at or -1)


def begin_runs(account: Account, policy: Policy, known: frozenset[int], since: int) -> None:
    """A policy brought new lines: an account at or above one is over it from then on.

    But for one that only a correction or a purge put there: it waits for another reading.
    """
    for line in policy.lines:
        if line in known or account.followers is None or account.followers < line:
            continue
        if account.opening or any(run >= line for run in account.runs):
            account.runs.setdefault(line, since)
    for line in [line for line in account.runs if line not in policy.lines]:
        del account.runs[line]


def new_label(known: Label | None, change: CategoryChange, policy: Policy) -> Label | None:
    """The label after a change; None when the change is older than what is known.

    `since` goes back to where covered labels began to follow one another without a gap.
    """
    observed_at = milliseconds(change.observed_at)
    text = change.category if change.category in policy.known_labels else None
    valid_until = None if change.valid_until is None else milliseconds(change.valid_until)
    since = observed_at
    if known is not None:
        if observed_at < known.observed_at:
            return None
        if policy.field_of(known.text) and policy.field_of(text):
            unbroken = known.valid_until is None or known.valid_until >= observed_at
            since = min(known.since, observed_at) if unbroken else observed_at
    return Label(text, observed_at, change.source, valid_until, since)


def removed_label(known: Label) -> Label:
    """What stays of a label that a tombstone removed: its time, against older ones to come."""
    return Label(None, known.observed_at, known.source, None, known.observed_at, removed=True)


def undone(account: Account | None, known: Label | None, observed_at: int) -> bool:
    """Whether a label, read once more, was removed or ended by a closing after its first reading.

    Its tombstone and the closing are not read once more, so it would come back for good.
    """
    if known is not None:
        return known.removed and observed_at <= known.observed_at
    return account is not None and observed_at <= (account.opened_at or -1)


def read_change(account: Account, change: AccountChange) -> str | None:
    """Write an account change down; the word for why it counts for nothing, or None."""
    at = milliseconds(change.observed_at)
    if change.change in (Change.CLOSED, Change.REOPENED):
        closes = change.change is Change.CLOSED
        word = _late(account.opened_at, at, account.closed is closes)
        if word is None:
            account.opened_at, account.closed = at, closes
        return word
    if change.change in (Change.EXEMPTED, Change.EXEMPTION_ENDED):
        exempts = change.change is Change.EXEMPTED
        word = _late(account.exempt_at, at, account.exempt is exempts)
        if word is None:
            account.exempt_at, account.exempt = at, exempts
        return word
    word = _late(account.owner_at, at, same=True)
    if word is None:
        account.owner_at = at
    return word


def _late(known_at: int | None, at: int, same: bool) -> str | None:
    if known_at is None or at > known_at:
        return None
    if at < known_at:
        return "stale"
    return "duplicate" if same else None


def begin_hold(hold: Hold | None, since: int, expires_at: int | None) -> Hold:
    """A hold, or a second one on top: from the first's start to the later end."""
    if hold is None:
        return Hold(since, expires_at)
    later = None
    if hold.expires_at is not None and expires_at is not None:
        later = max(hold.expires_at, expires_at)
    return Hold(min(hold.since, since), later)


def end_stop(account: Account, since: int, until: int) -> None:
    """A hold or an appeal is over: its stretch stays with the open cycles, for their clocks."""
    if until <= since:
        return
    for life in (account.live, account.shadow):
        if life.cycle is not None:
            life.cycle.stops = (*life.cycle.stops, (since, until))


def drop_expired_hold(account: Account, time: int) -> bool:
    """End a hold whose time is up; True when one ended."""
    hold = account.hold
    if hold is None or hold.expires_at is None or hold.expires_at > time:
        return False
    end_stop(account, hold.since, hold.expires_at)
    account.hold = None
    return True


def forget_count(account: Account) -> None:
    """Below the floor nothing is remembered of an account but when it was last read."""
    account.followers = None
    account.label = None
    account.runs = {}
    account.eligibility = Eligibility.OUTSIDE
    account.dwell_from = account.leaving_since = None
    account.deferred = None


def remains(account: Account) -> Account:
    """What is kept of a closed account, under the digest of its key."""
    return Account(
        observed_at=account.observed_at,
        mark=account.mark,
        live=_spent(account.live),
        shadow=_spent(account.shadow),
        closed=True,
        opened_at=account.opened_at,
        exempt=account.exempt,
        exempt_at=account.exempt_at,
        owner_at=account.owner_at,
        hold=account.hold,
        appeal=account.appeal,
        controls=account.controls,
        answered=account.answered,
    )


def _spent(life: Life) -> Life:
    return Life(life.cycle_number, life.sequence, cool_down_until=life.cool_down_until)
