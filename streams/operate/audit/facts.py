"""Applies labels and follower counts to the auditor's state of an account.

schemas/CONTRACT.md, "Labels and counts" and "Eligibility". A line is the follower count from which
on a phase applies; the exit line is the lower one below which an invited account starts to leave.
"""

from schemas.enums import Cause
from schemas.inputs import CategoryChange, FollowerCount
from streams.operate.audit.account_state import AuditedAccount, AuditedCycle
from streams.operate.audit.dues import must_end
from streams.operate.audit.records import Record, stamp
from streams.operate.audit.switch_log import NEVER
from streams.operate.audit.terms import AuditedTerms, folded

TRUE_COUNTS = frozenset({Cause.ORGANIC, Cause.OWNER_PURGE})


def label(
    account: AuditedAccount,
    record: Record,
    value: CategoryChange,
    now: int,
    present: AuditedTerms | None,
) -> None:
    """Applies a label. An uncovered or contradictory one must end open cycles and restrictions.

    A label that entered after the end of the one before does not undo that end.
    """
    at, text = stamp(value.observed_at), folded(value.category)
    until = None if value.valid_until is None else stamp(value.valid_until)
    if at < account.label_at or at <= account.label_removed_at:
        _stale_label(account, at, value, record, present)
        return
    same = at == account.label_at
    contradicts = same and present is not None and _contradicts(account.label, text, present)
    if same and account.label_until is not None and text == account.label:
        until = min(until or account.label_until, account.label_until)
    late = account.label_until is not None and record.entered_at(now) > account.label_until
    if late:
        account.label_over_at = account.label_until
    account.label_at, account.label, account.label_until = at, text, until
    account.label_read_at = at
    account.label_gone = ""
    if present is None:
        return
    if contradicts:
        account.label_gone = record.place
    # If the label before had ended already, its end closes the cycle, and not the new label.
    if contradicts and not late:
        must_end(account, record.place, "two labels of one instant")
    elif not present.covers(value.category):
        account.below.append((at, -1, record.place))
        if not late:
            must_end(account, record.place, "the label is not of a covered field")


def removed(account: AuditedAccount, record: Record, now: int) -> None:
    """Applies a tombstone of a label. The end of the label must end cycles and restrictions."""
    account.label_removed_at = max(account.label_removed_at, account.label_at)
    late = account.label_until is not None and record.entered_at(now) > account.label_until
    if late:
        account.label_over_at = account.label_until
    elif account.label is not None:
        must_end(account, record.place, "the label was removed")
    account.label, account.label_until = None, None
    account.label_gone = record.place


def _contradicts(one: str | None, other: str, present: AuditedTerms) -> bool:
    """Returns whether two labels of one instant contradict: a worker stores different texts."""
    return one is not None and one != other and present.kept(one) != present.kept(other)


def _stale_label(
    account: AuditedAccount,
    at: int,
    value: CategoryChange,
    record: Record,
    present: AuditedTerms | None,
) -> None:
    if present is not None and not account.last_cycles and not present.covers(value.category):
        account.below.append((at, -1, record.place))


def followed(account: AuditedAccount) -> bool:
    """Returns whether a worker certainly stores every count of this account."""
    changes = [account.spoken[it] for it in ("open", "exempt", "owner") if it in account.spoken]
    if any("closed" in heard.times for heard in changes):
        return False
    changed = any(heard.times for heard in changes)
    return bool(account.last_cycles or account.controls or changed)


def reading(
    account: AuditedAccount,
    record: Record,
    value: FollowerCount,
    now: int,
    present: AuditedTerms | None,
) -> None:
    """Applies a follower count. In an open cycle it may put the account below its exit line."""
    at = stamp(value.observed_at)
    if present is None:
        return
    if value.followers < present.lowest and not followed(account):
        # A worker does not store a count below the floor of an account that it does not follow.
        if at >= account.reading_at:
            account.reading_at, account.followers = at, None
            account.counted_at, account.forgotten_place = -NEVER, record.place
        return
    account.forgotten_place = ""
    lines = [it.line for it in present.phases.values() if it.starts_at is not None]
    counts = at >= account.reading_at or not account.last_cycles
    # A stale count starts a dwell anew only while nothing has been issued.
    if counts and value.cause in TRUE_COUNTS and lines and value.followers < min(lines):
        account.below.append((at, value.followers, record.place))
    if at < account.reading_at:
        return
    count = value.followers
    if at == account.reading_at and account.followers is not None:
        count = min(count, account.followers)
    account.reading_at, account.followers, account.counted_at = at, count, at
    account.counted_place = record.place
    stand(account, record.place, max(at, now), record.entered_at(now), present)


def adopt(account: AuditedAccount, now: int, present: AuditedTerms) -> None:
    """Applies a new policy. It can put an account below its exit line, never back above it."""
    since, left_at = account.below_since, account.left_at
    stand(account, "", now, now, present)
    cycle = next(iter(account.open_cycles()), None)
    if since is None or cycle is None or cycle.terms is None:
        return
    account.below_since = since
    account.left_at = left_at if cycle.edition == 1 else since + _leave_after(cycle, present)


def stand(
    account: AuditedAccount, place: str, at: int, entered_at: int, present: AuditedTerms
) -> None:
    """Decides by the newest count whether an account with an open cycle is leaving.

    An account that is below its exit line for `leave_after` has left. `at` (ms): from when that
    counts at the latest; `entered_at` (ms): the entry of the count into Kafka.
    """
    cycle = next(iter(account.open_cycles()), None)
    if cycle is None or cycle.terms is None or account.followers is None:
        account.below_since, account.left_at = None, None
        return
    if not _below(account.followers, cycle, present):
        if account.left_at is None or entered_at <= account.left_at:
            account.below_since, account.left_at = None, None
        return
    if account.below_since is None:
        account.below_since, account.below_place = at, place
        account.left_at = at + _leave_after(cycle, present)


def _below(followers: int, cycle: AuditedCycle, present: AuditedTerms) -> bool:
    """Returns whether the count is below the exit line: the higher one of pinned and present.

    A cycle of the first edition did not pin all of its terms. For it the count must be below both.
    """
    assert cycle.terms is not None
    lines = [cycle.line * cycle.terms.exit_ppm]
    now = present.exit_line(cycle.phase)
    if now is not None:
        lines.append(now)
    keeps = [cycle.terms.keep, present.keep]
    if cycle.edition == 1:
        return not any(keeps) and followers * 1_000_000 < min(lines)
    return not all(keeps) and followers * 1_000_000 < max(lines)


def _leave_after(cycle: AuditedCycle, present: AuditedTerms) -> int:
    assert cycle.terms is not None
    both = (cycle.terms.leave_after, present.leave_after)
    return max(both) if cycle.edition == 1 else min(both)
