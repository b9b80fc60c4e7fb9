"""Applies inputs as the contract's first edition did, for transactions that name no edition."""

from schemas.enums import ALLOWED_SKEW_SECONDS, Answer, Change, Command, Outcome
from schemas.inputs import (
    AccountChange,
    CategoryChange,
    ConsentAnswer,
    Control,
    FollowerCount,
    NoticeReceipt,
)
from streams.operate.audit.account_state import AuditedAccount, AuditedCycle, Due, Word
from streams.operate.audit.records import SECOND, Record, iso, stamp
from streams.operate.audit.switch_log import NEVER
from streams.operate.audit.terms import AuditedTerms
from streams.operate.audit.words import SaidTimes

REMEMBERED_CONTROLS = 64
ENDS_ALL = {Change.CLOSED, Change.OWNER_CHANGED, Change.EXEMPTED}
KINDS = {
    Change.CLOSED: "open",
    Change.REOPENED: "open",
    Change.EXEMPTED: "exempt",
    Change.EXEMPTION_ENDED: "exempt",
    Change.OWNER_CHANGED: "owner",
}
"""The kind of each change. Of one kind the newest by its own time counts."""


def follow(
    account: AuditedAccount, record: Record, value: object, now: int, present: AuditedTerms | None
) -> None:
    """Applies one input to an account. `present`: the platform's policy in force, if it has one."""
    account.release_expired_hold(now)
    match value:
        case ConsentAnswer():
            _answer(account, record, value)
        case NoticeReceipt():
            _receipt(account, record, value)
        case Control():
            _control(account, record, value, now)
        case AccountChange():
            _change(account, record, value)
        case CategoryChange():
            _label(account, record, value, now, present)
        case FollowerCount():
            _reading(account, value, present)


def must_end(account: AuditedAccount, record: Record, why: str) -> None:
    """Demands a lift of every restriction of the account by the end of the transaction."""
    for cycle in account.cycles.values():
        for surface in cycle.active:
            account.due.append(Due("not_lifted", record.place, why, surface))


def _answer(account: AuditedAccount, record: Record, value: ConsentAnswer) -> None:
    at, said = stamp(value.occurred_at), value.answer
    withdraws = said is Answer.WITHDRAWN
    if withdraws:
        # A withdrawal applies in every state and without a cycle: no earlier grant counts then.
        account.withdraw(at, record.place)
    if said is not Answer.GRANTED:
        account.takebacks.append(at)
    stale = _heard(account, at, said.value)
    cycle = account.answering()
    if stale or not (withdraws or (cycle is not None and _meant_for(cycle, value, at))):
        return
    _remember(account, at, said.value)
    word = Word(at, record.timestamp, record.place)
    if cycle is None:
        return
    if cycle.state == "GRANTED":
        if said is not Answer.GRANTED:
            account.withdraw(at, record.place)
            account.due.append(Due("withdrawal_unheeded", record.place, said.value))
    elif said is Answer.GRANTED:
        cycle.granted = word
        cycle.grants.append(word)
        if cycle.terms is not None:
            account.due.append(Due("grant_unheeded", record.place, f"given at {iso(at)}"))
    elif said is Answer.DECLINED:
        cycle.declined = word


def _heard(account: AuditedAccount, at: int, answer: str) -> bool:
    """Returns whether an answer is older than the owner's newest, or repeats it.

    Of two answers of one instant a withdrawal outweighs a grant.
    """
    then = account.last_answers if at == account.last_answer_at else frozenset()
    withdrawn = answer == "granted" and "withdrawn" in then
    return at < account.last_answer_at or answer in then or withdrawn


def _remember(account: AuditedAccount, at: int, answer: str) -> None:
    """Stores the owner's newest answer; several may have the same time."""
    same = account.last_answers if at == account.last_answer_at else frozenset()
    account.last_answer_at, account.last_answers = at, same | {answer}
    known, said = account.heard_of("answers"), SaidTimes(at, at)
    known.remember(answer, said)
    known.apply(said, answer != Answer.GRANTED)
    if answer == Answer.WITHDRAWN:
        known.withdrawn = max(known.withdrawn, at)


