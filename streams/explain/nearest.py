"""Finds the smallest change of each kind that would alter what happens next to an account.

A candidate is an input: another follower count, a label, an answer. Each is applied to the core
itself in a sandbox, and is listed only if the outcome differs from that without it. A change of the
count is listed only if one follower less of it would not alter the outcome.
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
    """The kind of a change."""

    MORE = "more_followers"
    FEWER = "fewer_followers"
    LABEL = "label"
    NO_LABEL = "no_label"
    GRANT = "grant"
    WITHDRAW = "withdraw"
    EXEMPTION_ENDS = "exemption_ends"


@dataclass(frozen=True, slots=True)
class Change:
    """A change, and its outcome instead of `Nearest.without`.

    `by`: by how many followers the count changes. `until`: the last instant (ms) at which the
    change still has this outcome; None: it does not depend on the time. `label`: a label's text.
    """

    kind: Kind
    outcome: SandboxOutcome
    by: int | None = None
    until: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """The outcome without a change, and each change that would alter it."""

    without: SandboxOutcome
    changes: tuple[Change, ...]


World = Callable[[], Sandbox]


def nearest(material: Material, now: int) -> Nearest | None:
    """Returns the smallest changes at `now` (ms); None if the core cannot run on the state."""
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
    """Yields the counts at which the outcome may change, nearest first.

    They are each line (the count from which on a phase applies, or the exit line) above the present
    count, and one less than each line that the count has reached.
    """
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
    """Yields a grant, with the last instant at which it has this outcome.

    That can only be the instant of the outcome without it: there the grant must still have the same
    outcome, and a second later another one.
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
    """Returns whether the outcome restricts a surface in enforce."""
    return any(
        name == "throttle.applied" and mode == Mode.ENFORCE for name, _, _, mode in outcome.events
    )
