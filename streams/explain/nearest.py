"""The nearest change of each kind that would alter what happens to an account.

Candidates are inputs. Each is applied to the shipped core, alone with the account (sandbox.py), and
told only where the outcome is another one; where a change has a size, one unit less of it is
applied as well, and has to leave the outcome as it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique

from schemas.enums import MAX_FOLLOWERS, Answer, Mode
from streams.core.lifecycle import OPEN, Invitation
from streams.core.model.account import Account
from streams.core.model.instants import SECOND, rfc3339
from streams.core.rules.applicable_phase import label_field, phase_of
from streams.core.rules.milder import cycle_exit_line, open_cycle
from streams.explain.material import Material
from streams.explain.sandbox import HORIZON, Sandbox, SandboxOutcome
from streams.stop_worker import StopWorker


@unique
class Kind(StrEnum):
    """What is changed."""

    MORE = "more_followers"
    FEWER = "fewer_followers"
    LABEL = "label"
    NO_LABEL = "no_label"
    GRANT = "grant"
    WITHDRAW = "withdraw"
    EXEMPTION_ENDS = "exemption_ends"


@dataclass(frozen=True, slots=True)
class Change:
    """A change, and the outcome that it would have instead of `Nearest.without`.

    `by`: followers, for a change of the count. `until`: the last instant at which it still has this
    outcome; None where it does not depend on when. `label`: the text of a label.
    """

    kind: Kind
    outcome: SandboxOutcome
    by: int | None = None
    until: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """What happens without a change, and each change that would alter that."""

    without: SandboxOutcome
    changes: tuple[Change, ...]


World = Callable[[], Sandbox]


def nearest(material: Material, now: int) -> Nearest | None:
    """The nearest changes at an instant; None where the core cannot be asked."""
    known = material.known(now)
    if known is None:
        return None

    def world() -> Sandbox:
        return Sandbox(material, now)

    try:
        without = world().outcome()
    except StopWorker:
        return None
    changes = tuple(_changes(world, known.account, without, now))
    return Nearest(without, changes)


def _changes(world: World, account: Account, without: SandboxOutcome, now: int) -> Iterator[Change]:
    sandbox = world()
    policy, ref = sandbox.policy, sandbox.ref
    standing = phase_of(account, policy, now)
    for kind, followers in _counts(account, sandbox, now):
        change = _count(world, account, kind, followers, without, now)
        if change is not None:
            yield change
    if standing is not None and not account.closed:
        covered = label_field(account, policy, now) is not None
        if covered and policy.exempt_labels:
            yield from _labelled(world, Kind.NO_LABEL, min(policy.exempt_labels), without, now)
        elif not covered:
            texts = [it for it in sorted(policy.labels) if policy.field_of(it) is not None]
            if texts:
                yield from _labelled(world, Kind.LABEL, texts[0], without, now)
    if account.exempt:
        outcome = (
            world()
            .put("account-changes", now, change="exemption_ended", observed_at=rfc3339(now))
            .outcome()
        )
        if not outcome.same(without):
            yield Change(Kind.EXEMPTION_ENDS, outcome)
    if account.live.state in OPEN:
        yield from _grant(world, without, now)
    if account.live.state is Invitation.GRANTED:
        outcome = _answered(world, Answer.WITHDRAWN, now)
        if not outcome.same(without):
            yield Change(Kind.WITHDRAW, outcome)
    del ref


def _counts(account: Account, sandbox: Sandbox, now: int) -> Iterator[tuple[Kind, int]]:
    """The counts at which the outcome may change: each line, and the count below it."""
    policy, followers = sandbox.policy, account.followers
    known = 0 if followers is None else followers
    lines = {phase.followers for phase in policy.phases if phase.starts_at is not None}
    cycle = open_cycle(account)
    if cycle is not None:
        lines.add(cycle_exit_line(cycle, policy))
    above = [line for line in lines if line > known]
    below = [line - 1 for line in lines if line <= known]
    for line in sorted(above):
        if line <= MAX_FOLLOWERS:
            yield Kind.MORE, line
    for line in sorted(below, reverse=True):
        yield Kind.FEWER, line


def _count(
    world: World, account: Account, kind: Kind, followers: int, without: SandboxOutcome, now: int
) -> Change | None:
    known = account.followers or 0
    outcome = _read(world, followers, now)
    if outcome.same(without):
        return None
    less = followers + (1 if kind is Kind.FEWER else -1)
    if less != known and not _read(world, less, now).same(without):
        return None
    return Change(kind, outcome, by=abs(followers - known))


def _read(world: World, followers: int, now: int) -> SandboxOutcome:
    reading = {"followers": followers, "observed_at": rfc3339(now), "cause": "organic"}
    return world().put("follower-counts", now, **reading).outcome()


def _labelled(
    world: World, kind: Kind, text: str, without: SandboxOutcome, now: int
) -> Iterator[Change]:
    said = {"category": text, "observed_at": rfc3339(now)}
    outcome = world().put("category-changes", now, **said).outcome()
    if not outcome.same(without):
        yield Change(kind, outcome, label=text if kind is Kind.LABEL else None)


def _grant(world: World, without: SandboxOutcome, now: int) -> Iterator[Change]:
    """A grant now, and until when one would have the same outcome: found by halving, to a second.

    What it alters has to be the same at the last instant, and another thing a second later.
    """
    outcome = _answered(world, Answer.GRANTED, now)
    if outcome.same(without):
        return
    last = without.at if without.at is not None else now + HORIZON
    if last > now and _answered(world, Answer.GRANTED, last).same(outcome):
        later = _answered(world, Answer.GRANTED, last + SECOND)
        yield Change(Kind.GRANT, outcome, until=None if later.same(outcome) else last)
        return
    yield Change(Kind.GRANT, outcome)


def _answered(world: World, answer: Answer, at: int) -> SandboxOutcome:
    return world().put("consent-answers", at, answer=answer, occurred_at=rfc3339(at)).outcome()


def restricts(outcome: SandboxOutcome) -> bool:
    """Whether a surface is restricted, not in shadow alone."""
    return any(
        name == "throttle.applied" and mode == Mode.ENFORCE for name, _, _, mode in outcome.events
    )