def _meant_for(cycle: AuditedCycle, value: ConsentAnswer, at: int) -> bool:
    """Returns whether an answer belongs to this cycle and its notice.

    One without an `invitation_id` does unless it is older than the notice by more than PT5M.
    """
    if value.invitation_id not in (None, cycle.invitation_id):
        return False
    if cycle.terms is None:
        return True
    if value.invitation_id is None and at < cycle.asked_at - ALLOWED_SKEW_SECONDS * SECOND:
        return False
    other = value.notice_version not in (None, cycle.notice_version)
    return not (other and value.answer is Answer.GRANTED)


def _receipt(account: AuditedAccount, record: Record, value: NoticeReceipt) -> None:
    cycle = account.named(value.invitation_id)
    if cycle is not None and value.outcome is Outcome.DELIVERED:
        cycle.receipt = Word(stamp(value.occurred_at), record.timestamp, record.place)


def _control(account: AuditedAccount, record: Record, value: Control, now: int) -> None:
    """Applies a control. A second hold can only move the end of the first to a later time."""
    if value.control_id in account.controls:
        return
    account.controls[value.control_id] = 0
    if len(account.controls) > REMEMBERED_CONTROLS:
        account.controls.popitem(last=False)
    issued = stamp(value.issued_at)
    match value.command:
        case Command.HOLD:
            account.release_expired_hold(max(issued, now))
            until = NEVER if value.expires_at is None else stamp(value.expires_at)
            if until > account.holds_until or not account.hold_place:
                account.holds_until, account.hold_place = until, record.place
            account.hold_at = max(account.hold_at, issued)
            account.stop("hold", max(issued, now))
            account.release_expired_hold(now)
        case Command.UNHOLD:
            account.holds_until, account.hold_place = 0, ""
            account.go("hold", min(issued, now))
        case Command.APPEAL_OPENED:
            account.appeals[""] = (issued, record.place)
            account.stop("appeal", max(issued, now))
        case Command.APPEAL_REJECTED:
            account.appeals.clear()
            account.go("appeal", min(issued, now))
        case Command.APPEAL_UPHELD | Command.LIFT:
            if value.command is Command.APPEAL_UPHELD:
                account.appeals.clear()
                account.go("appeal", min(issued, now))
            for cycle in account.cycles.values():
                if cycle.open:
                    cycle.barred = record.place
            must_end(account, record, value.command.value)


def _change(account: AuditedAccount, record: Record, value: AccountChange) -> None:
    """Applies an account change, unless it is older than the newest of its kind or repeats it."""
    at, change = stamp(value.observed_at), value.change
    kind = KINDS[change]
    last_at, last = account.changed.get(kind, (-NEVER, None))
    if at < last_at or (at == last_at and change is last):
        return
    account.changed[kind] = (at, change)
    account.heard_of(kind).remember(change.value, SaidTimes(at, at))
    account.heard_of(kind).apply(SaidTimes(at, at), change in ENDS_ALL)
    match change:
        case Change.CLOSED:
            account.closed_place = record.place
        case Change.REOPENED:
            account.closed_place = ""
        case Change.EXEMPTED:
            account.exempt_place = record.place
        case Change.EXEMPTION_ENDED:
            account.exempt_place = ""
    if change in ENDS_ALL:
        must_end(account, record, change.value)


def _label(
    account: AuditedAccount,
    record: Record,
    value: CategoryChange,
    now: int,
    present: AuditedTerms | None,
) -> None:
    at = stamp(value.observed_at)
    if at < account.label_at:
        return
    account.label_at, account.label = at, value.category
    over = value.valid_until is not None and stamp(value.valid_until) <= now
    if present is not None and (over or not present.covers(value.category)):
        must_end(account, record, "the label is not of a covered field")


def _reading(account: AuditedAccount, value: FollowerCount, present: AuditedTerms | None) -> None:
    at = stamp(value.observed_at)
    if at < account.reading_at or present is None:
        return
    account.reading_at, account.followers = at, value.followers
    if present.keep or value.followers * 1_000_000 >= _line(account, present) * present.exit_ppm:
        account.below_since = None
    elif account.below_since is None:
        account.below_since = at


def _line(account: AuditedAccount, present: AuditedTerms) -> int:
    """Returns the lowest line of the present policy's phases and of the cycles that restrict."""
    lines = [phase.line for phase in present.phases.values() if phase.starts_at is not None]
    pinned = [cycle.line for cycle in account.cycles.values() if _restricts(cycle)]
    return min([*lines, *pinned], default=0)


def _restricts(cycle: AuditedCycle) -> bool:
    return bool(cycle.active) and cycle.line > 0
