"""Remembers the words about an account: which of a kind is the newest, and which is a repeat.

A word here is an account change, an answer, or the end of a hold; its name is that of the change or
answer, for instance `granted`. A protecting word is stale only if it is clearly older than the
newest of its kind; any other word is stale if it is older than a protecting one.
schemas/CONTRACT.md, "Which word is the newest". Times are milliseconds UTC.
"""

from typing import NamedTuple

from schemas.enums import Answer, Change, Command, Ignored
from streams.core.inputs.entry import SKEW, word_time
from streams.core.model.account import Account, Heard, Said
from streams.core.model.instants import bounded

MOST_STOPS = 64
"""How many ended stops of the answer window are kept of an account (model/instants.py)."""

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
"""Words that protect the owner: stale only if older by more than the allowed clock skew."""


Stops = tuple[tuple[int, int], ...]


class StatedWord(NamedTuple):
    """The times of a word.

    `stated` is in the record, `entry` is when the record was appended to Kafka. `at` is used to
    compare words and is never later than `entry`. `replaced`: `stated` is not credible, so `at` is
    the entry.
    """

    at: int
    entry: int
    stated: int
    replaced: bool = False

    @property
    def until(self) -> int:
        """The end of a stop that this word ends: the later of stated time (if credible) and entry.

        A stop is a period in which the owner's answer window stands still.
        """
        return self.entry if self.replaced else max(self.stated, self.entry)


def word_of(stated: int, entry: int) -> StatedWord:
    """Returns the times of a record that states `stated` and entered Kafka at `entry`."""
    time = word_time(stated, entry)
    return StatedWord(time.at, entry, stated, time.replaced)


def heard_of(account: Account) -> Heard:
    """Returns `account.heard`, and creates it if it is missing."""
    if account.heard is None:
        account.heard = Heard()
    return account.heard


def repeated(account: Account, name: str, word: StatedWord, about: int = 0) -> bool:
    """Whether a word states the same time and subject as the newest one of the same name.

    `about`: a digest of the subject, 0 if there is none. A protecting word whose time was replaced
    never counts as a repeat.
    """
    said = account.heard.words.get(name) if account.heard is not None else None
    if said is None or (said.stated, said.about) != (word.stated, about):
        return False
    return not (word.replaced and name in PROTECTING)


def applied_at(account: Account, *names: str) -> int | None:
    """Returns the time of the newest applied word with one of these names; None without one."""
    words = account.heard.words if account.heard is not None else {}
    times = [words[name].applied_at for name in names if name in words]
    return max((at for at in times if at is not None), default=None)


def is_stale(account: Account, name: str, kind: tuple[str, ...], word: StatedWord) -> bool:
    """Whether a word is older than the applied words of its kind, so that it must not be applied.

    `kind`: the names of words that contradict each other. A protecting word is stale if it is older
    than the newest one by more than the skew; any other if it is older than a protecting one. With
    equal times the word with the higher offset counts; only a grant never replaces a withdrawal of
    the same time.
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
    """Stores the newest record of a kind, and the time of the newest applied one.

    `applied`: the word counts; False if it is stale. `about`: as in `repeated`.
    """
    words = heard_of(account).words
    said = words.setdefault(name, Said(word.at, word.stated, about))
    if word.at >= said.at:
        said.at, said.stated, said.about = word.at, word.stated, about
    if applied and (said.applied_at is None or word.at > said.applied_at):
        said.applied_at = word.at


def take(account: Account, name: str, kind: tuple[str, ...], word: StatedWord) -> Ignored | None:
    """Stores a record. Returns why it does not count (repeat or stale), or None if it counts."""
    if repeated(account, name, word):
        return Ignored.REPEAT
    stale = is_stale(account, name, kind, word)
    remember(account, name, word, applied=not stale)
    return Ignored.STALE if stale else None


def kept(known: Stops, since: int, until: int) -> Stops:
    """Returns the stops of an account with one more, limited to `MOST_STOPS`."""
    return tuple(bounded((*known, (since, until)), MOST_STOPS)) if until > since else known


def unhold_word(account: Account, word: StatedWord) -> Ignored | None:
    """Records the end of a hold. Returns why it does not count (repeat, newer hold), or None."""
    heard = heard_of(account)
    if repeated(account, Command.UNHOLD, word):
        return Ignored.REPEAT
    stale = heard.held_at is not None and word.at < heard.held_at
    remember(account, Command.UNHOLD, word, applied=not stale)
    return Ignored.STALE if stale else None
