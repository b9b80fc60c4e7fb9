"""Keeps unclear words: records about an account that cannot be read or do not fit.

Until they are cleared up, no adverse event of the account is decided, and the owner's answer window
stands still. Of each kind only times of the first and the newest are kept. The *entry* of a record
is when it was appended to Kafka. schemas/CONTRACT.md, "Answers, receipts, unclear words", whose
rows (a) and (b) are meant below.
"""

from collections.abc import Iterator

from schemas.enums import Answer, Ignored
from streams.core.inputs.heard import StatedWord, heard_of
from streams.core.model.account import Account, Cycle, Unclear
from streams.core.rules.facts import end_stop

APPEALS = "appeals"
"""The kind of unclear words for appeals beyond the limit. Only the command `settle` ends them."""


def added(known: Unclear | None, entry: int, own: int | None) -> Unclear:
    """Returns the unclear words of a kind with one more.

    `own`: the time that its record states, None if it could not be read. Milliseconds UTC.
    """
    at = entry if own is None else own
    if known is None:
        return Unclear(at, entry, own, at)
    stated = [time for time in (known.own, own) if time is not None]
    return Unclear(
        min(known.since, at),
        max(known.entry, entry),
        max(stated, default=None),
        max(known.newest, at),
    )


def unclear_answer(cycle: Cycle, entry: int, own: int | None) -> bool:
    """Keeps an unclear answer (a). Returns False if a later answer has already cleared it up."""
    if cycle.answered_by is not None:
        answer_entry, answer_at = cycle.answered_by
        if answer_entry > entry and (own is None or answer_at >= own):
            return False
    cycle.unclear = added(cycle.unclear, entry, own)
    return True


def unclear_word(account: Account, kind: str, entry: int, own: int | None = None) -> None:
    """Keeps an unclear account change or control (b), or an appeal beyond the limit."""
    unclear = heard_of(account).unclear
    unclear[kind] = added(unclear.get(kind), entry, own)


def answered(account: Account, cycle: Cycle, answer: Answer, word: StatedWord) -> None:
    """Notes an applied grant or refusal, which clears up unclear answers before it.

    They must not have entered later, nor state a later time. A withdrawal clears up nothing.
    """
    if answer is Answer.WITHDRAWN:
        return
    cycle.answered_by = (word.entry, word.at)
    unclear = cycle.unclear
    if unclear is None or word.entry < unclear.entry:
        return
    if unclear.own is None or word.at >= unclear.own:
        end_stop(account, unclear.since, word.until)
        cycle.unclear = None


def applied(account: Account, topic: str, word: StatedWord) -> None:
    """Removes the unclear record of a topic unless it entered after an applied record of it."""
    unclear = heard_of(account).unclear
    known = unclear.get(topic)
    if known is not None and word.entry >= known.entry:
        end_stop(account, known.since, word.until)
        del unclear[topic]


def settle(account: Account, word: StatedWord) -> Ignored:
    """Clears up all unclear words that are not later than an operator's command `settle`."""
    unclear = heard_of(account).unclear
    for kind in [kind for kind, known in unclear.items() if known.newest <= word.at]:
        end_stop(account, unclear.pop(kind).since, word.until)
    for life in (account.live, account.shadow):
        cycle = life.cycle
        if cycle is not None and cycle.unclear is not None and cycle.unclear.newest <= word.at:
            end_stop(account, cycle.unclear.since, word.until)
            cycle.unclear = None
    return Ignored.RECORDED


def unclear_since(account: Account) -> Iterator[int]:
    """Yields, for each kind of unclear words, from when it stops the answer window."""
    if account.heard is not None:
        for known in account.heard.unclear.values():
            yield known.since
    if account.live.cycle is not None and account.live.cycle.unclear is not None:
        yield account.live.cycle.unclear.since


def is_unclear(account: Account) -> bool:
    """Whether an unclear word defers adverse events."""
    cycle = account.live.cycle
    if cycle is not None and cycle.unclear is not None:
        return True
    return account.heard is not None and bool(account.heard.unclear)
