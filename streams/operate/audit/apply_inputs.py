"""Applies inputs to the auditor's state of an account, and notes what must be published.

These are the rules of the contract's second edition; `first_edition` has those of the first. The
package's docstring explains word, entry and place.
"""

from schemas.enums import Answer, Change
from schemas.inputs import (
    AccountChange,
    CategoryChange,
    ConsentAnswer,
    Control,
    FollowerCount,
    NoticeReceipt,
)
from streams.operate.audit import facts, unclear
from streams.operate.audit.account_state import AuditedAccount, AuditedCycle, Due, Word
from streams.operate.audit.controls import control, unmark
from streams.operate.audit.dues import must_cancel, must_end, must_lift
from streams.operate.audit.receipts import may_be_over, receipt
from streams.operate.audit.records import Record, iso, stamp
from streams.operate.audit.terms import AuditedTerms
from streams.operate.audit.words import NEVER, SKEW_MS, SaidTimes

KINDS = {
    Change.CLOSED: "open",
    Change.REOPENED: "open",
    Change.EXEMPTED: "exempt",
    Change.EXEMPTION_ENDED: "exempt",
    Change.OWNER_CHANGED: "owner",
}
"""The kind of each change. The newest word is found among changes of one kind."""
PROTECT = frozenset({Change.CLOSED, Change.EXEMPTED, Change.OWNER_CHANGED})


def follow(
    account: AuditedAccount, record: Record, value: object, now: int, present: AuditedTerms | None
) -> None:
    """Applies one input to an account. `present`: the platform's policy in force, if it has one."""
    account.release_expired_hold(now)
    match value:
        case ConsentAnswer():
            _answer(account, record, value, now, present)
        case NoticeReceipt():
            receipt(account, record, value, now)
        case Control():
            control(account, record, value, now)
        case AccountChange():
            _change(account, record, value, now)
        case CategoryChange():
            facts.label(account, record, value, now, present)
        case FollowerCount():
            facts.reading(account, record, value, now, present)


# ---- answers -------------------------------------------------------------------------------------


def _answer(
    account: AuditedAccount,
    record: Record,
    value: ConsentAnswer,
    now: int,
    present: AuditedTerms | None,
) -> None:
    said = SaidTimes(stamp(value.occurred_at), record.entered_at(now))
    more = f"{value.invitation_id}/{value.notice_version}"
    if value.answer is Answer.WITHDRAWN:
        _withdrawn(account, record, said)
        return
    cycle, known = account.answering(), account.heard_of("answers")
    protects = value.answer is Answer.DECLINED
    if protects:
        account.takebacks.append(said.at)
    again: bool | None = False if known.sure(said) else None
    if again is False and not (protects and said.replaced):
        again = known.repeats(value.answer, said, more)
    if cycle is not None and not protects:
        cycle.grants.append(Word(said.at, said.entered_at, record.place, value.notice_version))
    if again is not False or cycle is None:
        return
    stale = known.stale(said, protects) or (not protects and said.at <= known.withdrawn)
    ours = _belongs(cycle, value, said) and _notice_known(cycle, value, present)
    if stale:
        known.remember(value.answer, said, more)
        if ours and value.answer is Answer.GRANTED:
            _too_late(account, cycle, record, said)
        return
    if not ours:
        if (
            cycle.terms is not None
            and said.entered_at > cycle.asked_at
            and not may_be_over(cycle, said)
        ):
            unclear.unheard_answer(account, cycle, record.place, said.entered_at, said.at)
        return
    word = Word(said.at, said.entered_at, record.place, value.notice_version)
    if cycle.state == "GRANTED" and not protects and not _renews(cycle, word):
        if value.notice_version is None:
            known.perhaps = max(known.perhaps, said.at)
        return
    known.remember(value.answer, said, more)
    known.apply(said, protects)
    _applied(account, cycle, value.answer, word, record)


def _withdrawn(account: AuditedAccount, record: Record, said: SaidTimes) -> None:
    """Applies a withdrawal, whatever the state of the cycle: no earlier grant counts any more."""
    known = account.heard_of("answers")
    account.takebacks.append(said.at)
    cycle = account.answering()
    if cycle is not None:
        # An `extend` that waits for a state in which it applies is dropped once an answer is there.
        cycle.waiting_floor_at = -NEVER
    if known.hear(Answer.WITHDRAWN, said, protects=True) != "applied":
        return
    known.withdrawn = max(known.withdrawn, said.at)
    account.withdraw(said.at, record.place)
    if cycle is not None and cycle.state == "GRANTED":
        account.due.append(Due("withdrawal_unheeded", record.place, Answer.WITHDRAWN))


