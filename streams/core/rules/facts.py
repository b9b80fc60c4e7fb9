"""Stores the facts that an input states about an account. Consequences are decided elsewhere.

Each fact is kept with the time that its record states. An input older than the stored fact is
stale. A *run* over a line (the follower number of a phase) is the time since which all readings
were at or above it (`Account.above_line_since`). Times are milliseconds UTC.
"""

from schemas.enums import Cause, Change, Ignored
from streams.core.inputs.decode import (
    DecodedAccountChange,
    DecodedCategoryChange,
    DecodedFollowerCount,
)
from streams.core.inputs.heard import CLOSING, EXEMPTING, StatedWord, heard_of, kept, take
from streams.core.lifecycle import Eligibility, Invitation
from streams.core.model.account import Account, Heard, Hold, Label, Life
from streams.core.model.instants import milliseconds
from streams.core.model.labels import folded_label
from streams.core.model.policy import Policy
from streams.core.rules.milder import shorter

OPENING = frozenset({Cause.ORGANIC, Cause.OWNER_PURGE})
"""Causes of a reading that may start a dwell. A correction or a platform's purge may not."""


def read_count(
    account: Account, reading: DecodedFollowerCount, policy: Policy, is_rescan: bool = False
) -> bool:
    """Stores a reading. Returns False if it is older than the stored one.

    Of two readings of one instant the lower one counts. Where only the instant is kept (the count
    was below the floor, or the account was closed) none of it counts any more, so that to deliver a
    reading twice adds nothing. `is_rescan`: it was read before, under an older policy; a count that
    was below that policy's floor counts then.
    """
    observed_at, known_at = milliseconds(reading.observed_at), account.observed_at
    if known_at is not None and observed_at <= known_at:
        if observed_at < known_at:
            return False
        if account.followers is None:
            if account.opened_at is not None or not is_rescan:
                return False
        elif account.followers <= reading.followers:
            return True  # The stored count of this instant is not higher, so it stays.
    may_start_dwell = reading.cause in OPENING
    if observed_at == known_at and not may_start_dwell:
        end_runs_of(account, observed_at)
    set_count(account, observed_at, reading.followers, may_start_dwell, policy)
    return True


def pass_over_count(account: Account, observed_at: int) -> bool:
    """Keeps the time of a reading of a closed account. Returns False if it is not the newest."""
    if account.observed_at is not None and observed_at <= account.observed_at:
        return False
    account.observed_at = observed_at
    return True


def pass_over_label(account: Account, change: DecodedCategoryChange) -> bool:
    """Keeps the time of a label of a closed account. Returns False if it is not the newest."""
    observed_at = milliseconds(change.observed_at)
    if account.label is not None and observed_at <= account.label.observed_at:
        return False
    account.label = removed_label(Label(None, observed_at, change.source, None, observed_at))
    return True


def set_count(
    account: Account, observed_at: int, followers: int, may_start_dwell: bool, policy: Policy
) -> None:
    """Stores the newest count, and begins and ends runs over the lines."""
    account.observed_at, account.followers, account.may_start_dwell = (
        observed_at,
        followers,
        may_start_dwell,
    )
    set_runs(account, observed_at, followers, may_start_dwell, policy)


def end_runs_of(account: Account, observed_at: int) -> None:
    """Ends the runs that a replaced count of this instant began; the new one may begin none."""
    for line in [line for line, run in account.above_line_since.items() if run == observed_at]:
        del account.above_line_since[line]


def set_runs(
    account: Account, observed_at: int, followers: int, may_start_dwell: bool, policy: Policy
) -> None:
    """Begins and ends runs over the lines, for the newest count.

    It also ends runs over lines of an older policy, because a later policy may have them again.
    """
    above_line_since, lines = account.above_line_since, policy.lines
    if not above_line_since and followers < lines[0]:
        return
    if above_line_since and max(above_line_since) > followers:
        for line in [line for line in above_line_since if line > followers]:
            del above_line_since[line]
    if may_start_dwell:
        for line in lines:
            if line <= followers and line not in above_line_since:
                above_line_since[line] = observed_at


def ended(account: Account, observed_at: int) -> bool:
    """Whether a reading, in a rescan, is from before a closing that deleted the count."""
    return account.followers is None and observed_at <= (account.opened_at or -1)


def begin_above_line(account: Account, policy: Policy, known: frozenset[int], since: int) -> None:
    """Begins runs at `since` over the lines of a policy that are not in `known`.

    The count must be at or above the line. If only a correction or a purge brought it there, no run
    begins before another reading. Runs over lines that the policy does not have are deleted.
    """
    for line in policy.lines:
        if line in known or account.followers is None or account.followers < line:
            continue
        if account.may_start_dwell or any(run >= line for run in account.above_line_since):
            account.above_line_since.setdefault(line, since)
    for line in [line for line in account.above_line_since if line not in policy.lines]:
        del account.above_line_since[line]


def new_label(
    known: Label | None,
    change: DecodedCategoryChange,
    policy: Policy,
    entry: int,
    is_rescan: bool = False,
) -> Label | None:
    """Returns the label after a change; None if the change is stale.

    It is stale if it is older than the known label, or not newer than a removed one. The label's
    `since` is when labels of covered fields began without a gap; one that entered Kafka after the
    end of the known one closes no gap, whatever its own time. `is_rescan`: the label was read
    before, under an older policy.
    """
    observed_at = milliseconds(change.observed_at)
    category, known_labels = change.category, policy.known_labels
    text: str | None = category
    if category not in known_labels:
        text = folded_label(category)
        if text not in known_labels:
            text = None
    valid_until = None if change.valid_until is None else milliseconds(change.valid_until)
    since = observed_at
    if known is not None:
        if observed_at < known.observed_at or (known.removed and observed_at == known.observed_at):
            return None
        if observed_at == known.observed_at:
            read = Label(text, observed_at, change.source, valid_until, since)
            return _of_one_instant(known, read, category, is_rescan)
        if policy.field_of(known.text) and policy.field_of(text):
            unbroken = known.valid_until is None or known.valid_until >= max(observed_at, entry)
            since = min(known.since, observed_at) if unbroken else observed_at
    return Label(text, observed_at, change.source, valid_until, since)


