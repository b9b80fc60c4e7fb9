"""Unclear words: what defers every adverse event of an account until it is settled.

schemas/CONTRACT.md, "Answers, receipts, unclear words".

Kept are those beyond doubt: (a) `answers` while a cycle is open, (b) one kind a topic at any time,
and `appeals` for those beyond the sixteen that may be open.
"""

from streams.operate.audit.account_state import Account, Cycle, Unclear

ANSWERS, APPEALS = "answers", "appeals"


def raise_unclear(
    account: Account, kind: str, place: str, entered_at: int, said_at: int | None
) -> None:
    """Adds an unclear word. A refused record (`said_at` None) counts with its entry."""
    at = entered_at if said_at is None else said_at
    known = account.unclear.get(kind)
    account.unclear[kind] = Unclear(
        first=min(at, known.first if known else at),
        newest=max(at, known.newest if known else at),
        entered_at=max(entered_at, known.entered_at if known else entered_at),
        said_at=max((it for it in (said_at, known and known.said_at) if it), default=None),
        place=place,
    )
    account.stop(f"unclear {kind}", at)


def refused_word(account: Account, topic: str, place: str, entered_at: int) -> None:
    """A word of an owner or operator was refused, and its account is certain."""
    if topic != "consent-answers":
        raise_unclear(account, topic, place, entered_at, None)
        return
    cycle = account.answering()
    if cycle is not None and cycle.open and not _answered_since(cycle, entered_at, None):
        raise_unclear(account, ANSWERS, place, entered_at, None)


def unheard_answer(
    account: Account, cycle: Cycle, place: str, entered_at: int, said_at: int
) -> None:
    """A grant or refusal was ignored, or names a notice that was never in force."""
    if cycle.open and not _answered_since(cycle, entered_at, said_at):
        raise_unclear(account, ANSWERS, place, entered_at, said_at)


def _answered_since(cycle: Cycle, entered_at: int, said_at: int | None) -> bool:
    """Whether an applied answer would have ended this one, if it had been read after it."""
    return any(
        word is not None
        and word.arrived_at >= entered_at
        and (said_at is None or word.at >= said_at)
        for word in (cycle.granted, cycle.declined)
    )


def answered(account: Account, at: int, entered_at: int) -> None:
    """A granted or declined was applied: it ends what is older and entered earlier."""
    known = account.unclear.get(ANSWERS)
    if known is None or entered_at < known.entered_at:
        return
    if known.said_at is None or at >= known.said_at:
        account.end_unclear(ANSWERS, at)


def applied(account: Account, topic: str, entered_at: int) -> None:
    """A word of this topic was applied: it ends what was refused there before."""
    known = account.unclear.get(topic)
    if known is not None and entered_at >= known.entered_at:
        account.end_unclear(topic, entered_at)


def settled(account: Account, at: int) -> None:
    """A `settle` ends what is there and not later than its time."""
    for kind, known in list(account.unclear.items()):
        if known.newest <= at:
            account.end_unclear(kind, at)


def cycle_over(account: Account, at: int) -> None:
    """The cycle is over, and with it what was unclear about its answers."""
    account.end_unclear(ANSWERS, at)
