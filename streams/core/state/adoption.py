"""Takes up policies on a partition; no partition goes back to an older policy version.

To take up a policy is to begin to use it. A partition remembers, for each platform, the version and
digest of the policy in use. A worker with an older version, or with another text under the same
version, is stopped with an error. So two workers with different files can never alternate on one
partition. A *rescan* reads the busy topics again for records that were not kept.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from streams.core.model.instants import rfc3339
from streams.core.model.notices import NoticeTakenUp, with_notice
from streams.core.model.policy import Policy
from streams.stop_worker import ExitCode, StopWorker


class Adopted(Struct, array_like=True):
    """What a partition remembers of the policy in use.

    `since`: when the partition took it up, in milliseconds UTC; 0 for a platform's first policy.
    `looking`: not all accounts were evaluated under it yet. `lines`, `labels`: those of the policy.
    """

    version: int
    digest: str
    since: int
    lines: tuple[int, ...]
    floor: int
    labels: tuple[str, ...]
    looking: bool = False
    covered: tuple[str, ...] | None = ()
    """The covered fields; None: any. Empty if an older Byline wrote it, which did not keep them."""
    notices: tuple[NoticeTakenUp, ...] = ()
    """The notice versions of the platform, in the order in which they were taken up."""
    absent: bool = False
    """Whether the platform has no policy file now. The decision log records when a file is removed
    or comes back, because replay needs it: it changes how the platform's inputs are handled."""


class Adoption(NamedTuple):
    """The result of taking up policies.

    `adopted`: what to remember, by platform. `changed`: platforms whose accounts must be evaluated
    again.
    """

    adopted: dict[str, Adopted]
    changed: dict[str, frozenset[int]]
    """By platform whose policy changed, the follower lines of the previous policy."""
    rescans: dict[str, str]
    """By platform, why readings or labels that were not kept must be read again."""
    taken_up: frozenset[str] = frozenset()
    """Platforms whose policy is new to this partition."""


def adopt(
    known: Mapping[str, Adopted],
    policies: Mapping[str, Policy],
    partition: int,
    now: int,
    rescan: frozenset[str] = frozenset(),
) -> Adoption:
    """Takes up policies.

    `known`: what the partition remembers, by platform. `rescan`: platforms for which the operator
    allows a rescan.

    Raises:
        StopWorker: with code 2, if a policy is older than the one in use, has the same version with
            another text, shares a notice version with another notice, or needs a rescan that the
            operator has not allowed.
    """
    adopted = dict(known)
    changed: dict[str, frozenset[int]] = {}
    rescans: dict[str, str] = {}
    for platform, policy in policies.items():
        before = known.get(platform)
        if before is None:
            adopted[platform] = _adopted(policy, since=0, looking=False, before=None)
            continue
        _refuse_older(before, policy, partition)
        _refuse_shared_version(before, policy)
        if before.digest == policy.digest:
            notices = before.notices or with_notice((), policy.notice, before.since)
            adopted[platform] = replace(before, notices=notices, absent=False)
            if before.looking:
                changed[platform] = frozenset(before.lines)
            continue
        adopted[platform] = _adopted(policy, since=now, looking=True, before=before)
        changed[platform] = frozenset(before.lines)
        reason = _needs_rescan(before, policy)
        if reason is not None:
            if platform not in rescan:
                raise _refuse_silence(platform, reason)
            rescans[platform] = reason
    for platform in known.keys() - policies.keys():
        adopted[platform] = replace(known[platform], absent=True)
    taken_up = {
        name
        for name, one in adopted.items()
        if name not in known or known[name].digest != one.digest
    }
    return Adoption(adopted, changed, rescans, frozenset(taken_up))


def _adopted(policy: Policy, since: int, looking: bool, before: Adopted | None) -> Adopted:
    return Adopted(
        policy.version,
        policy.digest,
        since,
        policy.lines,
        policy.floor,
        labels=tuple(sorted({*policy.labels, *policy.exempt_labels})),
        looking=looking,
        covered=None if policy.covered is None else tuple(sorted(policy.covered)),
        notices=with_notice(before.notices if before else (), policy.notice, since),
    )


def _refuse_older(before: Adopted, policy: Policy, partition: int) -> None:
    if policy.version < before.version:
        raise StopWorker(
            f"partition {partition} already works under version {before.version} of the policy "
            f"for {policy.platform}, this worker has version {policy.version}; give this worker "
            f"version {before.version} or a later one",
            exit_code=ExitCode.PERSON,
        )
    if policy.version == before.version and policy.digest != before.digest:
        raise StopWorker(
            f"the policy for {policy.platform} is another text than the one under which partition "
            f"{partition} works (digest {policy.digest[:12]}, there {before.digest[:12]}), but "
            f"both say version {policy.version}; raise the version of the changed file",
            exit_code=ExitCode.PERSON,
        )


def _refuse_shared_version(before: Adopted, policy: Policy) -> None:
    """Refuses two notices with one version, because a grant names only the version."""
    notice = policy.notice
    for one in before.notices:
        if one.version == notice.version and one.notice_id != notice.id:
            raise StopWorker(
                f"the notice {notice.id} of {policy.platform} has version {notice.version!r}, as "
                f"{one.notice_id} had; give it a version that no other notice of the platform had",
                exit_code=ExitCode.PERSON,
            )


def _needs_rescan(before: Adopted, policy: Policy) -> str | None:
    if policy.floor < before.floor:
        return f"the floor falls from {before.floor} to {policy.floor}"
    new = sorted(set(policy.labels) - set(before.labels))
    if new:
        return f"{len(new)} labels are new"
    if before.covered is None or before.covered == ():
        return None
    if policy.covered is None:
        return "any field is covered now"
    wider = sorted(set(policy.covered) - set(before.covered))
    return f"{', '.join(wider)} are covered now" if wider else None


def _refuse_silence(platform: str, reason: str) -> StopWorker:
    return StopWorker(
        f"the new policy for {platform} needs what was not kept under the old one: {reason}. "
        f"State it: `byline worker --rescan {platform}` (or BYLINE_RESCAN={platform}) reads "
        "follower-counts and category-changes of each partition from the beginning, once",
        exit_code=ExitCode.PERSON,
    )


def refuse_missing(platform: str, open_count: int, since: int | None) -> StopWorker:
    """Makes the error for a platform that has open invitations or consents but no policy file."""
    when = "" if since is None else f", taken up at {rfc3339(since)}"
    return StopWorker(
        f"{open_count} accounts of {platform} have an open invitation or a consent in force, but "
        f"there is no policy file for {platform}{when}; put the file back, and end the platform "
        "with `mode: off` in it",
        exit_code=ExitCode.PERSON,
    )
