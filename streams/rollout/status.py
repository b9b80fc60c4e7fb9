"""Gives the verdict on a roll-out: go on, hold, not enough yet, or nothing. It changes nothing.

* *hold*: a rate is higher among the new accounts, or data that the comparison needs are missing.
* *not enough yet*: no rate is higher, but there are too few accounts to find a doubling of some.
* *go on*: no rate is higher, and a doubling would have been found in 80 of 100 roll-outs.
* *nothing*: there is no change: only one version ever ran, or nobody is invited live. Only an index
  that is up to date can say so; of another one it is *hold*.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from math import ceil
from typing import Any

from sqlalchemy import Connection

from schemas.enums import Mode
from streams.core.model.instants import rfc3339
from streams.index.fresh import Fresh
from streams.policies.scalars import format_duration
from streams.rollout.cohorts import (
    WITHIN,
    CohortChange,
    Cohorts,
    CohortVersion,
    LetIn,
    Rate,
    cohorts,
    last_change,
    versions,
)
from streams.rollout.comparison import RateComparison, compared, sizes_of
from streams.rollout.sequential import ALARM, HIGHEST_BASE, LOWEST_BASE

BEHIND = "the index is behind: what it does not have may be what matters"
MOST_SILENT = 0.05
"""The greatest share of accounts without a receipt; with more, nobody knows how many bounced."""


@unique
class RolloutVerdict(StrEnum):
    """The verdict on a roll-out."""

    GO_ON = "go on"
    HOLD = "hold"
    NOT_ENOUGH = "not enough yet"
    NOTHING = "nothing to compare"


@dataclass(slots=True)
class RolloutStatus:
    """The verdict for one platform. `why`: its reasons, as sentences."""

    platform: str
    change: CohortChange | None
    verdict: RolloutVerdict
    why: list[str] = field(default_factory=list)
    rates: list[RateComparison] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Returns the verdict as JSON of `byline rollout status --json`."""
        return {
            "platform": self.platform,
            "verdict": self.verdict.value,
            "why": self.why,
            "change": None if self.change is None else _plain(self.change),
            "rates": [it.as_dict() for it in self.rates],
        }


def status(
    connection: Connection,
    fresh: Fresh,
    now: int,
    platform: str | None = None,
    within: Mapping[Rate, int] = WITHIN,
    *,
    raise_only: bool = False,
) -> list[RolloutStatus]:
    """Returns the verdict for each platform that ever had a policy in force, or for one.

    `now`: ms. `within`: ms after the invitation, by rate. `raise_only`: judge the last raise of
    `rollout_percent`.
    """
    found = []
    for name, known in versions(connection).items():
        if platform is None or name == platform:
            change = last_change(name, known, raise_only=raise_only)
            found.append(_status(connection, fresh, now, name, known, change, within))
    return found


def _status(
    connection: Connection,
    fresh: Fresh,
    now: int,
    platform: str,
    known: list[CohortVersion],
    change: CohortChange | None,
    within: Mapping[Rate, int],
) -> RolloutStatus:
    if change is None:
        return _nothing(fresh, now, platform, None, _no_change(known))
    if change.after.mode != Mode.ENFORCE:
        said = (
            f"version {change.after.version} does not enforce: `byline shadow report` says what"
            " shadow says"
        )
        return _nothing(fresh, now, platform, change, said)
    groups = cohorts(connection, change)
    as_of = fresh.as_of or 0
    missing = [*_lacking(fresh, now, known, change), *_nobody(change, groups)]
    rates = [compared(rate, groups, change, as_of, within[rate]) for rate in Rate]
    missing += _silent(groups, change, as_of, within[Rate.UNDELIVERED])
    higher = [_higher(it) for it in rates if it.higher]
    if missing or higher:
        return RolloutStatus(platform, change, RolloutVerdict.HOLD, higher + missing, rates)
    if not all(it.enough for it in rates):
        why = [_wanting(it) for it in rates if not it.enough]
        return RolloutStatus(platform, change, RolloutVerdict.NOT_ENOUGH, why, rates)
    said = "a doubling of each rate would have been found by now in 80 of 100 roll-outs"
    return RolloutStatus(platform, change, RolloutVerdict.GO_ON, [said], rates)


