"""Shows what is in force on the platforms now: switches, guards, policies, used caps.

It is read from the workers' state, partition by partition, because a partition that has not read a
switch or policy yet does not obey it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.enums import Event, Mode
from streams.core.limits.caps import cap_of, counter, window_of
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.operate.account_states import Part, States

CAPPED = (Event.INVITATION_ISSUED, Event.THROTTLE_APPLIED)


@dataclass(frozen=True, slots=True)
class Holding:
    """A switch, a tripped guard or a cluster change in force.

    `scope`: a platform or `*`. `since`, `until`: RFC 3339. `partitions`: in how many.
    """

    what: str
    scope: str
    since: str | None
    until: str | None
    partitions: int


@dataclass(frozen=True, slots=True)
class Running:
    """A version of a policy that some partitions work under, and how the file here compares.

    `on_disk`: `same`, `missing`, or `version N` of the file.
    """

    platform: str
    version: int
    digest: str
    partitions: int
    on_disk: str


@dataclass(frozen=True, slots=True)
class Used:
    """A cap: how much of it is used in the present day or hour, over all partitions."""

    platform: str
    event: str
    used: int
    cap: int


@dataclass(slots=True)
class Overview:
    """What is in force, the policies that run, and the caps, as of the state that was read."""

    partitions: int
    holding: list[Holding] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    caps: list[Used] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Returns the overview as JSON of `byline status --json`."""
        return asdict(self)


def overview(states: States, on_disk: Mapping[str, Policy], now: int) -> Overview:
    """Returns what is in force at `now` (ms). `on_disk`: the policy files here, by platform."""
    parts = [states.part(number) for number in range(states.partition_count)]
    found = Overview(len(parts))
    found.holding = sorted(_holding(parts, now), key=lambda it: (it.scope, it.what))
    found.running = list(_running(parts, on_disk))
    found.caps = list(_caps(parts, now))
    return found


def _holding(parts: Iterable[Part], now: int) -> Iterable[Holding]:
    since: dict[tuple[str, str], list[int]] = defaultdict(list)
    until: dict[tuple[str, str], list[int]] = defaultdict(list)
    for part in parts:
        for name, lever in part.switches.levers.items():
            if lever.on_since is not None:
                scope, _, switch = name.partition(":")
                since[switch, scope].append(lever.on_since)
        for platform, track in part.switches.settling.tracks.items():
            if track.since is not None:
                since["refusals", platform].append(track.since)
        if part.cluster.since is not None:
            since["cluster_changed", "*"].append(part.cluster.since)
        for platform in part.adopted:
            closed_until = part.limits.guard_tripped_until(platform, now)
            if closed_until is not None:
                until["guard", platform].append(closed_until)
    for (what, scope), times in since.items():
        yield Holding(what, scope, rfc3339(min(times)), None, len(times))
    for (what, scope), times in until.items():
        yield Holding(what, scope, None, rfc3339(max(times)), len(times))


def _running(parts: Iterable[Part], on_disk: Mapping[str, Policy]) -> Iterable[Running]:
    counts: Counter[tuple[str, int, str]] = Counter()
    for part in parts:
        counts.update((name, it.version, it.digest) for name, it in part.adopted.items())
    for (platform, version, digest), count in sorted(counts.items()):
        file = on_disk.get(platform)
        if file is None:
            here = "missing"
        else:
            here = "same" if file.digest == digest else f"version {file.version}"
        yield Running(platform, version, digest, count, here)


def _caps(parts: Iterable[Part], now: int) -> Iterable[Used]:
    used: Counter[tuple[str, Event]] = Counter()
    caps: dict[tuple[str, Event], int] = {}
    for part in parts:
        for platform, policy in part.policies.items():
            if policy is None or policy.mode is not Mode.ENFORCE:
                continue
            for event in CAPPED:
                name = counter(policy, event, Mode.ENFORCE)
                used[platform, event] += part.caps.used_in(name, window_of(event, now))
                caps[platform, event] = cap_of(policy, event)
    for (platform, event), cap in sorted(caps.items()):
        yield Used(platform, event, used[platform, event], cap)
