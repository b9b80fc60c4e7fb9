"""Judges the values of a policy whose effect no single imagined account shows.

An imagined account is led through its first cycle, alone. What decides over later cycles (the
cool-down), over many accounts together (caps, guards), or over cycles and consents that are there
when the policy is taken up (names of phases, a notice that renews) is judged here, by its values.
`WITHOUT_EFFECT` names every other value that is not judged at all, and why: it invites and
restricts nobody more or less. tests/policies holds the two against every field of a policy.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import StrEnum, unique
from math import inf

from schemas.enums import Mode
from streams.core.model.policy import Guards, Policy

STRICTER, MILDER = 1, -1
BOTH = frozenset({STRICTER, MILDER})
SAME: frozenset[int] = frozenset()


@unique
class Question(StrEnum):
    """The questions on which two policies are compared."""

    INVITED = "who is invited"
    RESTRICTED = "who is restricted"
    TIME = "how long they have"


Signs = Callable[[Policy, Policy], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Unled:
    """A value that is judged without an account.

    `signs`: the directions in which a change of it may go, of STRICTER and MILDER. `why`: its
    effect, in words.
    """

    key: str
    questions: tuple[Question, ...]
    signs: Signs
    why: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a policy is stricter or milder (`direction`: 1, -1) where no example shows it."""

    direction: int
    key: str
    why: str

    @property
    def word(self) -> str:
        """The direction in words."""
        return "stricter" if self.direction == STRICTER else "milder"

    def as_dict(self) -> dict[str, str]:
        """Returns the reason as JSON of `byline policy diff --json`."""
        return {"direction": self.word, "key": self.key, "why": self.why}

    def __str__(self) -> str:
        """Returns the reason as a printed line."""
        return f"{self.word} by {self.key}: {self.why}"


WITHOUT_EFFECT = {
    "platform": "the second policy is compared as one of the first's platform",
    "version": "it numbers the policy",
    "notice.id": "it names the notice; a new text has a new version",
    "notice.reminders": "a reminder restricts nobody and moves no deadline",
    "impact_assessment": "it stands in statements; whether `enforce` is allowed shows in the mode",
    "approvals": "whether a policy may run, not what it does",
    "phases.utc_offset_minutes": "the time zone of statements",
    "fields.exempt_labels": "an exempt label is not covered, nor is one that is not named",
}
"""Values of a policy that are not judged, by key, and why."""


def reasons(a: Policy, b: Policy, question: Question) -> Iterator[Reason]:
    """Yields why `b` may be stricter or milder than `a` on a question where no account shows it."""
    if a.mode is b.mode is Mode.OFF:
        return
    for it in UNLED:
        if question in it.questions:
            for sign in sorted(it.signs(a, b), reverse=True):
                yield Reason(sign, it.key, it.why)


def _larger(size: Callable[[Policy], float], *, stricter: bool) -> Signs:
    def signs(a: Policy, b: Policy) -> frozenset[int]:
        if size(a) == size(b):
            return SAME
        return frozenset({STRICTER if (size(b) > size(a)) is stricter else MILDER})

    return signs


def _guards(a: Policy, b: Policy) -> frozenset[int]:
    old, new = a.guards, b.guards
    if old is None or new is None:
        return SAME if old is new else frozenset({MILDER if old is None else STRICTER})
    if old.window != new.window:
        return BOTH
    found: set[int] = set()
    for it in fields(Guards):
        before, after = (getattr(guards, it.name) for guards in (old, new))
        before, after = (inf if size is None else size for size in (before, after))
        if before != after:
            found.add(STRICTER if after > before else MILDER)
    return frozenset(found)


def _voided(a: Policy, b: Policy) -> frozenset[int]:
    """Whether taking up `b` voids consents that stay under `a`, or the other way round."""
    if b.notice.renew and (not a.notice.renew or b.notice.version != a.notice.version):
        return frozenset({STRICTER})
    return frozenset({MILDER}) if a.notice.renew and not b.notice.renew else SAME


def _withdrawn(a: Policy, b: Policy) -> bool:
    """Whether a phase that may have open cycles under `a` is gone, or only its name is."""
    names = {it.name for it in b.phases if it.starts_at is not None}
    return any(it.starts_at is not None and it.name not in names for it in a.phases)


UNLED = (
    Unled(
        "stability.cool_down",
        (Question.RESTRICTED,),
        _larger(lambda it: it.stability.cool_down, stricter=False),
        "an account is invited, and may be restricted, again after it",
    ),
    Unled(
        "consequence.review_after",
        (Question.RESTRICTED,),
        _larger(lambda it: it.consequence.review_after, stricter=True),
        "a review lifts what has no ground any more",
    ),
    Unled(
        "caps.invitations_per_day",
        (Question.INVITED,),
        _larger(lambda it: it.invitations_per_day, stricter=True),
        "what exceeds it waits",
    ),
    Unled(
        "caps.throttles_per_hour",
        (Question.RESTRICTED,),
        _larger(lambda it: it.throttles_per_hour, stricter=True),
        "what exceeds it waits",
    ),
    Unled(
        "guards",
        (Question.INVITED, Question.RESTRICTED),
        _guards,
        "a tripped guard defers everything adverse of the platform",
    ),
    Unled(
        "notice.renew",
        (Question.INVITED, Question.RESTRICTED),
        _voided,
        "a new version that renews voids consents to older ones, and invites their owners anew",
    ),
    Unled(
        "phases.name",
        (Question.INVITED,),
        lambda a, b: BOTH if _withdrawn(a, b) else SAME,
        "the cycles of a phase that is gone or renamed are cancelled, and begin anew if another"
        " phase covers the account",
    ),
    Unled(
        "phases.name",
        (Question.RESTRICTED,),
        lambda a, b: frozenset({MILDER}) if _withdrawn(a, b) else SAME,
        "restrictions of a phase that is gone or renamed are lifted",
    ),
)
"""Every value that is judged without an account."""