def _nothing(
    fresh: Fresh, now: int, platform: str, change: CohortChange | None, why: str
) -> RolloutStatus:
    if fresh.late(now):
        return RolloutStatus(
            platform, change, RolloutVerdict.HOLD, [BEHIND, f"in the index, {why}"]
        )
    return RolloutStatus(platform, change, RolloutVerdict.NOTHING, [why])


def _no_change(known: list[CohortVersion]) -> str:
    if len(known) == 1:
        return f"version {known[0].version} is the only one that was ever in force"
    return "no version ever raised rollout_percent"


def _lacking(
    fresh: Fresh, now: int, known: list[CohortVersion], change: CohortChange
) -> Iterable[str]:
    """Yields what is missing in the index and in the history of policies, as sentences."""
    if fresh.late(now):
        yield BEHIND
    if change.after.since is None:
        yield (
            f"nobody knows when version {change.after.version} was taken up: the decision log that"
            " the index has begins later"
        )
    newest = known[-1]
    if newest.since is not None and not newest.running:
        yield f"no partition works under version {newest.version}, the newest, any more"


def _nobody(change: CohortChange, groups: Mapping[str, Cohorts]) -> Iterable[str]:
    """Yields a sentence if there is no group before, at all or in a phase with new accounts."""
    if not any(its.before for its in groups.values()):
        yield (
            f"nobody was let in before version {change.after.version}: this share is the first,"
            " and nobody can be compared with it"
        )
        return
    for phase, its in sorted(groups.items()):
        if its.new and not its.before:
            yield (
                f"nobody was let in before in phase {phase}: {len(its.new):,} new accounts have"
                " nobody to be compared with"
            )


def _silent(
    groups: Mapping[str, Cohorts], change: CohortChange, as_of: int, within: int
) -> Iterable[str]:
    """Yields a sentence for each group of which too many accounts have no receipt in time.

    Of those before, only the first ones are asked for, as many as stand beside the new ones: an old
    disturbance must not hold every later roll-out.
    """
    sizes = sizes_of(change)
    before: list[LetIn] = []
    new: list[LetIn] = []
    for its in groups.values():
        old, young = (
            [it for it in group if it.issued_at + within <= as_of]
            for group in (its.before, its.new)
        )
        new += young
        before += old[: ceil(len(young) / sizes.new) * sizes.before]
    for whose, group in (("new accounts", new), ("accounts from before", before)):
        silent = sum(it.silent(within) for it in group)
        if silent > MOST_SILENT * len(group):
            yield (
                f"receipts are missing: of {len(group):,} {whose} {silent:,}"
                f" ({percent(silent / len(group))}) have none {format_duration(within)} after the"
                f" invitation, and more than {percent(MOST_SILENT)} is too many to know how many"
                " bounced; is the notifier at work?"
            )


def _higher(it: RateComparison) -> str:
    return (
        f"{it.rate.value} is higher among the new ones: {percent(it.new.share)} of"
        f" {it.new.accounts:,}, against {percent(it.before.share)} of {it.before.accounts:,}"
        f" before (evidence {it.evidence:,.0f}, alarm at {ALARM:.0f})"
    )


def _wanting(it: RateComparison) -> str:
    found = percent(it.base) if it.before.accounts else "an unknown rate"
    taken = min(max(it.base, LOWEST_BASE), HIGHEST_BASE)
    below = f", taken for {percent(taken)}" if it.base != taken else ""
    before, new = it.more
    parts = [f"{new:,} more new accounts"] if new else []
    parts += [f"{before:,} more of those before"] if before else []
    return (
        f"{it.rate.value}: at {found} before{below}, a doubling takes {it.needed[1]:,} new accounts"
        f" and {it.needed[0]:,} from before; {' and '.join(parts)} must have been invited"
        f" {ceil(it.within / 86_400_000)} days ago"
    )


def percent(share: float | None) -> str:
    """Formats a share in per cent."""
    return "–" if share is None else f"{share * 100:.1f} %"


def _plain(change: CohortChange) -> dict[str, Any]:
    def version(it: CohortVersion) -> dict[str, Any]:
        since = None if it.since is None else rfc3339(it.since)
        return {
            "version": it.version,
            "rollout_percent": it.percent,
            "mode": it.mode,
            "since": since,
            "partitions": it.running,
        }

    return {
        "raised": change.raised,
        "before": version(change.before),
        "after": version(change.after),
    }
