"""Unclear words of an account: while there is one, every adverse event must wait.

schemas/CONTRACT.md, "Answers, receipts, unclear words". An unclear word is a record of an owner or
operator that could not be applied: refused, or an answer that fits no notice.

Only certain cases are kept, by kind: `answers` while a cycle is open, the name of the topic for
refused account changes and controls, `appeals` for appeals beyond the sixteen that may be open.
"""

from streams.operate.audit.account_state import AuditedAccount, AuditedCycle, AuditedUnclear

ANSWERS, APPEALS = "answers", "appeals"


def raise_unclear(
    account: AuditedAccount, kind: str, place: str, entered_at: int, said_at: int | None
) -> None:
    """Adds an unclear word; times in ms. `said_at` None: its own time is unreadable, entry counts.

    The clock of the answer stops from then on.
    """
    at = entered_at if said_at is None else said_at
    known = account.unclear.get(kind)
    account.unclear[kind] = AuditedUnclear(
        first=min(at, known.first if known else at),
        newest=max(at, known.newest if known else at),
        entered_at=max(entered_at, known.entered_at if known else entered_at),
        said_at=max((it for it in (said_at, known and known.said_at) if it), default=None),
        place=place,
    )
    account.stop(f"unclear {kind}", at)


def refused_word(account: AuditedAccount, topic: str, place: str, entered_at: int) -> None:
    """Makes a refused record of an owner or operator an unclear word of its account.

    A refused answer becomes one only while a cycle is open that no later answer would have ended.
    """
    if topic != "consent-answers":
        raise_unclear(account, topic, place, entered_at, None)
        return
    cycle = account.answering()
    if cycle is not None and cycle.open and not _answered_since(cycle, entered_at, None):
        raise_unclear(account, ANSWERS, place, entered_at, None)


def unheard_answer(
    account: AuditedAccount, cycle: AuditedCycle, place: str, entered_at: int, said_at: int
) -> None:
    """Makes an answer that was ignored, or that fits no notice, an unclear word of its account."""
    if cycle.open and not _answered_since(cycle, entered_at, said_at):
        raise_unclear(account, ANSWERS, place, entered_at, said_at)


def _answered_since(cycle: AuditedCycle, entered_at: int, said_at: int | None) -> bool:
    """Returns whether an answer was applied that ends an unclear one of these times (ms)."""
    return any(
        word is not None
        and word.arrived_at >= entered_at
        and (said_at is None or word.at >= said_at)
        for word in (cycle.granted, cycle.declined)
    )


def answered(account: AuditedAccount, at: int, entered_at: int) -> None:
    """Ends unclear answers that are older than an applied grant or refusal, and entered earlier."""
    known = account.unclear.get(ANSWERS)
    if known is None or entered_at < known.entered_at:
        return
    if known.said_at is None or at >= known.said_at:
        account.end_unclear(ANSWERS, at)


def applied(account: AuditedAccount, topic: str, entered_at: int) -> None:
    """Ends the unclear inputs of this topic, because a later input of it was applied."""
    known = account.unclear.get(topic)
    if known is not None and entered_at >= known.entered_at:
        account.end_unclear(topic, entered_at)


def settled(account: AuditedAccount, at: int) -> None:
    """Applies a `settle` control of time `at` (ms): ends the unclear inputs up to that time."""
    for kind, known in list(account.unclear.items()):
        if known.newest <= at:
            account.end_unclear(kind, at)


def cycle_over(account: AuditedAccount, at: int) -> None:
    """Ends the unclear answers of an account, because the cycle that they concern has ended."""
    account.end_unclear(ANSWERS, at)
