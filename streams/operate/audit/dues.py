"""Notes which events must be published by the end of a transaction, because of its inputs.

Each is a `Due` of the account. `place` is the record that makes it due, `why` the detail that is
reported if it is not published.
"""

from streams.operate.audit.account_state import AuditedAccount, AuditedCycle, Due


def must_lift_all(account: AuditedAccount, place: str, why: str) -> None:
    """Demands a lift of every restriction of the account."""
    for cycle in account.cycles.values():
        must_lift(account, cycle, place, why)


def must_lift(account: AuditedAccount, cycle: AuditedCycle, place: str, why: str) -> None:
    """Demands a lift of every restriction of this cycle."""
    for surface in cycle.active:
        account.due.append(Due("not_lifted", place, why, surface))


def must_cancel(account: AuditedAccount, cycle: AuditedCycle, place: str, why: str) -> None:
    """Demands the event that cancels this cycle."""
    account.due.append(Due("not_cancelled", place, why))


def must_end(account: AuditedAccount, place: str, why: str) -> None:
    """Demands that every open cycle is cancelled and every restriction lifted."""
    for cycle in account.open_cycles():
        must_cancel(account, cycle, place, why)
    must_lift_all(account, place, why)


def cycle_ended(account: AuditedAccount) -> None:
    """Withdraws what an event that ended the cycle makes needless: everything named in OVER."""
    account.due = [it for it in account.due if it.name not in OVER]


OVER = frozenset(
    {
        *("not_cancelled", "grant_unheeded", "refusal_unheeded"),
        *("bounce_unheeded", "delivery_unheeded", "consent_not_voided"),
    }
)
"""The names of dues that are fulfilled by any event that ends the cycle."""