def _applied(
    account: AuditedAccount, cycle: AuditedCycle, answer: Answer, word: Word, record: Record
) -> None:
    unclear.answered(account, word.at, word.arrived_at)
    if cycle.state == "GRANTED":
        if answer is Answer.DECLINED:
            account.withdraw(word.at, record.place)
            account.due.append(Due("withdrawal_unheeded", record.place, answer.value))
        else:
            cycle.granted = word
        return
    cycle.reissues.clear()
    cycle.waiting_floor_at = -NEVER
    seen = cycle.terms is not None and not may_be_over(cycle, SaidTimes(word.at, word.arrived_at))
    if answer is Answer.DECLINED:
        cycle.declined = cycle.declined or word
        if seen and cycle.state in ("INVITED", "UNDELIVERED", "DELIVERED"):
            account.due.append(Due("refusal_unheeded", record.place, f"given at {iso(word.at)}"))
        return
    cycle.granted = word
    if seen:
        account.due.append(Due("grant_unheeded", record.place, f"given at {iso(word.at)}"))


def _renews(cycle: AuditedCycle, word: Word) -> bool:
    """Returns whether a grant renews the one in force: it is later and names a newer notice."""
    if word.version is None or cycle.granted is None or word.at <= cycle.granted.at:
        return False
    return word.version != cycle.consented and word.version in cycle.versions[cycle.consents_from :]


def _too_late(
    account: AuditedAccount, cycle: AuditedCycle, record: Record, said: SaidTimes
) -> None:
    """Notes that a grant must end the open cycle although a later withdrawal or refusal exists."""
    known = account.heard_of("answers")
    other = max(known.protecting, known.withdrawn)
    if not cycle.open or cycle.terms is None or may_be_over(cycle, said):
        return
    cycle.stale_grant = Word(said.at, said.entered_at, record.place, other=other)
    account.due.append(Due("grant_unheeded", record.place, f"then taken back at {iso(other)}"))


def _belongs(cycle: AuditedCycle, value: ConsentAnswer, said: SaidTimes) -> bool:
    """Returns whether an answer belongs to this cycle.

    One without an `invitation_id` does unless it is more than PT5M older than the notice.
    """
    if value.invitation_id is not None:
        return value.invitation_id == cycle.invitation_id
    return cycle.terms is None or said.at >= cycle.asked_at - SKEW_MS


def _notice_known(cycle: AuditedCycle, value: ConsentAnswer, present: AuditedTerms | None) -> bool:
    """Returns whether the notice that a grant names was in force since the cycle's first issue."""
    if value.answer is not Answer.GRANTED or value.notice_version is None or cycle.terms is None:
        return True
    known = {*cycle.versions, present.notice_version if present else None}
    return value.notice_version in known


# ---- changes of the account ----------------------------------------------------------------------


def _change(account: AuditedAccount, record: Record, value: AccountChange, now: int) -> None:
    said = SaidTimes(stamp(value.observed_at), record.entered_at(now))
    change, place = value.change, record.place
    heard = account.heard_of(KINDS[change]).hear(change, said, change in PROTECT)
    if heard in ("applied", "open"):
        unclear.applied(account, "account-changes", said.entered_at)
    if change is Change.REOPENED and heard in ("applied", "open"):
        account.closed_place = ""
    elif change is Change.EXEMPTION_ENDED and heard in ("applied", "open"):
        account.exempt_place = ""
    elif heard == "stale" and change in PROTECT:
        _too_old(account, change, said, place)
    elif heard == "applied":
        if change is Change.CLOSED:
            account.closed_place = place
        elif change is Change.EXEMPTED:
            account.exempt_place = place
        if change in PROTECT:
            must_end(account, place, change.value)
        if change in (Change.CLOSED, Change.OWNER_CHANGED):
            _void(account, place, change)
    if change is Change.OWNER_CHANGED and heard != "repeat":
        _new_owner(account, said)


def _void(account: AuditedAccount, place: str, change: Change) -> None:
    for cycle in account.cycles.values():
        if cycle.state == "GRANTED":
            account.due.append(Due("consent_not_voided", place, change.value))


def _new_owner(account: AuditedAccount, said: SaidTimes) -> None:
    """Ends appeals that were opened before the owner changed, and the mark of an upheld one."""
    for number, (opened, _) in list(account.appeals.items()):
        if opened <= said.at:
            del account.appeals[number]
            account.go(f"appeal {number}", said.at)
    unmark(account, said.at)


def _too_old(account: AuditedAccount, change: Change, said: SaidTimes, place: str) -> None:
    """Applies a stale change: it still ends cycles issued, and consents given, before its time."""
    for cycle in account.open_cycles():
        if cycle.terms is not None and cycle.asked_at <= said.at + SKEW_MS:
            must_cancel(account, cycle, place, f"stale {change.value}")
            must_lift(account, cycle, place, f"stale {change.value}")
    live = account.answering()
    given = live.granted if live and live.state == "GRANTED" else None
    if change is not Change.EXEMPTED and given and given.at <= said.at + SKEW_MS:
        account.due.append(Due("consent_not_voided", place, f"stale {change.value}"))
