"""Applies the notifier's receipts: a delivery of a notice, or a failure that takes one back.

schemas/CONTRACT.md, "Answers, receipts, unclear words".
"""

import hashlib

from schemas.enums import Outcome
from schemas.inputs import NoticeReceipt
from streams.operate.audit.account_state import AuditedAccount, AuditedCycle, Due, Word
from streams.operate.audit.records import SECOND, Record, iso, stamp
from streams.operate.audit.words import SKEW_MS, SaidTimes


def receipt(account: AuditedAccount, record: Record, value: NoticeReceipt, now: int) -> None:
    """Applies a receipt to the cycle that it names. One that repeats another exactly is ignored."""
    cycle = account.named(value.invitation_id)
    if cycle is None:
        return
    alike = hashlib.sha256(value.model_dump_json().encode()).hexdigest()
    if alike in cycle.receipts:
        return
    cycle.receipts.append(alike)
    said = SaidTimes(stamp(value.occurred_at), record.entered_at(now))
    word = Word(said.at, said.entered_at, record.place)
    if value.outcome is Outcome.DELIVERED:
        if said.at > cycle.failed_at:
            cycle.receipt = word
        waits = cycle.state in ("INVITED", "UNDELIVERED") and cycle.terms is not None
        if waits and said.at > cycle.newest_failure_at and cycle.mode == "enforce":
            account.due.append(Due("delivery_unheeded", record.place, iso(said.at)))
        return
    newest = cycle.newest_failure_at
    cycle.newest_failure_at = max(newest, said.at)
    if said.at > newest and cycle.mode == "enforce" and _bounces(cycle, said):
        account.due.append(Due("bounce_unheeded", record.place, f"failed at {iso(said.at)}"))
        cycle.failure = word
    elif cycle.failure is None or said.at > cycle.failure.at:
        cycle.failure = word


def _bounces(cycle: AuditedCycle, said: SaidTimes) -> bool:
    """Returns whether a failure must make the cycle undeliverable."""
    if cycle.terms is None or may_be_over(cycle, said):
        return False
    if cycle.state == "INVITED":
        return True
    if cycle.state == "EXPIRED" and (cycle.granted or cycle.declined):
        return False
    if cycle.state not in ("DELIVERED", "EXPIRED") or cycle.delivery is None:
        return False
    return said.at >= cycle.delivery.at - SKEW_MS


def may_be_over(cycle: AuditedCycle, said: SaidTimes) -> bool:
    """Whether the expired cycle may have ended by itself before this input was appended."""
    return cycle.state == "EXPIRED" and said.entered_at + SECOND > cycle.may_end_at
