"""What "worse for the owner" means, read off the live events of two runs of one history.

`late_is_worse`: a worker that slept against a punctual one. `stricter_reaches_back`: a policy that
changed during a cycle against the policy under which the cycle was issued.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from streams.core.model import ids
from tests.core.invariants.follower import instant
from tests.core.invariants.paired import PairedInput
from tests.core.invariants.words import SKEW
from tests.core.invariants.world import WorldRun

_ENDS = frozenset({"invitation.cancelled", "consent.withdrawn", "consent.voided"})
_STRENGTH = {"limited": 1, "off": 2}


@dataclass
class RestrictedSurface:
    """A restriction of a surface: how strong, from when, for how long at most, and its lift."""

    level: str
    at: int
    lasts: int
    lifted_at: int | None = None
    lifted_for: str | None = None


@dataclass
class RestrictiveCycle:
    """A live cycle as its events tell it."""

    issued_at: int
    ended_at: int | None = None
    delivered_for: str | None = None
    granted: bool = False
    expired: bool = False
    restricted: dict[str, RestrictedSurface] = field(default_factory=dict)


def cycles_of(run: WorldRun) -> dict[int, RestrictiveCycle]:
    """Every live cycle of the one account, by number."""
    cycles: dict[int, RestrictiveCycle] = {}
    for step in run.trace:
        for _, event in step.events:
            if event["mode"] != "enforce":
                continue
            at, name = instant(event["decided_at"]), event["event"]
            cycle = cycles.setdefault(event["cycle"], RestrictiveCycle(at))
            if name == "throttle.applied":
                lasts = instant(event["expires_at"]) - instant(event["effective_at"])
                cycle.restricted[event["surface"]] = RestrictedSurface(event["level"], at, lasts)
            elif name == "throttle.lifted":
                known = cycle.restricted[event["surface"]]
                known.lifted_at, known.lifted_for = at, event["reason"]
            elif name == "invitation.delivered":
                cycle.delivered_for = event["reason"]
            elif name == "consent.granted":
                cycle.granted = True
            elif name == "invitation.expired":
                cycle.expired = True
            if name in _ENDS:
                cycle.ended_at = at
    return cycles


def common(
    first: WorldRun, second: WorldRun
) -> Iterator[tuple[int, RestrictiveCycle, RestrictiveCycle]]:
    """Cycles that both issue: of one number, the second begun before the first one was over."""
    ours, theirs = cycles_of(first), cycles_of(second)
    for number in sorted(ours.keys() & theirs.keys()):
        ended_at = ours[number].ended_at
        if ended_at is None or theirs[number].issued_at <= ended_at:
            yield number, ours[number], theirs[number]


def _possible(
    told: Sequence[PairedInput],
    invitation_id: str,
    on_time: RestrictiveCycle,
    slept: RestrictiveCycle,
) -> bool:
    """Whether nobody spoke of the late worker's notice before it was out: that cannot be."""
    return not any(
        item.topic in ("notice-receipts", "consent-answers")
        and item.value is not None
        and (
            on_time.issued_at <= item.entry <= slept.issued_at
            or (
                min(item.entry, item.value["occurred_at"]) <= slept.issued_at
                and _speaks_of(item, invitation_id, on_time)
            )
        )
        for item in told
    )


def _speaks_of(item: PairedInput, invitation_id: str, cycle: RestrictiveCycle) -> bool:
    """Whether a receipt or an answer may be one to this invitation."""
    assert item.value is not None
    named = item.value.get("invitation_id")
    if named is None:
        return item.entry >= cycle.issued_at - SKEW
    return bool(named == invitation_id)


def _delivered_twice(
    told: Sequence[PairedInput], on_time: RestrictiveCycle, slept: RestrictiveCycle
) -> bool:
    """Whether a refusal of before the delivery proves it for the late worker, a receipt otherwise.

    The owner says that notice was there before the notifier says so. Both deadlines follow from
    what somebody stated, and which counts is which topic is read first. That is no lateness: a
    punctual worker may read the two in either order.
    """
    if (on_time.delivered_for, slept.delivered_for) != ("receipt", "answer"):
        return False
    said = [(item, item.value) for item in told if item.value is not None]
    return any(
        value.get("answer") == "declined"
        and earlier.get("outcome") == "delivered"
        and receipt.entry < refusal.entry
        and value["occurred_at"] < earlier["occurred_at"]
        for refusal, value in said
        for receipt, earlier in said
    )


def late_is_worse(
    punctual: WorldRun, late: WorldRun, told: Sequence[PairedInput]
) -> tuple[bool, list[str]]:
    """Whether there was something to compare, and what the late worker did worse."""
    compared, faults = False, []
    for number, on_time, slept in common(punctual, late):
        named = ids.invitation_id("weibo", "a", "enforce", number)
        if not _possible(told, named, on_time, slept) or _delivered_twice(told, on_time, slept):
            continue
        compared = compared or bool(on_time.restricted or slept.restricted)
        for surface, restricted in slept.restricted.items():
            known = on_time.restricted.get(surface)
            if known is None:
                faults.append(f"cycle {number}: {surface} is restricted by the late worker alone")
            elif restricted.lifted_at is None:
                faults.append(f"cycle {number}: {surface} is never lifted by the late worker")
            elif _runs_to_its_end(known, restricted):
                faults.append(
                    f"cycle {number}: {surface} is lifted ({known.lifted_for}) by the punctual "
                    "worker, the late one lets it run to its end"
                )
        # Spared by a person, a cycle stays open; for a worker that reads the answer first it is
        # over by then, and a grant has nothing to end.
        over = slept.expired and not slept.restricted
        if on_time.granted and not slept.granted and slept.ended_at is None and not over:
            faults.append(f"cycle {number}: the grant counts for the punctual worker alone")
    return compared, faults


def _runs_to_its_end(known: RestrictedSurface, restricted: RestrictedSurface) -> bool:
    """Whether it ended by itself later than a punctual worker lifted it for a reason."""
    assert restricted.lifted_at is not None
    ended = known.lifted_for != "ended" and restricted.lifted_for == "ended"
    return ended and (known.lifted_at is None or restricted.lifted_at > known.lifted_at)


def stricter_reaches_back(
    before: WorldRun, after: WorldRun, changed_at: int
) -> tuple[bool, list[str]]:
    """Whether a cycle from before the change is restricted, and what the change made worse.

    `before` stays under the policy of the issue, `after` takes up another at `changed_at`.
    """
    compared, faults = False, []
    for number, promised, present in common(before, after):
        if promised.issued_at >= changed_at or present.issued_at >= changed_at:
            continue
        compared = compared or bool(promised.restricted or present.restricted)
        for surface, restricted in present.restricted.items():
            known = promised.restricted.get(surface)
            if known is None:
                faults.append(f"cycle {number}: {surface} is restricted by the change alone")
                continue
            if _STRENGTH[restricted.level] > _STRENGTH[known.level]:
                faults.append(f"cycle {number}: {surface} is restricted more by the change")
            if restricted.lasts > known.lasts:
                faults.append(f"cycle {number}: {surface} is restricted longer by the change")
    return compared, faults
