"""Handles readings and labels that are read before an earlier timer, or after newer ones.

A leaving and the end of a label favour the owner and take effect at their own time. A reading or
label that entered Kafka after that time is kept aside until the timer has acted
(schemas/CONTRACT.md, "Eligibility"). A stale reading or label that contradicts a dwell restarts the
dwell if no invitation was issued from it (schemas/CONTRACT.md, "Labels and counts"). If it is read
before the dwell begins, the dwell must not begin earlier either, because topics are read in any
order. A *run* over a line is the time since which all readings were at or above it.
"""

from msgspec.structs import replace

from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount
from streams.core.lifecycle import Eligibility
from streams.core.model.account import Account, Label, Reading
from streams.core.model.instants import milliseconds
from streams.core.model.policy import Policy
from streams.core.rules.facts import OPENING, end_runs_of, set_count, set_runs
from streams.core.rules.milder import leaves_at, open_cycle


def count_waits(account: Account, entry: int, policy: Policy) -> bool:
    """Whether a reading entered after a leaving was over by time, but its timer has not acted."""
    if account.eligibility is not Eligibility.LEAVING:
        return False
    leave_at = leaves_at(account, policy)
    return leave_at is not None and entry > leave_at


def keep_count(account: Account, reading: DecodedFollowerCount, policy: Policy) -> None:
    """Keeps a reading aside until the timer of the leaving has acted.

    It begins and ends runs at once, as if it counted already. Of several readings the newest is
    kept; of one instant, the lowest.
    """
    observed_at, followers = milliseconds(reading.observed_at), reading.followers
    known, known_at, known_count = account.kept, account.observed_at, account.followers
    if known_at is not None and observed_at < known_at:
        return
    if known is not None:
        known_at, known_count = known.observed_at, known.followers
        if observed_at < known_at:
            _dip(account, followers, observed_at, known_at if known.may_start_dwell else None)
            return
    if observed_at == known_at and known_count is not None and known_count <= followers:
        return
    may_start_dwell = reading.cause in OPENING
    if observed_at == known_at and not may_start_dwell:
        end_runs_of(account, observed_at)
    set_runs(account, observed_at, followers, may_start_dwell, policy)
    account.kept = Reading(observed_at, followers, may_start_dwell)


def take_kept(account: Account, policy: Policy | None) -> bool:
    """Applies the reading and label kept aside, if the end that they waited for has acted.

    Returns False if none was kept aside.
    """
    aside = account.aside
    if aside is None or (aside.kept is None and aside.kept_label is None):
        return False
    if account.kept is not None and account.eligibility is not Eligibility.LEAVING:
        kept, account.kept = account.kept, None
        newest = account.observed_at is None or kept.observed_at >= account.observed_at
        if newest and policy is not None:
            set_count(account, *kept, policy)
    if account.kept_label is not None and account.eligibility is Eligibility.OUTSIDE:
        account.label, account.kept_label = account.kept_label, None
    return True


def label_keeps(account: Account, entry: int) -> bool:
    """Whether a label appended to Kafka at `entry` must wait until the present label ends."""
    if account.eligibility is Eligibility.OUTSIDE or account.label is None:
        return False
    valid_until = account.label.valid_until
    return account.kept_label is not None or (valid_until is not None and entry > valid_until)


def reading_breaks(account: Account, reading: DecodedFollowerCount, policy_since: int) -> bool:
    """Whether a stale reading below the line restarts a dwell without an invitation."""
    since, newest = account.above_line_since.get(account.line), account.observed_at
    if since is not None:
        since = max(since, policy_since)
    at = milliseconds(reading.observed_at)
    return reading.followers < account.line and _dwells(account, at, since, newest)


def label_breaks(
    account: Account, change: DecodedCategoryChange, policy: Policy, policy_since: int
) -> bool:
    """Whether a stale label that is not covered restarts a dwell without an invitation."""
    if account.label is None or policy.field_of(change.category) is not None:
        return False
    known, at = account.label, milliseconds(change.observed_at)
    return _dwells(account, at, max(known.since, policy_since), known.observed_at)


def dips_before_dwell(account: Account, reading: DecodedFollowerCount) -> bool:
    """Restarts runs over lines that a stale reading, read before any dwell, was below.

    Returns True if it did. The run then starts at the newest reading, or ends if that may not start
    a dwell.
    """
    if account.eligibility is not Eligibility.OUTSIDE:
        return False
    newest = account.observed_at if account.may_start_dwell else None
    return _dip(account, reading.followers, milliseconds(reading.observed_at), newest)


def _dip(account: Account, followers: int, at: int, newest: int | None) -> bool:
    """Restarts at `newest` the runs that an older count, dated `at`, breaks; None ends them."""
    above = account.above_line_since
    dipped = [line for line in above if line > followers and above[line] < at]
    for line in dipped:
        if newest is None:
            del above[line]
        else:
            above[line] = newest
    return bool(dipped)


def gap_before_dwell(
    account: Account | None, known: Label | None, change: DecodedCategoryChange, policy: Policy
) -> Label | None:
    """Returns the label with a later `since` because of a stale label that is not covered.

    None if nothing changes: the account is in a dwell or later, or the stale label is older than
    `since`.
    """
    if account is not None and account.eligibility is not Eligibility.OUTSIDE:
        return None
    if known is None or known.since >= milliseconds(change.observed_at):
        return None
    return None if policy.field_of(change.category) else replace(known, since=known.observed_at)


def _dwells(account: Account, at: int, since: int | None, newest: int | None) -> bool:
    """Whether an input dated `at` contradicts a dwell from which no invitation was issued yet.

    It does if `at` is inside the dwell. It also does if `at` is before the dwell, but after
    `since`, from when inputs of its kind fulfilled the condition, and the `newest` of those inputs
    is inside the dwell.
    """
    start = account.dwell_from
    if start is None or account.spent or open_cycle(account) is not None:
        return False
    reaches_in = since is not None and newest is not None and since < at and start < newest
    return at > start or reaches_in


def restart_dwell(account: Account) -> None:
    """Sets the earliest start of a dwell to the time of the newest reading or label.

    If the newest reading may not start a dwell, the run over the account's line ends.
    """
    label_at = account.label.observed_at if account.label is not None else 0
    account.dwell_after = max(account.observed_at or 0, label_at, account.dwell_after)
    if not account.may_start_dwell:
        account.above_line_since.pop(account.line, None)