def _of_one_instant(known: Label, read: Label, category: str, is_rescan: bool) -> Label:
    """Joins two labels of one instant: if equal, the earlier end counts; else they contradict."""
    if known.contradictory:
        return known
    if known.text is None and read.text is not None and is_rescan:
        # Only the new policy knows the text; none was stored before, so there is no contradiction.
        return read
    if known.text not in (read.text, category):
        return Label(
            None, known.observed_at, known.source, None, known.observed_at, contradictory=True
        )
    ends = shorter(known.valid_until, read.valid_until)
    return Label(known.text, known.observed_at, known.source, ends, known.since)


def removed_label(known: Label) -> Label:
    """Returns what is kept of a removed label: its time, so that older labels stay stale."""
    return Label(None, known.observed_at, known.source, None, known.observed_at, removed=True)


def undone(account: Account | None, known: Label | None, observed_at: int) -> bool:
    """Whether a label, in a rescan, was later removed by a tombstone or a closing.

    The removal is not applied again in a rescan, so the label must not be stored again.
    """
    if known is not None:
        return known.removed and observed_at <= known.observed_at
    return account is not None and observed_at <= (account.opened_at or -1)


def read_change(account: Account, change: DecodedAccountChange, word: StatedWord) -> Ignored | None:
    """Stores an account change. Returns why it does not count, or None if it counts.

    A change that protects the owner counts even if it is older than the newest of its kind by up to
    the allowed clock skew.
    """
    name = change.change
    if name in CLOSING:
        late = take(account, name, CLOSING, word)
        if late is None:
            account.closed = name is Change.CLOSED
            account.opened_at = max(word.at, account.opened_at or word.at)
        return late
    if name in EXEMPTING:
        late = take(account, name, EXEMPTING, word)
        if late is None:
            account.exempt = name is Change.EXEMPTED
            account.exempt_at = max(word.at, account.exempt_at or word.at)
        return late
    late = take(account, name, (name,), word)
    if late is None:
        account.owner_at = max(word.at, account.owner_at or word.at)
        _forget_appeals(account, word)
        end_mark(heard_of(account), word.at)
    return late


def _forget_appeals(account: Account, word: StatedWord) -> None:
    """Ends the appeals of the previous owner."""
    appeals = heard_of(account).appeals
    for name in [name for name, appeal in appeals.items() if appeal.opened_at < word.at]:
        end_stop(account, appeals.pop(name).since, word.until)


def end_mark(heard: Heard, at: int) -> None:
    """Ends the effect of an upheld appeal (no new cycles), unless it was upheld after `at`.

    With equal times, the record with the higher offset counts.
    """
    heard.freed_at = max(at, heard.freed_at or at)
    if heard.upheld_at is not None and heard.upheld_at <= at:
        heard.upheld_at = None


def begin_hold(hold: Hold | None, since: int, expires_at: int | None) -> Hold:
    """Returns the hold joined with a new one: from the earlier start to the later end."""
    if hold is None:
        return Hold(since, expires_at)
    later = None
    if hold.expires_at is not None and expires_at is not None:
        later = max(hold.expires_at, expires_at)
    return Hold(min(hold.since, since), later)


def end_stop(account: Account, since: int, until: int) -> None:
    """Stores the period of an ended hold, appeal or unclear word as a stop of the open cycles.

    A stop that ended before the cycle's answer window began has no effect and is not kept.
    """
    if account.heard is not None:
        account.heard.paused_until = max(until, account.heard.paused_until or until)
    for life in (account.live, account.shadow):
        cycle = life.cycle
        if cycle is None or life.state is Invitation.GRANTED:
            continue
        began = cycle.issued_at if cycle.delivered_at is None else cycle.delivered_at
        known = tuple(stop for stop in cycle.stops if stop[1] > began)
        cycle.stops = kept(known, since, until) if until > began else known


def drop_expired_hold(account: Account, time: int) -> bool:
    """Ends a hold that has expired at `time`. Returns True if one ended."""
    hold = account.hold
    if hold is None or hold.expires_at is None or hold.expires_at > time:
        return False
    end_stop(account, hold.since, hold.expires_at)
    account.hold = None
    return True


def forget_count(account: Account) -> None:
    """Deletes the count and label of an account below the floor; keeps the reading's time."""
    account.followers = None
    account.label = account.kept_label = account.kept = None
    account.above_line_since = {}
    account.eligibility = Eligibility.OUTSIDE
    account.dwell_from = account.leaving_since = None
    account.deferred = None


def remains(account: Account) -> Account:
    """Returns what is kept of a closed account, under the digest of its key."""
    return Account(
        observed_at=account.observed_at,
        label=None if account.label is None else removed_label(account.label),
        last_applied=account.last_applied,
        live=_spent(account.live),
        shadow=_spent(account.shadow),
        closed=True,
        opened_at=account.opened_at,
        exempt=account.exempt,
        exempt_at=account.exempt_at,
        owner_at=account.owner_at,
        hold=account.hold,
        heard=account.heard,
    )


def _spent(life: Life) -> Life:
    return Life(life.cycle_number, life.sequence, cool_down_until=life.cool_down_until)
