"""What was heard of an account: which word of a kind is the newest, and which one is a repeat.

A word is an account change, an answer, or the end of a hold. A protecting word gives way only to a
clearly newer one; any other word gives way to a protecting one. schemas/CONTRACT.md, "Which word is
the newest".
"""

from typing import NamedTuple

from schemas.enums import Answer, Change, Command, Ignored
from streams.core.inputs.entry import SKEW, word_time
from streams.core.model.account import Account, Heard, Said
from streams.core.model.instants import bounded

MOST_STOPS = 64
"""How many stops of the clock Byline keeps of an account."""

CLOSING = (Change.CLOSED, Change.REOPENED)
EXEMPTING = (Change.EXEMPTED, Change.EXEMPTION_ENDED)
ANSWERS = (Answer.GRANTED, Answer.DECLINED, Answer.WITHDRAWN)
PROTECTING: frozenset[str] = frozenset(
    {
        Change.CLOSED,
        Change.EXEMPTED,
        Change.OWNER_CHANGED,
        Answer.DECLINED,
        Answer.WITHDRAWN,
    }
)
"""Words that are stale only if they are clearly older: a clock may be off by the allowed skew."""


Stops = tuple[tuple[int, int], ...]


class StatedWord(NamedTuple):
    """When something was said, in milliseconds UTC.

    The word counts with `at`, which is never later than `entry`. `replaced`: `stated` is not
    credible, so `at` is the entry.
    """

    at: int
    entry: int
    stated: int
    replaced: bool = False

    @property
    def until(self) -> int:
        """When a pause ends that this word ends: the later of its stated time and its entry."""
        return self.entry if self.replaced else max(self.stated, self.entry)


def word_of(stated: int, entry: int) -> StatedWord:
    """Makes the word that states a time and came in at another."""
    time = word_time(stated, entry)
    return StatedWord(time.at, entry, stated, time.replaced)


def heard_of(account: Account) -> Heard:
    """What was heard of an account; begins an empty record if nothing was heard yet."""
    if account.heard is None:
        account.heard = Heard()
    return account.heard


def repeated(account: Account, name: str, word: StatedWord, about: int = 0) -> bool:
    """Whether a word repeats the newest applied or stale one of the same word."""
    said = account.heard.words.get(name) if account.heard is not None else None
    if said is None or (said.stated, said.about) != (word.stated, about):
        return False
    return not (word.replaced and name in PROTECTING)


def applied_at(account: Account, *names: str) -> int | None:
    """The time of the newest applied one among these words."""
    words = account.heard.words if account.heard is not None else {}
    times = [words[name].applied_at for name in names if name in words]
    return max((at for at in times if at is not None), default=None)


def is_stale(account: Account, name: str, kind: tuple[str, ...], word: StatedWord) -> bool:
    """Whether a word is older than the one that counts; a protecting one by more than the skew.

    Of two words of one time the later in the log counts; of answers, the withdrawal.
    """
    if name in PROTECTING:
        newest = applied_at(account, *kind)
        return newest is not None and word.at < newest - SKEW
    protecting = applied_at(account, *(one for one in kind if one in PROTECTING))
    if protecting is not None and word.at < protecting:
        return True
    withdrawn = applied_at(account, Answer.WITHDRAWN) if name == Answer.GRANTED else None
    return withdrawn is not None and word.at <= withdrawn


def remember(account: Account, name: str, word: StatedWord, applied: bool, about: int = 0) -> None:
    """Keeps the newest applied or stale one of a word, and the time of the newest applied one."""
    words = heard_of(account).words
    said = words.setdefault(name, Said(word.at, word.stated, about))
    if word.at >= said.at:
        said.at, said.stated, said.about = word.at, word.stated, about
    if applied and (said.applied_at is None or word.at > said.applied_at):
        said.applied_at = word.at


def take(account: Account, name: str, kind: tuple[str, ...], word: StatedWord) -> Ignored | None:
    """Hears a word. Returns why it does not count, or None; then it is the newest applied one."""
    if repeated(account, name, word):
        return Ignored.REPEAT
    stale = is_stale(account, name, kind, word)
    remember(account, name, word, applied=not stale)
    return Ignored.STALE if stale else None


def kept(known: Stops, since: int, until: int) -> Stops:
    """The stops of an account with one more, limited to the number that is kept."""
    return tuple(bounded((*known, (since, until)), MOST_STOPS)) if until > since else known


def unhold_word(account: Account, word: StatedWord) -> Ignored | None:
    """Why the end of a hold does not count: it is a repeat, or a newer hold stands. Else None."""
    heard = heard_of(account)
    if repeated(account, Command.UNHOLD, word):
        return Ignored.REPEAT
    stale = heard.held_at is not None and word.at < heard.held_at
    remember(account, Command.UNHOLD, word, applied=not stale)
    return Ignored.STALE if stale else None
