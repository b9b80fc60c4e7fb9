"""What came in late: a count or label that waits for an end, or one that breaks a dwell.

What ends in the owner's favour ends at its own time. An input that entered after that end is kept
and counts once the end has acted (schemas/CONTRACT.md, "Eligibility"). A stale reading or label
inside a dwell starts the dwell anew if nothing was issued from it yet (schemas/CONTRACT.md,
"Labels and counts"). Where no dwell has begun yet, it begins no earlier for that: the topics are
read in any order.
"""

from msgspec.structs import replace

from streams.core.inputs.decode import CategoryChange, FollowerCount
from streams.core.lifecycle import Eligibility
from streams.core.model.account import Account, Label, Reading
from streams.core.model.instants import milliseconds
from streams.core.model.policy import Policy
from streams.core.rules.facts import OPENING, set_count
from streams.core.rules.milder import leaves_at, open_cycle


def count_waits(account: Account, entry: int, policy: Policy) -> bool:
    """Whether a reading entered after the end of a leaving that has not acted yet."""
    if account.eligibility is not Eligibility.LEAVING:
        return False
    leave_at = leaves_at(account, policy)
    return leave_at is not None and entry > leave_at


def keep_count(account: Account, reading: FollowerCount) -> None:
    """Keeps a reading that entered after the end of a leaving until that end has acted.

    It breaks runs at once, even if a newer reading comes after it.
    """
    observed_at = milliseconds(reading.observed_at)
    if account.observed_at is not None and observed_at < account.observed_at:
        return
    for line in [line for line in account.above_line_since if line > reading.followers]:
        del account.above_line_since[line]
    known = account.kept
    new = Reading(observed_at, reading.followers, reading.cause in OPENING)
    if known is None or (-known.observed_at, known.followers) > (-observed_at, new.followers):
        account.kept = new


def take_kept(account: Account, policy: Policy | None) -> None:
    """Lets the kept inputs count, once the end of the leaving or of the label has acted."""
    if account.aside is None:
        return
    if account.kept is not None and account.eligibility is not Eligibility.LEAVING:
        kept, account.kept = account.kept, None
        newest = account.observed_at is None or kept.observed_at >= account.observed_at
        if newest and policy is not None:
            set_count(account, *kept, policy)
    if account.kept_label is not None and account.eligibility is Eligibility.OUTSIDE:
        account.label, account.kept_label = account.kept_label, None


def label_keeps(account: Account, entry: int) -> bool:
    """Whether a label that entered then has to wait for the end of the one before."""
    if account.eligibility is Eligibility.OUTSIDE or account.label is None:
        return False
    valid_until = account.label.valid_until
    return account.kept_label is not None or (valid_until is not None and entry > valid_until)


def reading_breaks(account: Account, reading: FollowerCount, policy_since: int) -> bool:
    """Whether a stale reading breaks a dwell from which nothing was issued yet."""
    since, newest = account.above_line_since.get(account.line), account.observed_at
    if since is not None:
        since = max(since, policy_since)
    at = milliseconds(reading.observed_at)
    return reading.followers < account.line and _dwells(account, at, since, newest)


def label_breaks(
    account: Account, change: CategoryChange, policy: Policy, policy_since: int
) -> bool:
    """Whether a stale label that is not covered does so."""
    if account.label is None or policy.field_of(change.category) is not None:
        return False
    known, at = account.label, milliseconds(change.observed_at)
    return _dwells(account, at, max(known.since, policy_since), known.observed_at)


def dips_before_dwell(account: Account, reading: FollowerCount) -> bool:
    """Whether a stale reading, read before any dwell, begins the time above a line anew."""
    if account.eligibility is not Eligibility.OUTSIDE:
        return False
    above, observed_at = account.above_line_since, milliseconds(reading.observed_at)
    dipped = [line for line in above if line > reading.followers and above[line] < observed_at]
    for line in dipped:
        if account.may_start_dwell and account.observed_at is not None:
            above[line] = account.observed_at
        else:
            del above[line]
    return bool(dipped)


def gap_before_dwell(
    account: Account | None, known: Label | None, change: CategoryChange, policy: Policy
) -> Label | None:
    """The label after a stale one that is not covered, read before any dwell; None if unchanged."""
    if account is not None and account.eligibility is not Eligibility.OUTSIDE:
        return None
    if known is None or known.since >= milliseconds(change.observed_at):
        return None
    return None if policy.field_of(change.category) else replace(known, since=known.observed_at)


def _dwells(account: Account, at: int, since: int | None, newest: int | None) -> bool:
    """Whether something at `at` speaks against a dwell that has issued nothing yet.

    It does inside the dwell. It does before it, too, where it lies behind `since`, from when all
    inputs of its kind were over the line (or covered) under the present policy, and the `newest` of
    these was observed only inside the dwell.
    """
    start = account.dwell_from
    if start is None or account.spent or open_cycle(account) is not None:
        return False
    reaches_in = since is not None and newest is not None and since < at and start < newest
    return at > start or reaches_in


def restart_dwell(account: Account) -> None:
    """Sets that no dwell begins before the newest reading and label; a correction begins none."""
    label_at = account.label.observed_at if account.label is not None else 0
    account.dwell_after = max(account.observed_at or 0, label_at, account.dwell_after)
    if not account.may_start_dwell:
        account.above_line_since.pop(account.line, None)
