"""Unclear words: somebody said something about an account that cannot be read or does not fit.

Until it is cleared up, nothing adverse happens to the account, and the clock of the answer stands
still. Of each kind the first and the newest are kept, however many there are. schemas/CONTRACT.md,
"Answers, receipts, unclear words".
"""

from collections.abc import Iterator

from schemas.enums import Answer, Ignored
from streams.core.inputs.heard import StatedWord, heard_of
from streams.core.model.account import Account, Cycle, Unclear
from streams.core.rules.facts import end_stop

APPEALS = "appeals"
"""The kind of openings beyond the limit of open appeals. Only `settle` ends them."""


def added(known: Unclear | None, entry: int, own: int | None) -> Unclear:
    """Adds an unclear word to those known. `own`: its own time, if that could be read."""
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
    """Keeps an unclear answer (a); False if a later answer has cleared it up already."""
    if cycle.answered_by is not None:
        answer_entry, answer_at = cycle.answered_by
        if answer_entry > entry and (own is None or answer_at >= own):
            return False
    cycle.unclear = added(cycle.unclear, entry, own)
    return True


def unclear_word(account: Account, kind: str, entry: int, own: int | None = None) -> None:
    """Keeps an unclear word of a topic (b), or an opening beyond the limit of appeals."""
    unclear = heard_of(account).unclear
    unclear[kind] = added(unclear.get(kind), entry, own)


def answered(account: Account, cycle: Cycle, answer: Answer, word: StatedWord) -> None:
    """A grant or refusal was applied: it clears up what came in before it and is not newer."""
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
    """A word of a topic was applied: it clears up what came in before it in that topic."""
    unclear = heard_of(account).unclear
    known = unclear.get(topic)
    if known is not None and word.entry >= known.entry:
        end_stop(account, known.since, word.until)
        del unclear[topic]


def settle(account: Account, word: StatedWord) -> Ignored:
    """A person has looked into it: ends what is known and not later than the word."""
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
    """From when the clock stands still, for each kind of unclear words."""
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
