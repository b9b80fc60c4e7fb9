"""What must be published by the end of a transaction, because of what was read in it."""

from streams.operate.audit.account_state import Account, Cycle, Due


def must_lift_all(account: Account, place: str, why: str) -> None:
    """Every restriction in force must be lifted in this transaction."""
    for cycle in account.cycles.values():
        must_lift(account, cycle, place, why)


def must_lift(account: Account, cycle: Cycle, place: str, why: str) -> None:
    """Every restriction of this cycle must be lifted by the end of the transaction."""
    for surface in cycle.active:
        account.due.append(Due("not_lifted", place, why, surface))


def must_cancel(account: Account, cycle: Cycle, place: str, why: str) -> None:
    """This cycle is over, and its owner must be told."""
    account.due.append(Due("not_cancelled", place, why))


def must_end(account: Account, place: str, why: str) -> None:
    """Everything that is open ends, and every restriction is lifted."""
    for cycle in account.open_cycles():
        must_cancel(account, cycle, place, why)
    must_lift_all(account, place, why)


def cycle_ended(account: Account) -> None:
    """The end of a cycle was published, so other reasons for its end count as published too."""
    account.due = [it for it in account.due if it.name not in OVER]


OVER = frozenset(
    {
        *("not_cancelled", "grant_unheeded", "refusal_unheeded"),
        *("bounce_unheeded", "delivery_unheeded", "consent_not_voided"),
    }
)
"""Further events that count as published along with an event that ends the cycle."""
