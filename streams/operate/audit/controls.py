"""Applies an operator's controls to the auditor's state of an account.

schemas/CONTRACT.md, "Controls and appeals" and "Invitation". The mark of an upheld appeal forbids
new cycles of an account until an `unhold` with reason `appeal` or a new owner ends it.
"""

import hashlib

from schemas.enums import Command, ControlReason
from schemas.inputs import Control
from streams.operate.audit import unclear
from streams.operate.audit.account_state import AuditedAccount
from streams.operate.audit.dues import must_cancel, must_lift_all
from streams.operate.audit.records import Record, stamp
from streams.operate.audit.switch_log import NEVER
from streams.operate.audit.words import SaidTimes

REMEMBERED = 256
OPEN_APPEALS = 16
TAKES_LATER_DEADLINES = frozenset({"INVITED", "UNDELIVERED", "DELIVERED", "DECLINED"})


def control(account: AuditedAccount, record: Record, value: Control, now: int) -> None:
    """Applies one control. One that repeats another in every field is ignored."""
    said = SaidTimes(stamp(value.issued_at), record.entered_at(now))
    digest = hashlib.sha256(value.model_dump_json().encode()).hexdigest()
    if digest in account.controls:
        return
    _remember(account, digest, said.at)
    if value.command is not Command.SETTLE:
        unclear.applied(account, "controls", said.entered_at)
    match value.command:
        case Command.HOLD:
            _hold(account, record, value, said, now)
        case Command.UNHOLD:
            _unhold(account, value, said)
        case Command.APPEAL_OPENED:
            _opened(account, record, value, said)
        case Command.APPEAL_REJECTED:
            _closed(account, value.appeal_id or "", said)
        case Command.APPEAL_UPHELD:
            _closed(account, value.appeal_id or "", None)
            _mark(account, record, said)
            _lift(account, record, value.command)
        case Command.LIFT:
            _lift(account, record, value.command)
        case Command.SETTLE:
            unclear.settled(account, said.at)
            unclear.applied(account, "controls", said.entered_at)
        case Command.EXTEND:
            _extend(account, value)
        case Command.REISSUE:
            _reissue(account, record, said)


def _remember(account: AuditedAccount, digest: str, at: int) -> None:
    account.controls[digest] = at
    if len(account.controls) > REMEMBERED:
        oldest = min(account.controls, key=lambda it: account.controls[it])
        del account.controls[oldest]


def _hold(
    account: AuditedAccount, record: Record, value: Control, said: SaidTimes, now: int
) -> None:
    """Applies a hold. A second one can only move the end of the first to a later time."""
    account.release_expired_hold(now)
    if account.heard_of("hold").hear("hold", said, protects=True, never_stale=True) != "applied":
        return
    until = NEVER if value.expires_at is None else stamp(value.expires_at)
    if until > account.holds_until or not account.hold_place:
        account.holds_until, account.hold_place = until, record.place
    account.stop("hold", said.at)
    account.release_expired_hold(now)


def _unhold(account: AuditedAccount, value: Control, said: SaidTimes) -> None:
    """Ends the holds that are not newer. With reason `appeal` only the mark of an appeal."""
    if value.reason is ControlReason.APPEAL:
        unmark(account, said.at)
        return
    if account.heard_of("hold").hear("unhold", said, protects=False) in ("applied", "open"):
        account.holds_until, account.hold_place = 0, ""
        account.go("hold", said.entered_at)


def _mark(account: AuditedAccount, record: Record, said: SaidTimes) -> None:
    """Sets the mark of an upheld appeal, unless a later word has ended such a mark already."""
    if said.at > account.unmarked_at:
        newest = account.upheld[0] if account.upheld else said.at
        account.upheld = (max(said.at, newest), record.place)


def unmark(account: AuditedAccount, at: int) -> None:
    """Ends the mark of an upheld appeal, if that is not later than `at` (ms)."""
    account.unmarked_at = max(account.unmarked_at, at)
    if account.upheld is not None and at >= account.upheld[0]:
        account.upheld = None


def _opened(account: AuditedAccount, record: Record, value: Control, said: SaidTimes) -> None:
    number = value.appeal_id or ""
    if number not in account.appeals and len(account.appeals) >= OPEN_APPEALS:
        unclear.raise_unclear(account, unclear.APPEALS, record.place, said.entered_at, said.at)
        return
    opened = account.appeals.get(number, (said.at, ""))[0]
    account.appeals[number] = (min(opened, said.at), record.place)
    account.stop(f"appeal {number}", said.at)


def _closed(account: AuditedAccount, number: str, said: SaidTimes | None) -> None:
    """Ends the appeal of this id. `said`: a rejection, which ends no appeal opened after it."""
    opened = account.appeals.get(number)
    if opened is None or (said is not None and said.at < opened[0]):
        return
    del account.appeals[number]
    account.go(f"appeal {number}", opened[0] if said is None else said.at)


def _lift(account: AuditedAccount, record: Record, command: Command) -> None:
    for cycle in account.open_cycles():
        cycle.barred = record.place
        if cycle.state != "EXPIRED" and cycle.mode == "enforce":
            must_cancel(account, cycle, record.place, command.value)
    must_lift_all(account, record.place, command.value)


def _extend(account: AuditedAccount, value: Control) -> None:
    cycle = account.answering()
    if cycle is None or not cycle.open or value.until is None:
        return
    until = stamp(value.until)
    if cycle.state in TAKES_LATER_DEADLINES:
        cycle.floor_at = max(cycle.floor_at, until)
    else:
        cycle.waiting_floor_at = max(cycle.waiting_floor_at, until)


def _reissue(account: AuditedAccount, record: Record, said: SaidTimes) -> None:
    cycle = account.answering()
    if cycle is not None and cycle.open and said.at >= cycle.issued_at:
        cycle.reissues.append(record.place)
