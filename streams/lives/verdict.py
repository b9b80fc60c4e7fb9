"""Decides whether a policy is stricter or milder than another, with example accounts.

There are three questions: who is invited (and how soon), who is restricted (where, how strongly,
for how long), and how long they have to answer. The core is run under both policies on the same
accounts, one of every region (regions.py). What no account alone shows is judged by the values of
the policies (unled.py). What restricts nobody is not judged; `NOT_JUDGED` names it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Any

from streams.core.model.policy import Policy
from streams.lives.account import (
    Fate,
    ImaginedAccount,
    LifeRestriction,
    Put,
    fate,
    led_again,
)
from streams.lives.regions import horizon, representatives
from streams.lives.unled import MILDER, STRICTER, WITHOUT_EFFECT, Question, Reason, reasons


@unique
class CaseVerdict(StrEnum):
    """How the second policy compares with the first."""

    EQUIVALENT = "equivalent"
    STRICTER = "stricter"
    MILDER = "milder"
    INCOMPARABLE = "incomparable"


NOT_JUDGED = "; ".join(f"{key} ({why})" for key, why in WITHOUT_EFFECT.items())

Fates = Callable[[Policy, ImaginedAccount, int], tuple[Fate, list[Put]]]


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


@dataclass(frozen=True, slots=True)
class Answered:
    """The verdict on one question, with an example for each direction that an account shows.

    `reasons`: why it is so where no account alone shows it.
    """

    question: Question
    verdict: CaseVerdict
    stricter: Example | None
    milder: Example | None
    reasons: tuple[Reason, ...] = ()


def compare(a: Policy, b: Policy, fates: Fates = fate) -> list[Answered]:
    """Compares `b` with `a` for each question; `b` is treated as a policy of the platform of `a`.

    `fates`: runs an account; a caller may pass a function that caches results.
    """
    b = replace(b, platform=a.platform)
    return [_with_reasons(a, b, it) for it in compare_led(a, b, fates)]


def compare_led(a: Policy, b: Policy, fates: Fates = fate) -> list[Answered]:
    """Compares two policies of one platform by accounts alone, without what none alone shows."""
    found: dict[tuple[Question, int], Example] = {}
    for account in representatives(a, b) if a.canonical != b.canonical else ():
        until = horizon(a, b, account)
        one, one_inputs = fates(a, account, until)
        other, other_inputs = fates(b, account, until)
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
    return [_answered(question, found) for question in Question]


def _answered(question: Question, found: dict[tuple[Question, int], Example]) -> Answered:
    stricter, milder = found.get((question, STRICTER)), found.get((question, MILDER))
    signs = {sign for (asked, sign) in found if asked is question}
    return Answered(question, _VERDICTS[frozenset(signs)], stricter, milder)


_VERDICTS = {
    frozenset[int](): CaseVerdict.EQUIVALENT,
    frozenset({STRICTER}): CaseVerdict.STRICTER,
    frozenset({MILDER}): CaseVerdict.MILDER,
    frozenset({STRICTER, MILDER}): CaseVerdict.INCOMPARABLE,
}


def _with_reasons(a: Policy, b: Policy, led: Answered) -> Answered:
    why = tuple(reasons(a, b, led.question))
    signs = {it.direction for it in why}
    signs |= {STRICTER} if led.stricter else set()
    signs |= {MILDER} if led.milder else set()
    return replace(led, verdict=_VERDICTS[frozenset(signs)], reasons=why)


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
