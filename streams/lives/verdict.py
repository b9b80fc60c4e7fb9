"""Decides whether a policy is stricter or milder than another, with example accounts.

There are three questions: who is invited (and how soon), who is restricted (where, how strongly,
for how long), and how long they have to answer. The core is run under both policies on the same
accounts, one of every region (regions.py). What no account alone shows is judged by the values of
the policies (unled.py). What restricts nobody is not judged; `NOT_JUDGED` names it.

If there are too many regions, only some of the accounts are tried, and a very long life is not
followed to its end. What they show holds; what they do not show is not known, and the verdict says
so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Any, NamedTuple

from streams.core.model.policy import Policy
from streams.lives.account import (
    Fate,
    ImaginedAccount,
    LifeRestriction,
    Put,
    fate,
    led_again,
)
from streams.lives.regions import MOST_ACCOUNTS, horizon, representatives
from streams.lives.unled import MILDER, STRICTER, WITHOUT_EFFECT, Question, Reason, reasons


@unique
class CaseVerdict(StrEnum):
    """How the second policy compares with the first.

    NOT_SHOWN: not every region was tried to its end, and what was tried leaves more than one of the
    others.
    """

    EQUIVALENT = "equivalent"
    STRICTER = "stricter"
    MILDER = "milder"
    INCOMPARABLE = "incomparable"
    NOT_SHOWN = "not shown"


NOT_JUDGED = "; ".join(f"{key} ({why})" for key, why in WITHOUT_EFFECT.items())

Fates = Callable[[Policy, ImaginedAccount, int], tuple[Fate, list[Put]]]
Tell = Callable[[int, int], None]
"""Called now and then with how many accounts were tried, and how many will be at most."""
TOLD_EVERY = 50


@dataclass(frozen=True, slots=True)
class Example:
    """An account that the two policies treat differently.

    `inputs` reproduce its fate `before`, under the first policy; `inputs_after` its fate `after`,
    under the second. They are the same if one list of inputs shows the difference. `until`: the
    instant (ms) up to which it was run.
    """

    account: ImaginedAccount
    inputs: tuple[Put, ...]
    inputs_after: tuple[Put, ...]
    before: Fate
    after: Fate
    until: int

    @property
    def shared(self) -> bool:
        """Whether the same inputs show the difference under both policies."""
        return self.inputs == self.inputs_after


class Searched(NamedTuple):
    """How many accounts may be tried, of how many that stand for all: one of each region.

    `cut`: how many of the lives under either policy were not followed to their end.
    """

    accounts: int
    regions: int
    cut: int = 0

    @property
    def whole(self) -> bool:
        """Whether there is an account of every region, followed to its end."""
        return self.accounts >= self.regions and not self.cut


@dataclass(frozen=True, slots=True)
class Answered:
    """The verdict on one question, with an example for each direction that an account shows.

    `reasons`: why it is so where no account alone shows it.
    """

    question: Question
    verdict: CaseVerdict
    stricter: Example | None
    milder: Example | None
    searched: Searched
    reasons: tuple[Reason, ...] = ()

    @property
    def directions(self) -> frozenset[int]:
        """The directions, STRICTER and MILDER, that are shown for some account, or by a reason."""
        signs = {it.direction for it in self.reasons}
        signs |= {STRICTER} if self.stricter else set()
        signs |= {MILDER} if self.milder else set()
        return frozenset(signs)


def compare(
    a: Policy,
    b: Policy,
    fates: Fates = fate,
    *,
    most: int = MOST_ACCOUNTS,
    tell: Tell | None = None,
) -> list[Answered]:
    """Compares `b` with `a` for each question; `b` is treated as a policy of the platform of `a`.

    `fates`: runs an account; a caller may pass a function that caches results. `most`: how many
    accounts are tried at most. `tell`: is told how far it is.
    """
    b = replace(b, platform=a.platform)
    return [_with_reasons(a, b, it) for it in compare_led(a, b, fates, most=most, tell=tell)]


def compare_led(
    a: Policy,
    b: Policy,
    fates: Fates = fate,
    *,
    most: int = MOST_ACCOUNTS,
    tell: Tell | None = None,
) -> list[Answered]:
    """Compares two policies of one platform by accounts alone, without what none alone shows."""
    found: dict[tuple[Question, int], Example] = {}
    if a.canonical == b.canonical:
        return [_answered(question, found, Searched(0, 0)) for question in Question]
    accounts, regions = representatives(a, b, most)
    cut = 0
    for number, account in enumerate(accounts):
        if tell is not None and number % TOLD_EVERY == 0:
            tell(number, len(accounts))
        if len(found) == _MOST_FOUND and all(it.shared for it in found.values()):
            break
        until = horizon(a, b, account)
        one, one_inputs = fates(a, account, until)
        other, other_inputs = fates(b, account, until)
        cut += one.cut + other.cut
        for question, directions in differences(one, other):
            for direction in directions:
                known = found.get((question, direction))
                if known is not None and known.shared:
                    continue
                example = _example(a, b, account, [*one_inputs, *other_inputs], until)
                if direction in dict(differences(example.before, example.after)).get(question, ()):
                    found[question, direction] = example
                elif known is None:
                    found[question, direction] = Example(
                        account, tuple(one_inputs), tuple(other_inputs), one, other, until
                    )
    searched = Searched(len(accounts), regions, cut)
    return [_answered(question, found, searched) for question in Question]


_MOST_FOUND = 2 * len(Question)
"""With an example of both directions for each question there is nothing left to find."""


def _answered(
    question: Question, found: dict[tuple[Question, int], Example], searched: Searched
) -> Answered:
    stricter, milder = found.get((question, STRICTER)), found.get((question, MILDER))
    return _judged(Answered(question, CaseVerdict.NOT_SHOWN, stricter, milder, searched))


def _judged(answered: Answered) -> Answered:
    """Returns the answer with the verdict that its directions allow."""
    verdict = _VERDICTS[answered.directions]
    if not answered.searched.whole and verdict is not CaseVerdict.INCOMPARABLE:
        verdict = CaseVerdict.NOT_SHOWN
    return replace(answered, verdict=verdict)


_VERDICTS = {
    frozenset[int](): CaseVerdict.EQUIVALENT,
    frozenset({STRICTER}): CaseVerdict.STRICTER,
    frozenset({MILDER}): CaseVerdict.MILDER,
    frozenset({STRICTER, MILDER}): CaseVerdict.INCOMPARABLE,
}


def _with_reasons(a: Policy, b: Policy, led: Answered) -> Answered:
    return _judged(replace(led, reasons=tuple(reasons(a, b, led.question))))


def _example(
    a: Policy, b: Policy, account: ImaginedAccount, inputs: list[Put], until: int
) -> Example:
    """Runs the account under both policies on the same inputs, those of both runs together."""
    once: dict[str, Put] = {repr(put): put for put in inputs}
    ordered = tuple(sorted(once.values(), key=lambda it: it.at))
    before, after = (led_again(policy, account, ordered, until) for policy in (a, b))
    return Example(account, ordered, ordered, before, after, until)


def differences(one: Fate, other: Fate) -> Iterator[tuple[Question, set[int]]]:
    """Yields for each question the directions in which `other` differs: 1 stricter, -1 milder."""
    yield (
        Question.INVITED,
        _signs(
            _sign(one.enforced_at, other.enforced_at),
            _sign(one.invited_at, other.invited_at),
            _sign(one.again_after, other.again_after),
        ),
    )
    yield (
        Question.RESTRICTED,
        {
            sign
            for surface in one.restricted.keys() | other.restricted.keys()
            for sign in _restrictions(one.restricted.get(surface), other.restricted.get(surface))
        },
    )
    yield (
        Question.TIME,
        _signs(
            *(
                _sign(one.time[mode], other.time[mode])
                for mode in one.time.keys() & other.time.keys()
            )
        ),
    )


def _sign(before: float, after: float) -> int:
    """Returns 1 if `after` is smaller (sooner or shorter, so stricter), -1 if greater, else 0."""
    return (before > after) - (before < after)


def _signs(*signs: int) -> set[int]:
    return set(signs) - {0}


_NOTHING = LifeRestriction(0, 0, 0)


def _restrictions(before: LifeRestriction | None, after: LifeRestriction | None) -> set[int]:
    return _signs(
        *(_sign(new, old) for old, new in zip(before or _NOTHING, after or _NOTHING, strict=True))
    )


def as_plain(answered: Answered) -> dict[str, Any]:
    """Returns the verdict and its examples as JSON of `byline policy diff --json`."""
    examples = {"stricter": answered.stricter, "milder": answered.milder}
    return {
        "question": answered.question.value,
        "verdict": answered.verdict.value,
        "searched": answered.searched._asdict(),
        "reasons": [it.as_dict() for it in answered.reasons],
        "examples": {
            name: None
            if it is None
            else {
                "inputs": [{"topic": put.topic, **put.value} for put in it.inputs],
                "before": list(it.before.events),
                "after": list(it.after.events),
            }
            for name, it in examples.items()
        },
    }
